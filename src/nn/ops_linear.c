/* ops_linear.c - linear layers on x [rows][in] with W [out][in] and b [out]:
 *
 *   y = x W' + b;   d_x = d_y W,   d_W = d_y' x,   d_b = column sums of d_y
 *
 * In int8: x[i] ~ qx[i] sx[i] and W[j] ~ qw[j] sw[j] with a scale a row (int8.c), and y[i][j] =
 * (qx[i] . qw[j]) sx[i] sw[j] + b[j], the dot product exact in int32. The head is the same in
 * f32, whatever the graph's type is, on the first n rows. Naive references: products in
 * tests/unit/test_nn_engine.c; gradients against central differences in
 * tests/unit/test_nn_ops.c. */
#include "nn/ops_internal.h"

enum {
    INT8_ROWS = 256 /* rows whose int32 sums stay in a core's cache until they are scaled */
};

struct linear {
    struct gm_var *x, *y;
    size_t weight, bias;
};

static enum gm_status bias_back(struct gm_graph *g, const struct gm_var *y, struct gm_param *b,
                                struct gm_error *err)
{
    enum { BLOCK = 64 };
    void *sum_;
    size_t n = y->cols, blocks = (n + BLOCK - 1) / BLOCK;
    if (b->frozen)
        return GM_OK;
    enum gm_status st = gm_graph_alloc(g, &sum_, n, sizeof(float), err);
    if (st != GM_OK)
        return st;
    float *sum = sum_;
    memset(sum, 0, n * sizeof *sum);
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < blocks; c++) {
        size_t at = c * BLOCK, len = n - at < BLOCK ? n - at : BLOCK;
        g->kn->column_sum(y->rows, len, gm_ops_at(g, y->d, at), n, sum + at);
    }
    gm_params_add_grad(b, sum);
    return GM_OK;
}

static enum gm_status linear_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct linear *l = ctx;
    struct gm_param *w = &g->params->p[l->weight];
    size_t rows = l->x->rows, in = l->x->cols, out = l->y->cols;
    GM_TRY(gm_ops_weight_grad(g, w, rows, (struct gm_ops_rows){l->y->d, 0},
                              (struct gm_ops_rows){l->x->x, 0}, g->dtype, err));
    GM_TRY(bias_back(g, l->y, &g->params->p[l->bias], err));
    GM_TRY(gm_graph_grad(g, l->x, err));
    struct gm_matmul d = {.m = rows,
                          .k = out,
                          .n = in,
                          .dtype = g->dtype,
                          .dst_dtype = g->dtype,
                          .b_layout = w->frozen ? GM_B_PACKED : GM_B_ROWS,
                          .accumulate = l->x->has_d};
    if (w->frozen) /* once and for all, unlike one that changes with each step */
        GM_TRY(gm_op_linear_pack(g, w, err));
    GM_TRY(gm_matmul_run(g->engine, &d, l->y->d,
                         w->frozen ? (const void *)w->packed_back : gm_param_matrix(w, g->dtype),
                         NULL, l->x->d, err));
    l->x->has_d = true;
done:
    return st;
}

/* Rows [from, from + n) of y = x W' + b in int8: to int8, product, and back. */
static enum gm_status linear_int8_rows(struct gm_graph *g, const struct gm_var *x,
                                       const struct gm_param *w, const float *bias, bool gelu,
                                       size_t from, size_t n, struct gm_var *y,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t in = x->cols, out = y->cols, chunks = gm_ops_chunks(n);
    void *q, *scale_, *sum;
    GM_TRY(gm_graph_alloc(g, &q, n * in, 1, err));
    GM_TRY(gm_graph_alloc(g, &scale_, n, sizeof(float), err));
    GM_TRY(gm_graph_alloc(g, &sum, n * out, sizeof(int32_t), err));
    float *scale = scale_;
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < chunks; c++) {
        size_t at = n * c / chunks, len = n * (c + 1) / chunks - at;
        g->kn->quantise(len, in, gm_ops_at(g, x->x, (from + at) * in), (int8_t *)q + at * in,
                        scale + at);
    }
    struct gm_matmul d = {
        .m = n, .k = in, .n = out, .dtype = GM_I8, .dst_dtype = GM_I32, .b_layout = GM_B_PACKED};
    GM_TRY(gm_matmul_run(g->engine, &d, q, w->packed, NULL, sum, err));
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < chunks; c++) {
        size_t at = n * c / chunks, len = n * (c + 1) / chunks - at;
        struct gm_dequantise back = {.rows = len,
                                     .n = out,
                                     .row = scale + at,
                                     .col = gm_packed_scale(w->packed),
                                     .bias = bias,
                                     .gelu = gelu};
        g->kn->dequantise(&back, (int32_t *)sum + at * out, gm_ops_at(g, y->x, (from + at) * out));
    }
done:
    return st;
}

static enum gm_status linear_int8(struct gm_graph *g, const struct gm_var *x, struct gm_param *w,
                                  const float *bias, bool gelu, struct gm_var *y,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_op_linear_pack(g, w, err));
    for (size_t from = 0; from < x->rows; from += INT8_ROWS) {
        size_t n = x->rows - from < INT8_ROWS ? x->rows - from : INT8_ROWS;
        struct gm_workspace_mark mark = gm_workspace_mark(g->ws);
        GM_TRY(linear_int8_rows(g, x, w, bias, gelu, from, n, y, err));
        gm_workspace_rewind(g->ws, mark);
    }
