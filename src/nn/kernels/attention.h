/* attention.h - attention of one head of one sequence in f32, whatever T is; what it computes
 * and the arguments' shapes: kernels.h. With len rows and dim columns, Q, K, V [len][dim]:
 *
 *   S = K Q' scale + bias   [key][query]
 *   P = softmax of S down each column
 *   O = dropout(P)' V       [query][dim]
 *
 * Scores are held turned, a row a key and a lane a query: then a query's softmax never leaves
 * its lane. Rows are padded to whole vectors. Naive reference: naive_attention and
 * naive_attention_back in tests/unit/test_nn_attention.c. */

INLINE size_t pad(size_t n) { return (n + VL - 1) / VL * VL; }

/* Shapes of a product C[m][n] = A[m][k] B[k][n] of row-major f32: ld is the elements from one row to
 * the next. */
struct product {
    size_t m, n, k, lda, ldb, ldc;
};

/* C[MR, NV vectors] of one tile: kept in registers over the whole of k. */
INLINE void tile(size_t mr, size_t nv, bool turned, struct product s, const float *a,
                 const float *b, float *c)
{
    vf acc[6][2];
    for (size_t i = 0; i < mr; i++)
        for (size_t j = 0; j < nv; j++)
            acc[i][j] = (vf){0};
    for (size_t p = 0; p < s.k; p++) {
        vf bv[2];
        for (size_t j = 0; j < nv; j++)
            bv[j] = load_f32(b + p * s.ldb + j * VL);
#pragma GCC unroll 6
        for (size_t i = 0; i < mr; i++)
            for (size_t j = 0; j < nv; j++)
                acc[i][j] += a[turned ? p * s.lda + i : i * s.lda + p] * bv[j];
    }
    for (size_t i = 0; i < mr; i++)
        for (size_t j = 0; j < nv; j++)
            store_f32(c + i * s.ldc + j * VL, acc[i][j]);
}

/* NV vectors of all rows: tiles of six, then one of just the number that is left. */
INLINE void tiles(size_t nv, bool turned, struct product s, const float *a, const float *b,
                  float *c)
{
    size_t step = turned ? 1 : s.lda, m = s.m;
    for (; m >= 6; m -= 6, a += 6 * step, c += 6 * s.ldc)
        tile(6, nv, turned, s, a, b, c);
    switch (m) {
    case 1: tile(1, nv, turned, s, a, b, c); break;
    case 2: tile(2, nv, turned, s, a, b, c); break;
    case 3: tile(3, nv, turned, s, a, b, c); break;
    case 4: tile(4, nv, turned, s, a, b, c); break;
    case 5: tile(5, nv, turned, s, a, b, c); break;
    default: break;
    }
}

INLINE void gemm_any(bool turned, struct product s, const float *a, const float *b, float *c)
{
    size_t j = 0;
    for (; s.n - j >= 2 * (size_t)VL; j += 2 * (size_t)VL)
        tiles(2, turned, s, a, b + j, c + j);
    if (j < s.n)
        tiles(1, turned, s, a, b + j, c + j);
}

/* C = A B; n is a multiple of VL. */
static void gemm(const struct product *s, const float *a, const float *b, float *c)
{
    gemm_any(false, *s, a, b, c);
}

/* The same where A is stored [k][m]. */
static void gemm_turned(const struct product *s, const float *a, const float *b, float *c)
{
    gemm_any(true, *s, a, b, c);
}

/* out[r][pad(cols)] = x[r][cols] of T with a row stride, the padding zero. */
static void gather(size_t rows, size_t cols, const T *x, size_t stride, float *out)
{
    size_t n = pad(cols);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i += VL)
            store_f32(out + r * n + i, load_k(x + r * stride + i, cols - i));
}

/* out[c][pad(rows)] = x[r][c] of T with a row stride, the padding zero. */
static void gather_turned(size_t rows, size_t cols, const T *x, size_t stride, float *out)
{
    size_t n = pad(rows);
    for (size_t r = 0; r < rows; r += VL)
        for (size_t c = 0; c < cols; c += VL) {
            vf block[VL];
            for (size_t i = 0; i < VL; i++)
                block[i] = r + i < rows ? load_k(x + (r + i) * stride + c, cols - c) : (vf){0};
            transpose_square(block);
            for (size_t i = 0; i < VL && c + i < cols; i++)
                store_f32(out + (c + i) * n + r, block[i]);
        }
}

static void scatter(size_t rows, size_t cols, const float *x, T *out, size_t stride)
{
    size_t n = pad(cols);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < cols; i += VL)
            store_k(out + r * stride + i, load_f32(x + r * n + i), cols - i);
}

static size_t attention_scratch(size_t len, size_t dim)
{
    return 6 * pad(len) * pad(dim) + 3 * pad(len) * pad(len);
}

/* Softmax of scale * s down the columns of [len, pad(len)]. */
static void softmax(size_t len, float scale, float *s)
{
    size_t n = pad(len), end = len * n;
    for (size_t i = 0; i < n; i += VL) {
        vf top = load_f32(s + i), sum = {0};
        for (size_t at = i + n; at < end; at += n)
            top = max_f(top, load_f32(s + at));
        for (size_t at = i; at < end; at += n) {
            vf e = exp_f((load_f32(s + at) - top) * scale);
            store_f32(s + at, e);
            sum += e;
        }
        vf inv = 1.0f / sum;
        for (size_t at = i; at < end; at += n)
            store_f32(s + at, load_f32(s + at) * inv);
    }
}

