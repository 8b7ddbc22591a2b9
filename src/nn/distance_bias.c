/* distance_bias.c - with i a query, j a key, d = i - j and r(d) the row of a distance:
 *
 *   bias[j][i] = -infinity where |d| > window, else
 *                table[r(d)][head] + scale (q_i . rel_k[r(d)] + k_j . rel_q[r(d)])
 *   d table[r][head] = sum of d_bias[j][i] with r(i - j) = r;   the vectors' part: kernels/distances.h
 *
 * Held turned, a row a key, as attention holds its scores. Sources: Raffel et al. 2020 (T5's table, which
 * Song et al. 2020, MPNet, use), He et al. 2021 (DeBERTa), Beltagy et al. 2020 (window). References:
 * transformers and central differences (tests/unit/test_nn_encoder.c, test_nn_ops.c). */
#include "nn/distance_bias.h"

#include <math.h>

/* Rows that rel_k or rel_q have. */
static size_t n_rel(const struct gm_distance_bias *b)
{
    return b->rel_k ? b->rel_k->rows : b->rel_q ? b->rel_q->rows : 0;
}

/* r(-(len - 1)). */
static const uint32_t *rows_of(const struct gm_distance_bias *b, size_t len)
{
    return b->row ? b->row + (b->row_max - len) : NULL;
}

size_t gm_distance_bias_scratch(const struct gm_graph *g, const struct gm_distance_bias *b,
                                size_t len, size_t dim)
{
    return len * g->kn->attention_row(len) +
           (n_rel(b) ? g->kn->distances_scratch(len, n_rel(b), dim) : 0);
}

static struct gm_distances distances_of(const struct gm_distance_bias *b,
                                        const struct gm_attention *a)
{
    return (struct gm_distances){.len = a->len,
                                 .dim = a->dim,
                                 .qkv_stride = a->qkv_stride,
                                 .k_at = a->k_at,
                                 .n_rel = n_rel(b),
                                 .rel_k_stride = b->rel_k ? b->rel_k->cols : 0,
                                 .rel_q_stride = b->rel_q ? b->rel_q->cols : 0,
                                 .row = rows_of(b, a->len),
                                 .scale = a->scale};
}

/* The head's first column of a variable of distances; NULL without it. */
static const void *head_of(const struct gm_graph *g, const struct gm_var *rel, size_t at, size_t h,
                           size_t dim)
{
    return rel ? gm_ops_at(g, rel->x, at + h * dim) : NULL;
}

const float *gm_distance_bias_fill(const struct gm_graph *g, const struct gm_distance_bias *b,
                                   const struct gm_attention *a, size_t h, const void *qkv,
                                   float *scratch)
{
    size_t len = a->len, n = g->kn->attention_row(len);
    const uint32_t *row = rows_of(b, len);
    float *bias = scratch;
    if (n_rel(b)) {
        struct gm_distances d = distances_of(b, a);
        g->kn->distances(&d, qkv, head_of(g, b->rel_k, b->rel_k_at, h, a->dim),
                         head_of(g, b->rel_q, b->rel_q_at, h, a->dim), bias, bias + len * n);
    } else {
        memset(bias, 0, len * n * sizeof *bias);
    }
    if (b->has_table) {
        const struct gm_param *t = &g->params->p[b->table];
        for (size_t j = 0; j < len; j++)
            for (size_t i = 0; i < len; i++)
                bias[j * n + i] += t->w[row[i + len - 1 - j] * t->shape[1] + h];
    }
    for (size_t j = 0; b->window && j < len; j++)
        for (size_t i = 0; i < len; i++)
            if ((i > j ? i - j : j - i) > b->window)
                bias[j * n + i] = -INFINITY;
    return bias;
}

/* Elements of a head's sum of gradients of vectors. */
static size_t rel_size(const struct gm_graph *g, const struct gm_distance_bias *b, size_t dim)
{
    return n_rel(b) * g->kn->attention_row(dim);
}

