/* ops_conv.c - a convolution along each sequence, as a product with the windows of its rows:
 *
 *   u[i][c K + k] = x[i + k - K/2][c], 0 outside of the sequence       K the kernel's size, odd
 *   y = u W' + b;   d_W = d_y' u,   d_b = column sums of d_y,   d_u = d_y W,
 *   d_x[j][c] = sum over k of d_u[j - k + K/2][c K + k]
 *
 * for each group with its columns of u and y and its rows of W. All in f32: one model has one such layer. Gradients
 * against central differences: tests/unit/test_nn_ops.c; against transformers: tests/ref/encoder_reference.py. */
#include "nn/ops_internal.h"

struct conv {
    struct gm_var *x, *y;
    const uint32_t *offsets;
    size_t n_seqs, groups, weight, bias;
    float *u; /* [rows][columns of x * kernel] */
};

/* u from x [rows][columns], or what x gets from u, in the rows of sequences. */
static void windows(const struct conv *v, size_t kernel, float *x, float *u, bool back)
{
    size_t in = v->x->cols, half = kernel / 2;
#pragma omp parallel for schedule(dynamic)
    for (size_t s = 0; s < v->n_seqs; s++)
        for (size_t i = v->offsets[s]; i < v->offsets[s + 1]; i++)
            for (size_t k = 0; k < kernel; k++) {
                size_t j = i + k - half; /* below zero it wraps to beyond the end */
                if (j < v->offsets[s] || j >= v->offsets[s + 1])
                    continue;
                float *row = x + j * in, *at = u + i * in * kernel + k;
                for (size_t c = 0; c < in; c++)
                    if (back)
                        row[c] += at[c * kernel];
                    else
                        at[c * kernel] = row[c];
            }
}

/* Numbers of one step, not set; zeros: set to 0. */
static enum gm_status floats(struct gm_graph *g, float **out, size_t n, struct gm_error *err)
{
    void *p;
    enum gm_status st = gm_graph_alloc(g, &p, n, sizeof **out, err);
    *out = p;
    return st;
}

static enum gm_status zeros(struct gm_graph *g, float **out, size_t n, struct gm_error *err)
{
    enum gm_status st = floats(g, out, n, err);
    if (st == GM_OK)
        memset(*out, 0, n * sizeof **out);
    return st;
}

/* d_W of every group, and d_u. */
static enum gm_status products_back(struct gm_graph *g, const struct conv *v, const float *d_y,
                                    float *d_u, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_param *w = &g->params->p[v->weight];
    size_t rows = v->x->rows, cols = w->shape[1], out = w->shape[0] / v->groups;
    struct gm_matmul d_window = {.m = rows,
                                 .k = out,
                                 .n = cols,
                                 .a_row = v->y->cols,
                                 .dst_row = cols * v->groups,
                                 .b_layout = GM_B_ROWS};
    for (size_t k = 0; k < v->groups; k++) {
        const float *d = d_y + k * out;
        GM_TRY(gm_ops_weight_rows_grad(
            g, w, k * out, out, rows, (struct gm_ops_rows){d, v->y->cols},
            (struct gm_ops_rows){v->u + k * cols, cols * v->groups}, GM_F32, err));
        GM_TRY(gm_matmul_run(g->engine, &d_window, d, w->w + k * out * cols, NULL, d_u + k * cols,
                             err));
    }
    w->has_g = !w->frozen;
done:
    return st;
}

static enum gm_status conv_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct conv *v = ctx;
    struct gm_param *b = &g->params->p[v->bias];
    size_t rows = v->x->rows, in = v->x->cols, out = v->y->cols;
    size_t kernel = g->params->p[v->weight].kernel;
    float *d_y, *d_u, *d_x, *d_b;
    void *to;
    GM_TRY(floats(g, &d_y, rows * out, err));
    GM_TRY(floats(g, &d_u, rows * in * kernel, err));
    GM_TRY(zeros(g, &d_x, rows * in, err));
    GM_TRY(zeros(g, &d_b, out, err));
    g->kn->to_f32(rows * out, v->y->d, d_y);
    g->kn->column_sum(rows, out, v->y->d, out, d_b);
    gm_params_add_grad(b, d_b);
    GM_TRY(products_back(g, v, d_y, d_u, err));
    windows(v, kernel, d_x, d_u, true);
    GM_TRY(gm_ops_grad_into(g, v->x, &to, err));
    g->kn->from_f32(rows * in, d_x, to);
    gm_ops_grad_done(g, v->x, to);
done:
    return st;
}

enum gm_status gm_op_conv(struct gm_graph *g, struct gm_var *x, const uint32_t *offsets,
                          size_t n_seqs, size_t groups, size_t weight, size_t bias,
                          struct gm_var **y, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_param *w = &g->params->p[weight];
    size_t rows = x->rows, cols = w->shape[1], out = w->shape[0] / groups;
    float *xf, *yf;
    void *ctx;
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof(struct conv), err));
    struct conv *v = ctx;
    *v = (struct conv){.x = x,
                       .offsets = offsets,
                       .n_seqs = n_seqs,
                       .groups = groups,
                       .weight = weight,
                       .bias = bias};
    GM_TRY(gm_graph_var(g, &v->y, rows, w->shape[0], err));
    GM_TRY(floats(g, &xf, rows * x->cols, err));
    GM_TRY(floats(g, &yf, rows * w->shape[0], err));
    GM_TRY(zeros(g, &v->u, rows * cols * groups, err));
    g->kn->to_f32(rows * x->cols, x->x, xf);
    windows(v, w->kernel, xf, v->u, false);
    struct gm_matmul d = {.m = rows,
                          .k = cols,
                          .n = out,
                          .a_row = cols * groups,
                          .dst_row = w->shape[0],
                          .b_layout = GM_B_TRANSPOSED,
                          .has_bias = true};
    for (size_t k = 0; k < groups; k++)
        GM_TRY(gm_matmul_run(g->engine, &d, v->u + k * cols, w->w + k * out * cols,
                             g->params->p[bias].w + k * out, yf + k * out, err));
    g->kn->from_f32(rows * w->shape[0], yf, v->y->x);
    *y = v->y;
    st = gm_graph_record(g, conv_back, v, v->y, err);
done:
    return st;
}