/* out = dropout(p) on [len, pad(len)]; out may be p. */
static void drop_probs(size_t len, const struct gm_dropout *drop, const float *p, float *out)
{
    size_t n = pad(len);
    for (size_t r = 0; r < len; r++)
        for (size_t i = 0; i < n; i += VL)
            store_f32(out + r * n + i, dropped(load_f32(p + r * n + i), drop, r * len + i));
}

static size_t attention_row(size_t len) { return pad(len); }

/* s = s * scale + bias on [len, pad(len)]. */
static void add_bias(size_t len, float scale, const float *bias, float *s)
{
    for (size_t i = 0; i < len * pad(len); i += VL)
        store_f32(s + i, load_f32(s + i) * scale + load_f32(bias + i));
}

static void attention(const struct gm_attention *a, const void *qkv_, void *out, void *probs,
                      float *scratch)
{
    const T *qkv = qkv_;
    size_t len = a->len, dim = a->dim, lp = pad(len), dp = pad(dim), block = lp * dp;
    float *qt = scratch, *k = qt + block, *v = k + block, *o = v + block, *s = scratch + 6 * block;
    gather_turned(len, dim, qkv, a->qkv_stride, qt);
    gather(len, dim, qkv + a->k_at, a->qkv_stride, k);
    gather(len, dim, qkv + a->v_at, a->qkv_stride, v);
    gemm(&(struct product){.m = len, .n = lp, .k = dim, .lda = dp, .ldb = lp, .ldc = lp}, k, qt, s);
    if (a->bias)
        add_bias(len, a->scale, a->bias, s);
    softmax(len, a->bias ? 1.0f : a->scale, s);
    if (probs)
        scatter(len, len, s, probs, len);
    if (a->drop.threshold)
        drop_probs(len, &a->drop, s, s);
    gemm_turned(&(struct product){.m = len, .n = dp, .k = len, .lda = lp, .ldb = dp, .ldc = dp}, s,
                v, o);
    scatter(len, dim, o, out, a->out_stride);
}

/* d_p becomes the gradient of the scores: p * (d_p - sum of d_p * p down the column) * scale. */
static void softmax_back(size_t len, float scale, const float *p, float *d_p)
{
    size_t n = pad(len), end = len * n;
    for (size_t i = 0; i < n; i += VL) {
        vf dot = {0};
        for (size_t at = i; at < end; at += n)
            dot += load_f32(d_p + at) * load_f32(p + at);
        for (size_t at = i; at < end; at += n)
            store_f32(d_p + at, load_f32(p + at) * (load_f32(d_p + at) - dot) * scale);
    }
}

/* With P the probabilities, D the dropout, O = D(P) V, S the scaled scores:
 *   dV = D(P)' dO;  dP = D(dO V');  dS = P * (dP - rowsum(dP * P)) * scale;  dQ = dS K;  dK = dS' Q
 * where P, dP and dS are held turned. */
static void attention_back(const struct gm_attention *a, const void *qkv_, const void *probs,
                           const void *d_out, void *d_qkv_, float *scratch)
{
    const T *qkv = qkv_;
    T *d_qkv = d_qkv_;
    size_t len = a->len, dim = a->dim, lp = pad(len), dp = pad(dim), block = lp * dp;
    float *q = scratch, *k = q + block, *v = k + block, *d_o = v + block, *d_ot = d_o + block,
          *tmp = d_ot + block;
    float *p = scratch + 6 * block, *d_p = p + lp * lp, *dropped_p = d_p + lp * lp;
    gather(len, dim, qkv, a->qkv_stride, q);
    gather(len, dim, qkv + a->k_at, a->qkv_stride, k);
    gather(len, dim, qkv + a->v_at, a->qkv_stride, v);
    gather(len, dim, d_out, a->out_stride, d_o);
    gather_turned(len, dim, d_out, a->out_stride, d_ot);
    gather(len, len, probs, len, p);
    /* [len][len] times [len][dim], and [len][dim] times [dim][len]. */
    const struct product by_key = {.m = len, .n = dp, .k = len, .lda = lp, .ldb = dp, .ldc = dp};
    const struct product by_dim = {.m = len, .n = lp, .k = dim, .lda = dp, .ldb = lp, .ldc = lp};

    if (a->drop.threshold)
        drop_probs(len, &a->drop, p, dropped_p);
    gemm(&by_key, a->drop.threshold ? dropped_p : p, d_o, tmp);
    scatter(len, dim, tmp, d_qkv + a->v_at, a->qkv_stride);

    gemm(&by_dim, v, d_ot, d_p);
    if (a->drop.threshold)
        drop_probs(len, &a->drop, d_p, d_p);
    softmax_back(len, a->d_bias ? 1.0f : a->scale, p, d_p);
    if (a->d_bias) {
        memcpy(a->d_bias, d_p, len * lp * sizeof *d_p);
        for (size_t i = 0; i < len * lp; i += VL)
            store_f32(d_p + i, load_f32(d_p + i) * a->scale);
    }
    gemm_turned(&by_key, d_p, k, tmp);
    scatter(len, dim, tmp, d_qkv, a->qkv_stride);
    gemm(&by_key, d_p, q, tmp);
    scatter(len, dim, tmp, d_qkv + a->k_at, a->qkv_stride);
}

static void rotate(size_t heads, size_t dim, const float *cosine, const float *sine, void *x_)
{
    size_t half = dim / 2;
    T *x = x_;
    for (size_t h = 0; h < heads; h++, x += dim)
        for (size_t i = 0; i < half; i += VL) {
            vf c = load_f32_k(cosine + i, half - i), s = load_f32_k(sine + i, half - i);
            vf a = load_k(x + i, half - i), b = load_k(x + half + i, half - i);
            store_k(x + i, a * c - b * s, half - i);
            store_k(x + half + i, b * c + a * s, half - i);
        }
}
