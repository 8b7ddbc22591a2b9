/* kernels.h - the inner loops: everything between the matrix products. Each is built for f32 and
 * bf16 activations (T below) and for two x86-64 levels (AVX2, AVX-512; one elsewhere); the level is
 * chosen at run time. Sums are f32 whatever T is. Kernels check nothing and touch only their
 * arguments: safe from any thread. Lengths need not be multiples of the vector length. */
#ifndef GM_NN_KERNELS_H
#define GM_NN_KERNELS_H

#include "nn/tensor.h"

/* Dropout at element i of a tensor: kept when a hash of seed + i is at least `threshold`; kept values
 * are scaled. The same mask is made again in the backward pass, so none is stored.
 * threshold 0 = no dropout. */
struct gm_dropout {
    uint32_t seed, threshold;
    float scale; /* 1 / (1 - p) */
};

/* One head of one sequence; qkv rows hold q, k, v side by side. */
struct gm_attention {
    size_t len;        /* rows of the sequence */
    size_t dim;        /* d, columns of the head */
    size_t qkv_stride; /* elements between rows of qkv and d_qkv */
    size_t k_at, v_at; /* columns from the head's q to its k and v */
    size_t out_stride; /* elements between rows of out and d_out */
    float scale;       /* of the products of q and k: 1/sqrt(d) */
    const float
        *bias; /* [len][attention_row(len)] key, query: added to the scaled products; NULL = 0 */
    float *d_bias;          /* where its gradient goes, likewise; NULL = nobody needs it */
    struct gm_dropout drop; /* of the probabilities; element key*len + query */
};

/* What stands between the products of a feed-forward part. */
enum gm_activation { GM_GELU, GM_GELU_TANH, GM_QUICK_GELU, GM_SILU, GM_RELU, GM_TANH };

/* A layer norm over rows: x, residual, y, xhat and their gradients are [rows][n] of T, rstd is [rows],
 * gamma and beta are [n]. */
struct gm_layernorm {
    size_t rows, n; /* n at most GM_HIDDEN_MAX */
    const float *gamma, *beta;
    float eps;
    struct gm_dropout drop; /* of x; element row*n + column */
};

/* One head of one sequence whose scores depend on vectors for the distance of query i and key j (He et al.
 * 2021, DeBERTa): rows of rel_k and rel_q, [n_rel] with rel_stride elements between them, from the
 * head's first column on. NULL rel_k or rel_q leaves its term out. */
struct gm_distances {
    size_t len, dim, qkv_stride, k_at; /* as in gm_attention */
    size_t n_rel, rel_k_stride, rel_q_stride;
    const uint32_t *row; /* [2 len - 1] for distances i - j of -(len - 1) and up: < n_rel */
    float scale;
};

/* Where the gradients of a layer norm go. */
struct gm_layernorm_grads {
    void *d_x,
        *d_residual; /* written, or added to where the flag says so; d_residual NULL = none */
    bool add_x, add_residual;
    float *d_gamma, *d_beta; /* f32 [n], added to */
};

/* The way back from the int32 sums of an int8 product: [rows][n]. */
struct gm_dequantise {
    size_t rows, n;
    const float *row, *col, *bias; /* scales of the rows [rows] and of the columns [n]; [n] */
    bool gelu;
};

struct gm_adamw {
    float lr, beta1, beta2, eps, decay, m_fix, v_fix, g_scale;
};

/* The widest row that a layer norm takes; a model with a larger hidden size is refused where its
 * config.json is read (encoder.c). */
enum { GM_HIDDEN_MAX = 4096 };

struct gm_kernels {
    /* out[i] = x[i], between T and f32 */
    void (*to_f32)(size_t n, const void *x, float *out);
    void (*from_f32)(size_t n, const float *x, void *out);

    /* q[i][j] = round(x[i][j] / scale[i]) with scale[i] = max |x[i]| / 127: rows of n as int8. */
    void (*quantise)(size_t rows, size_t n, const void *x, int8_t *q, float *scale);
    /* y[i][j] = x[i][j] * row[i] * col[j] + bias[j], or the GELU of that: the end of an int8 product. */
    void (*dequantise)(const struct gm_dequantise *d, const int32_t *x, void *y);