done:
    return st;
}

static enum gm_status linear(struct gm_graph *g, struct gm_var *x, size_t weight, size_t bias,
                             bool gelu, struct gm_var **y, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_param *w = &g->params->p[weight];
    void *ctx;
    const void *b;
    GM_TRY(gm_graph_var(g, y, x->rows, w->shape[0], err));
    if (g->params->int8)
        return linear_int8(g, x, w, g->params->p[bias].w, gelu, *y, err);
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof(struct linear), err));
    struct linear *l = ctx;
    *l = (struct linear){x, *y, weight, bias};
    struct gm_matmul d = {.m = x->rows,
                          .k = x->cols,
                          .n = w->shape[0],
                          .dtype = g->dtype,
                          .dst_dtype = g->dtype,
                          .has_bias = true,
                          .gelu = gelu};
    GM_TRY(gm_ops_operand(g, w, x->rows, &d, &b, err));
    GM_TRY(gm_matmul_run(g->engine, &d, x->x, b, g->params->p[bias].w, (*y)->x, err));
    GM_TRY(gm_graph_record(g, linear_back, l, *y, err));
    if (w->lora)
        st = gm_ops_lora(g, w->lora, x, *y, err);
done:
    return st;
}

enum gm_status gm_op_linear(struct gm_graph *g, struct gm_var *x, size_t weight, size_t bias,
                            struct gm_var **y, struct gm_error *err)
{
    return linear(g, x, weight, bias, false, y, err);
}

enum gm_status gm_op_linear_activate(struct gm_graph *g, struct gm_var *x, size_t weight,
                                     size_t bias, enum gm_activation f, struct gm_var **y,
                                     struct gm_error *err)
{
    if (!g->training && f == GM_GELU && !g->params->p[weight].lora)
        return linear(g, x, weight, bias, true, y, err);
    enum gm_status st = linear(g, x, weight, bias, false, y, err);
    return st == GM_OK ? gm_op_activate(g, *y, f, y, err) : st;
}

/* ---- the last layer, in f32 ---- */

struct head {
    struct gm_var *x;
    size_t n, rows, weight, bias;
    float *xf;    /* [rows, in] */
    float *d_out; /* [rows, out] */
};

static enum gm_status head_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct head *h = ctx;
    struct gm_param *w = &g->params->p[h->weight], *b = &g->params->p[h->bias];
    size_t in = w->shape[1], out = w->shape[0];
    void *dx, *d_x;
    GM_TRY(gm_ops_weight_grad(g, w, h->rows, (struct gm_ops_rows){h->d_out, 0},
                              (struct gm_ops_rows){h->xf, 0}, GM_F32, err));
    for (size_t i = 0; i < h->n; i++)
        gm_params_add_grad(b, h->d_out + i * out);
    GM_TRY(gm_graph_alloc(g, &dx, h->rows * in, sizeof(float), err));
    struct gm_matmul d = {.m = h->rows,
                          .k = out,
                          .n = in,
                          .dtype = GM_F32,
                          .dst_dtype = GM_F32,
                          .b_layout = GM_B_ROWS};
    GM_TRY(gm_matmul_run(g->engine, &d, h->d_out, w->w, NULL, dx, err));
    GM_TRY(gm_ops_grad_into(g, h->x, &d_x, err));
    g->kn->from_f32(h->x->rows * in, dx, d_x);
    gm_ops_grad_done(g, h->x, d_x);
done:
    return st;
}

enum gm_status gm_op_head(struct gm_graph *g, struct gm_var *x, size_t n, size_t weight,
                          size_t bias, float **out, float **d_out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_param *w = &g->params->p[weight];
    size_t in = x->cols, k = w->shape[0], rows = x->rows;
    void *ctx, *xf, *y, *dy = NULL;
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof(struct head), err));
    GM_TRY(gm_graph_alloc(g, &xf, rows * in, sizeof(float), err));
    GM_TRY(gm_graph_alloc(g, &y, rows * k, sizeof(float), err));
    if (g->training) {
        GM_TRY(gm_graph_alloc(g, &dy, rows * k, sizeof(float), err));
        memset(dy, 0, rows * k * sizeof(float));
    }
    g->kn->to_f32(rows * in, x->x, xf);
    struct head *h = ctx;
    *h = (struct head){
        .x = x, .n = n, .rows = rows, .weight = weight, .bias = bias, .xf = xf, .d_out = dy};
    struct gm_matmul d = {.m = rows,
                          .k = in,
                          .n = k,
                          .dtype = GM_F32,
                          .dst_dtype = GM_F32,
                          .b_layout = GM_B_TRANSPOSED,
                          .has_bias = true};
    GM_TRY(gm_matmul_run(g->engine, &d, xf, w->w, g->params->p[bias].w, y, err));
    *out = y;
    *d_out = dy;
    st = gm_graph_record(g, head_back, h, NULL, err);
done:
    return st;
}