void gm_distance_bias_back(const struct gm_graph *g, const struct gm_distance_bias *b,
                           const struct gm_attention *a, size_t h, const void *qkv,
                           const float *d_bias, void *d_qkv, const struct gm_distance_grads *to)
{
    size_t len = a->len, n = g->kn->attention_row(len);
    const uint32_t *row = rows_of(b, len);
    if (to->table) {
        size_t heads = g->params->p[b->table].shape[1];
        for (size_t j = 0; j < len; j++)
            for (size_t i = 0; i < len; i++)
                to->table[row[i + len - 1 - j] * heads + h] += d_bias[j * n + i];
    }
    if (n_rel(b)) {
        struct gm_distances d = distances_of(b, a);
        size_t each = rel_size(g, b, a->dim);
        float *scratch = (float *)(uintptr_t)d_bias + len * n;
        g->kn->distances_back(&d, qkv, head_of(g, b->rel_k, b->rel_k_at, h, a->dim),
                              head_of(g, b->rel_q, b->rel_q_at, h, a->dim), d_bias, d_qkv,
                              to->rel_k ? to->rel_k + h * each : NULL,
                              to->rel_q ? to->rel_q + h * each : NULL, scratch);
    }
}

static enum gm_status zeros(struct gm_graph *g, size_t n, float **out, struct gm_error *err)
{
    void *p;
    enum gm_status st = gm_graph_alloc(g, &p, n, sizeof(float), err);
    if (st != GM_OK)
        return st;
    *out = memset(p, 0, n * sizeof(float));
    return GM_OK;
}

enum gm_status gm_distance_grads_new(struct gm_graph *g, const struct gm_distance_bias *b,
                                     size_t heads, size_t dim, struct gm_distance_grads *out,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = (struct gm_distance_grads){0};
    if (b->has_table && !g->params->p[b->table].frozen)
        GM_TRY(zeros(g, g->params->p[b->table].n, &out->table, err));
    if (b->rel_k)
        GM_TRY(zeros(g, heads * rel_size(g, b, dim), &out->rel_k, err));
    if (b->rel_q)
        GM_TRY(zeros(g, heads * rel_size(g, b, dim), &out->rel_q, err));
done:
    return st;
}

/* Adds a variable's sums to its gradient, whose other columns become 0 where nobody wrote them. */
static enum gm_status add_to(struct gm_graph *g, struct gm_var *v, size_t at, size_t heads,
                             size_t dim, const float *sums, struct gm_error *err)
{
    size_t row = g->kn->attention_row(dim);
    void *one_;
    enum gm_status st = gm_graph_grad(g, v, err);
    if (st == GM_OK)
        st = gm_graph_alloc(g, &one_, dim, sizeof(float), err);
    if (st != GM_OK)
        return st;
    float *one = one_;
    if (!v->has_d)
        memset(v->d, 0, v->rows * v->cols * gm_dtype_size(g->dtype));
    v->has_d = true;
    for (size_t h = 0; h < heads; h++)
        for (size_t r = 0; r < v->rows; r++) {
            void *to = gm_ops_at(g, v->d, r * v->cols + at + h * dim);
            g->kn->to_f32(dim, to, one);
            for (size_t i = 0; i < dim; i++)
                one[i] += sums[(h * v->rows + r) * row + i];
            g->kn->from_f32(dim, one, to);
        }
    return GM_OK;
}

enum gm_status gm_distance_grads_done(struct gm_graph *g, const struct gm_distance_bias *b,
                                      size_t heads, size_t dim,
                                      const struct gm_distance_grads *grads, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (grads->table)
        gm_params_add_grad(&g->params->p[b->table], grads->table);
    if (grads->rel_k)
        GM_TRY(add_to(g, b->rel_k, b->rel_k_at, heads, dim, grads->rel_k, err));
    if (grads->rel_q)
        GM_TRY(add_to(g, b->rel_q, b->rel_q_at, heads, dim, grads->rel_q, err));
done:
    return st;
}
