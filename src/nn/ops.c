/* ops.c - embedding, row-wise operations and their gradients; products are in ops_linear.c,
 * attention in ops_attention.c, what works element by element in ops_elements.c. Variables are [rows][cols] of the graph's type, element [i][j]
 * at i*cols + j.
 *
 *   embed       y[i] = sum over k of table_k[id_k[i]];      d table_k[id_k[i]] += d_y[i]
 *   layernorm   s = dropout(x) + residual, h = (s - mean(s)) / sqrt(var(s) + eps) of each row,
 *               y = h * gamma + beta;                        with g = d_y * gamma:
 *               d_s = (g - mean(g) - h mean(g h)) / sqrt(var(s) + eps)
 *   mean_rows   y[i] = mean of rows begin[i] .. end[i];      d_x[r] += d_y[i] / (end[i] - begin[i])
 *
 * The inner loops, with their sources, are in kernels/; here rows are dealt to the threads.
 * Naive references: the formulas in tests/unit/test_nn_kernels.c; gradients against central
 * differences in tests/unit/test_nn_ops.c. */
#include "nn/ops.h"

#include "base/parallel.h"
#include "nn/finite.h"
#include "nn/ops_internal.h"

#include <assert.h>

/* ---- embedding ---- */

struct embed {
    struct gm_embed_input in[4];
    size_t n, n_rows;
    struct gm_var *y;
};

static enum gm_status embed_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    struct embed *e = ctx;
    size_t width = e->y->cols;
    void *row_;
    enum gm_status st = gm_graph_alloc(g, &row_, width, sizeof(float), err);
    float *row = row_;
    for (size_t i = 0; st == GM_OK && i < e->n_rows; i++) {
        g->kn->to_f32(width, gm_ops_at(g, e->y->d, i * width), row);
        for (size_t k = 0; k < e->n; k++) {
            struct gm_param *p = &g->params->p[e->in[k].table];
            if (p->frozen)
                continue;
            float *d = gm_param_touch(p, e->in[k].ids ? e->in[k].ids[i] : 0);
            if (!d)
                return GM_FAIL(err, GM_ENOMEM, "out of memory for embedding gradients");
            for (size_t j = 0; j < width; j++)
                d[j] += row[j];
        }
    }
    return st;
}

/* Rows [from, to) of the sum; `buffer` holds two rows. The first row that is not finite, or SIZE_MAX:
 * the tables are looked at here, by the rows that are read. */
static size_t embed_rows(struct gm_graph *g, const struct embed *e, size_t from, size_t to,
                         float *buffer)
{
    size_t width = e->y->cols, odd = SIZE_MAX;
    float *sum = buffer, *row = sum + width;
    const struct gm_tensor view = {.dtype = GM_F32, .rank = 1, .shape = {width}, .data = sum};
    for (size_t i = from; i < to; i++) {
        memset(sum, 0, width * sizeof *sum);
        for (size_t k = 0; k < e->n; k++) {
            gm_param_row(&g->params->p[e->in[k].table], e->in[k].ids ? e->in[k].ids[i] : 0, row);
            for (size_t j = 0; j < width; j++)
                sum[j] += row[j];
        }
        if (odd == SIZE_MAX && gm_tensor_not_finite(&view, 0, width) != SIZE_MAX)
            odd = i;
        g->kn->from_f32(width, sum, gm_ops_at(g, e->y->x, i * width));
    }
    return odd;
}

/* Which table it is that makes row i not finite. */
static enum gm_status check_row(struct gm_graph *g, const struct embed *e, size_t i,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t k = 0; k < e->n && st == GM_OK; k++)
        st = gm_param_check_row(&g->params->p[e->in[k].table], e->in[k].ids ? e->in[k].ids[i] : 0,
                                err);
    return st;
}

