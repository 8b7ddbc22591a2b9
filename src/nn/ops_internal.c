/* ops_internal.c - what the files of operations share: rows dealt to threads, gradients with several writers, a weight's gradient
 * d_W = d_y' x, and y (+)= x m / (1 - p), the mask m being made again from its seed wherever it is needed. */
#include "nn/ops_internal.h"

#include "base/parallel.h"

struct gm_dropout gm_ops_mask_from(struct gm_dropout d, size_t at)
{
    d.seed += (uint32_t)at;
    return d;
}

void gm_ops_dropout(const struct gm_graph *g, const struct gm_var *v, const void *x,
                    const struct gm_dropout *drop, void *y, bool add)
{
    size_t chunks = gm_ops_chunks(v->rows);
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < chunks; c++) {
        size_t at = v->rows * c / chunks * v->cols, end = v->rows * (c + 1) / chunks * v->cols;
        struct gm_dropout d = gm_ops_mask_from(*drop, at);
        g->kn->dropout(end - at, gm_ops_at(g, x, at), &d, gm_ops_at(g, y, at), add);
    }
}

size_t gm_ops_chunks(size_t rows)
{
    size_t n = gm_threads();
    return rows / 16 < n ? (rows / 16 ? rows / 16 : 1) : n;
}

void *gm_ops_at(const struct gm_graph *g, const void *p, size_t element)
{
    return (char *)(uintptr_t)p + element * gm_dtype_size(g->dtype);
}

enum gm_status gm_ops_grad_into(struct gm_graph *g, struct gm_var *v, void **to,
                                struct gm_error *err)
{
    enum gm_status st = gm_graph_grad(g, v, err);
    *to = v->d;
    if (st != GM_OK || !v->has_d)
        return st;
    return gm_graph_alloc(g, to, v->rows * v->cols, gm_dtype_size(g->dtype), err);
}

void gm_ops_grad_done(const struct gm_graph *g, struct gm_var *v, const void *to)
{
    const struct gm_dropout none = {.scale = 1.0f};
    if (to != v->d)
        gm_ops_dropout(g, v, to, &none, v->d, true);
    v->has_d = true;
}

size_t gm_longest_sequence(const uint32_t *offsets, size_t n_seqs)
{
    size_t most = 0;
    for (size_t s = 0; s < n_seqs; s++)
        if (offsets[s + 1] - offsets[s] > most)
            most = offsets[s + 1] - offsets[s];
    return most;
}

enum gm_status gm_ops_weight_rows_grad(struct gm_graph *g, struct gm_param *w, size_t first,
                                       size_t n, size_t rows, struct gm_ops_rows d_y,
                                       struct gm_ops_rows x, enum gm_dtype dtype,
                                       struct gm_error *err)
{
    struct gm_matmul d = {.m = n,
                          .k = rows,
                          .n = w->shape[1],
                          .a_row = d_y.stride,
                          .b_row = x.stride,
                          .dtype = dtype,
                          .dst_dtype = GM_F32,
                          .a_trans = true,
                          .b_layout = GM_B_ROWS,
                          .accumulate = w->has_g};
    if (w->frozen)
        return GM_OK;
    return gm_matmul_run(g->engine, &d, d_y.at, x.at, NULL, w->g + first * w->shape[1], err);
}

enum gm_status gm_ops_weight_grad(struct gm_graph *g, struct gm_param *w, size_t rows,
                                  struct gm_ops_rows d_y, struct gm_ops_rows x, enum gm_dtype dtype,
                                  struct gm_error *err)
{
    enum gm_status st = gm_ops_weight_rows_grad(g, w, 0, w->shape[0], rows, d_y, x, dtype, err);
    if (st == GM_OK && !w->frozen)
        w->has_g = true;
    return st;
}