    /* s = dropout(x) + residual; xhat = (s - mean(s)) * rstd with rstd = 1 / sqrt(var(s) + eps);
     * y = xhat * gamma + beta, by rows. residual NULL = none; xhat and rstd are kept for backward
     * (NULL = not). Source: Ba, Kiros, Hinton 2016. */
    void (*layernorm)(const struct gm_layernorm *l, const void *x, const void *residual, void *y,
                      void *xhat, float *rstd);
    /* beta and eps of `l` are not read. */
    void (*layernorm_back)(const struct gm_layernorm *l, const void *d_y, const void *xhat,
                           const float *rstd, const struct gm_layernorm_grads *to);

    /* y = f(x) and d_x = d_y f'(x); formulas and sources: activations.h. GELU in f32 has erf by
     * Abramowitz and Stegun 7.1.26, |error| < 1.5e-7; in bf16 a polynomial, |error| < 1e-4 (its
     * gradient: 3e-4). x and y may be the same, and d_y and d_x. */
    void (*activate)(enum gm_activation f, size_t n, const void *x, void *y);
    void (*activate_back)(enum gm_activation f, size_t n, const void *x, const void *d_y,
                          void *d_x);
    /* y = f(a) * b, and d_a = d_y * b * f'(a), d_b = d_y * f(a). Source: Shazeer 2020 (GLU variants). */
    void (*gated)(enum gm_activation f, size_t n, const void *a, const void *b, void *y);
    void (*gated_back)(enum gm_activation f, size_t n, const void *a, const void *b,
                       const void *d_y, void *d_a, void *d_b);

    /* y (+)= dropout(x); its own backward. */
    void (*dropout)(size_t n, const void *x, const struct gm_dropout *drop, void *y, bool add);

    /* sum[j] += x[i][j] over rows i, for the first n of the `stride` columns of x. */
    void (*column_sum)(size_t rows, size_t n, const void *x, size_t stride, float *sum);

    /* Softmax attention of one head of one sequence, without padding. probs [key,query] T is kept for
     * backward (NULL = not). scratch: attention_scratch(len, dim) floats, 64-byte aligned.
     * Source: Vaswani et al. 2017, equation 1. */
    void (*attention)(const struct gm_attention *a, const void *qkv, void *out, void *probs,
                      float *scratch);
    void (*attention_back)(const struct gm_attention *a, const void *qkv, const void *probs,
                           const void *d_out, void *d_qkv, float *scratch);
    size_t (*attention_scratch)(size_t len, size_t dim); /* floats */
    size_t (*attention_row)(size_t len);                 /* floats of a row of a bias */

    /* The bias of scores by the distance of query and key in vectors, and its gradients: distances.h. */
    void (*distances)(const struct gm_distances *d, const void *qkv, const void *rel_k,
                      const void *rel_q, float *bias, float *scratch);
    void (*distances_back)(const struct gm_distances *d, const void *qkv, const void *rel_k,
                           const void *rel_q, const float *d_bias, void *d_qkv, float *d_rel_k,
                           float *d_rel_q, float *scratch);
    size_t (*distances_scratch)(size_t len, size_t n_rel, size_t dim); /* floats */

    /* Turns pairs of columns (i, i + dim/2) of each head of `width` columns in one row of n heads by the
     * angle whose cosine and sine are cosine[i] and sine[i], i < dim/2; the other sign of the sine turns back.
     * Source: Su et al. 2021 (RoFormer), equation 34, with halves for pairs as in GPT-NeoX. */
    void (*rotate)(size_t heads, size_t dim, const float *cosine, const float *sine, void *x);

    /* AdamW on n weights (Loshchilov, Hutter 2019): m, v moments; w -= lr * (m' / (sqrt(v') + eps) +
     * decay * w) with m' = m * m_fix, v' = v * v_fix (bias corrections); gradients are scaled by
     * g_scale first. w16 gets the bf16 copy (NULL = none). */
    void (*adamw)(size_t n, float *w, const float *g, float *m, float *v, uint16_t *w16,
                  const struct gm_adamw *c);
    double (*sum_squares)(size_t n, const float *x);
};

/* gm_kernels - the table for activations of type T (F32 or BF16) on this CPU. */
const struct gm_kernels *gm_kernels(enum gm_dtype t);

#endif