enum gm_status gm_op_embed(struct gm_graph *g, const struct gm_embed_input *in, size_t n,
                           size_t n_rows, struct gm_var **y, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t width = g->params->p[in[0].table].shape[1], rows = gm_rows_bucket(n_rows);
    size_t chunks = gm_ops_chunks(n_rows);
    void *ctx, *buffer_;
    GM_TRY(gm_graph_var(g, y, rows, width, err));
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof(struct embed), err));
    GM_TRY(gm_graph_alloc(g, &buffer_, chunks * 2 * width, sizeof(float), err));
    struct embed *e = ctx;
    *e = (struct embed){.n = n, .n_rows = n_rows, .y = *y};
    memcpy(e->in, in, n * sizeof *in);
    float *buffer = buffer_;
    size_t odd = SIZE_MAX;
#pragma omp parallel for schedule(static) reduction(min : odd)
    for (size_t c = 0; c < chunks; c++) {
        size_t first = embed_rows(g, e, n_rows * c / chunks, n_rows * (c + 1) / chunks,
                                  buffer + c * 2 * width);
        odd = first < odd ? first : odd;
    }
    if (odd != SIZE_MAX && !g->training) /* there the step is left out, and the loss says why */
        GM_TRY(check_row(g, e, odd, err));
    memset(gm_ops_at(g, (*y)->x, n_rows * width), 0,
           (rows - n_rows) * width * gm_dtype_size(g->dtype));
    st = gm_graph_record(g, embed_back, e, *y, err);
done:
    return st;
}

/* ---- layer norm ---- */

struct layernorm {
    struct gm_var *x, *residual, *y;
    size_t gamma, beta;
    struct gm_dropout drop;
    void *xhat;
    float *rstd;
};

static enum gm_status layernorm_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct layernorm *l = ctx;
    size_t n = l->x->cols, rows = l->x->rows, chunks = gm_ops_chunks(rows);
    struct gm_param *gamma = &g->params->p[l->gamma], *beta = &g->params->p[l->beta];
    void *parts_;
    bool same = l->residual == l->x; /* the kernel writes the residual's part first */
    GM_TRY(gm_graph_grad(g, l->x, err));
    if (l->residual)
        GM_TRY(gm_graph_grad(g, l->residual, err));
    GM_TRY(gm_graph_alloc(g, &parts_, chunks * 2 * n, sizeof(float), err));
    float *parts = parts_;
    memset(parts, 0, chunks * 2 * n * sizeof *parts);
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < chunks; c++) {
        size_t from = rows * c / chunks, to = rows * (c + 1) / chunks, at = from * n;
        struct gm_layernorm k = {
            .rows = to - from, .n = n, .gamma = gamma->w, .drop = gm_ops_mask_from(l->drop, at)};
        struct gm_layernorm_grads d = {.d_x = gm_ops_at(g, l->x->d, at),
                                       .add_x = l->x->has_d || same,
                                       .d_gamma = parts + c * 2 * n,
                                       .d_beta = parts + c * 2 * n + n};
        if (l->residual) {
            d.d_residual = gm_ops_at(g, l->residual->d, at);
            d.add_residual = l->residual->has_d;
        }
        g->kn->layernorm_back(&k, gm_ops_at(g, l->y->d, at), gm_ops_at(g, l->xhat, at),
                              l->rstd + from, &d);
    }
    l->x->has_d = true;
    if (l->residual)
        l->residual->has_d = true;
    for (size_t c = 0; c < chunks; c++) {
        gm_params_add_grad(gamma, parts + c * 2 * n);
        gm_params_add_grad(beta, parts + c * 2 * n + n);
    }
done:
    return st;
}

enum gm_status gm_op_layernorm(struct gm_graph *g, struct gm_var *x, struct gm_var *residual,
                               double drop_p, size_t gamma, size_t beta, double eps,
                               struct gm_var **y, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = x->cols, rows = x->rows, chunks = gm_ops_chunks(rows);
    void *ctx, *rstd = NULL;
    assert(n <= GM_HIDDEN_MAX); /* refused where a model is opened */
    GM_TRY(gm_graph_var(g, y, rows, n, err));
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof(struct layernorm), err));
    struct layernorm *l = ctx;
    *l = (struct layernorm){.x = x, .residual = residual, .y = *y, .gamma = gamma, .beta = beta};
    l->drop = gm_graph_dropout(g, drop_p);
    if (g->training) {
        GM_TRY(gm_graph_alloc(g, &l->xhat, rows * n, gm_dtype_size(g->dtype), err));
        GM_TRY(gm_graph_alloc(g, &rstd, rows, sizeof(float), err));
        l->rstd = rstd;
    }
    const float *gw = g->params->p[gamma].w, *bw = g->params->p[beta].w;
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < chunks; c++) {
        size_t from = rows * c / chunks, to = rows * (c + 1) / chunks, at = from * n;
        struct gm_layernorm k = {.rows = to - from,
                                 .n = n,
                                 .gamma = gw,
                                 .beta = bw,
                                 .eps = (float)eps,
                                 .drop = gm_ops_mask_from(l->drop, at)};
        g->kn->layernorm(&k, gm_ops_at(g, x->x, at),
                         residual ? gm_ops_at(g, residual->x, at) : NULL, gm_ops_at(g, (*y)->x, at),
                         l->xhat ? gm_ops_at(g, l->xhat, at) : NULL,
                         l->rstd ? l->rstd + from : NULL);
    }
    st = gm_graph_record(g, layernorm_back, l, *y, err);
done:
    return st;
}

/* ---- means of row ranges ---- */

struct mean_rows {
    struct gm_var *x, *y;
    const uint32_t *begin, *end;
    size_t n, chunks;
    float *buffer; /* two rows of f32 a chunk */
};

/* Words [from, to): forward. */
static void mean_rows(const struct gm_graph *g, const struct mean_rows *m, size_t from, size_t to,
                      float *row)
{
    size_t cols = m->x->cols;
    float *sum = row + cols;
    for (size_t i = from; i < to; i++) {
        float share = 1.0f / (float)(m->end[i] - m->begin[i]);
        memset(sum, 0, cols * sizeof *sum);
        for (size_t r = m->begin[i]; r < m->end[i]; r++) {
            g->kn->to_f32(cols, gm_ops_at(g, m->x->x, r * cols), row);
            for (size_t j = 0; j < cols; j++)
                sum[j] += row[j] * share;
        }
        g->kn->from_f32(cols, sum, gm_ops_at(g, m->y->x, i * cols));
    }
}

static enum gm_status mean_rows_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    struct mean_rows *m = ctx;
    size_t cols = m->x->cols;
    enum gm_status st = gm_graph_grad(g, m->x, err);
    if (st != GM_OK)
        return st;
    if (!m->x->has_d)
        memset(m->x->d, 0, m->x->rows * cols * gm_dtype_size(g->dtype));
    m->x->has_d = true;
    float *d = m->buffer, *sum = d + cols;
    for (size_t i = 0; i < m->n; i++) {
        float share = 1.0f / (float)(m->end[i] - m->begin[i]);
        g->kn->to_f32(cols, gm_ops_at(g, m->y->d, i * cols), d);
        for (size_t r = m->begin[i]; r < m->end[i]; r++) {
            g->kn->to_f32(cols, gm_ops_at(g, m->x->d, r * cols), sum);
            for (size_t j = 0; j < cols; j++)
                sum[j] += d[j] * share;
            g->kn->from_f32(cols, sum, gm_ops_at(g, m->x->d, r * cols));
        }
    }
    return GM_OK;
}

enum gm_status gm_op_mean_rows(struct gm_graph *g, struct gm_var *x, const uint32_t *begin,
                               const uint32_t *end, size_t n, struct gm_var **y,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t cols = x->cols, rows = gm_rows_bucket(n), chunks = gm_ops_chunks(n);
    void *ctx, *buffer;
    GM_TRY(gm_graph_var(g, y, rows, cols, err));
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof(struct mean_rows), err));
    GM_TRY(gm_graph_alloc(g, &buffer, chunks * 2 * cols, sizeof(float), err));
    struct mean_rows *m = ctx;
    *m = (struct mean_rows){x, *y, begin, end, n, chunks, buffer};
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < m->chunks; c++)
        mean_rows(g, m, n * c / m->chunks, n * (c + 1) / m->chunks, m->buffer + c * 2 * cols);
    memset(gm_ops_at(g, (*y)->x, n * cols), 0, (rows - n) * cols * gm_dtype_size(g->dtype));
    st = gm_graph_record(g, mean_rows_back, m, *y, err);
done:
    return st;
}
