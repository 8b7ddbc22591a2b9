/* ops_elements.c - operations element by element, and their gradients, on [rows][cols]:
 *
 *   activate    y = f(x);                                    d_x = d_y f'(x)
 *   gated       y = f(a) b, rows of x being [a b];           d_a = d_y b f'(a), d_b = d_y f(a)
 *   dropout     y = x m / (1 - p), m 0 with probability p;   d_x = d_y m / (1 - p)
 *   add         y = dropout(x) + r;                          d_x as above, d_r = d_y
 *   rotate      (x_i, x_j) = (x_i cos - x_j sin, x_j cos + x_i sin), j = i + d/2, the angle
 *               position * theta^(-2i/d);                    d_x turned back by it
 *
 * The inner loops, with f and its sources, are in kernels/; here rows are dealt to the threads.
 * Gradients against central differences: tests/unit/test_nn_ops.c. */
#include "nn/ops_internal.h"

#include <math.h>

struct element {
    struct gm_var *x, *residual, *y;
    enum gm_activation f;
    struct gm_dropout drop;
};

static enum gm_status element_new(struct gm_graph *g, struct gm_var *x, size_t cols,
                                  struct element **out, struct gm_error *err)
{
    void *ctx;
    enum gm_status st = gm_graph_alloc(g, &ctx, 1, sizeof **out, err);
    if (st != GM_OK)
        return st;
    *out = ctx;
    **out = (struct element){.x = x};
    return gm_graph_var(g, &(*out)->y, x->rows, cols, err);
}

/* ---- activations ---- */

static enum gm_status activate_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    struct element *u = ctx;
    void *d_x, *d_y = u->y->d;
    if (!u->x->d) { /* in place */
        u->x->d = d_y;
        u->y->d = NULL;
    }
    enum gm_status st = gm_ops_grad_into(g, u->x, &d_x, err);
    if (st != GM_OK)
        return st;
    size_t rows = u->x->rows, chunks = gm_ops_chunks(rows), n = u->x->cols;
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < chunks; c++) {
        size_t at = rows * c / chunks * n, len = rows * (c + 1) / chunks * n - at;
        g->kn->activate_back(u->f, len, gm_ops_at(g, u->x->x, at), gm_ops_at(g, d_y, at),
                             gm_ops_at(g, d_x, at));
    }
    gm_ops_grad_done(g, u->x, d_x);
    return GM_OK;
}

enum gm_status gm_op_activate(struct gm_graph *g, struct gm_var *x, enum gm_activation f,
                              struct gm_var **y, struct gm_error *err)
{
    struct element *u;
    enum gm_status st = element_new(g, x, x->cols, &u, err);
    if (st != GM_OK)
        return st;
    size_t rows = x->rows, chunks = gm_ops_chunks(rows), n = x->cols;
    u->f = f;
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < chunks; c++) {
        size_t at = rows * c / chunks * n, len = rows * (c + 1) / chunks * n - at;
        g->kn->activate(f, len, gm_ops_at(g, x->x, at), gm_ops_at(g, u->y->x, at));
    }
    *y = u->y;
    return gm_graph_record(g, activate_back, u, u->y, err);
}

static enum gm_status gated_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    struct element *u = ctx;
    void *d_x;
    enum gm_status st = gm_ops_grad_into(g, u->x, &d_x, err);
    if (st != GM_OK)
        return st;
    size_t rows = u->x->rows, n = u->y->cols;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        g->kn->gated_back(u->f, n, gm_ops_at(g, u->x->x, 2 * r * n),
                          gm_ops_at(g, u->x->x, (2 * r + 1) * n), gm_ops_at(g, u->y->d, r * n),
                          gm_ops_at(g, d_x, 2 * r * n), gm_ops_at(g, d_x, (2 * r + 1) * n));
    gm_ops_grad_done(g, u->x, d_x);
    return GM_OK;
}

enum gm_status gm_op_gated(struct gm_graph *g, struct gm_var *x, enum gm_activation f,
                           struct gm_var **y, struct gm_error *err)
{
    struct element *u;
    enum gm_status st = element_new(g, x, x->cols / 2, &u, err);
    if (st != GM_OK)
        return st;
    size_t n = u->y->cols;
    u->f = f;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < x->rows; r++)
        g->kn->gated(f, n, gm_ops_at(g, x->x, 2 * r * n), gm_ops_at(g, x->x, (2 * r + 1) * n),
                     gm_ops_at(g, u->y->x, r * n));
    *y = u->y;
    return gm_graph_record(g, gated_back, u, u->y, err);
}

/* ---- dropout and sums ---- */

static enum gm_status dropout_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    struct element *u = ctx;
    enum gm_status st = gm_graph_grad(g, u->x, err);
    if (st != GM_OK)
        return st;
    gm_ops_dropout(g, u->x, u->y->d, &u->drop, u->x->d, u->x->has_d);
    u->x->has_d = true;
    return GM_OK;
}

enum gm_status gm_op_dropout(struct gm_graph *g, struct gm_var *x, double p, struct gm_var **y,
                             struct gm_error *err)
{
    struct element *u;
    if (!g->training || p <= 0) {
        *y = x;
        return GM_OK;
    }
    enum gm_status st = element_new(g, x, x->cols, &u, err);
    if (st != GM_OK)
        return st;
    u->drop = gm_graph_dropout(g, p);
    gm_ops_dropout(g, x, x->x, &u->drop, u->y->x, false);
    *y = u->y;
    return gm_graph_record(g, dropout_back, u, u->y, err);
}

static enum gm_status add_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    const struct gm_dropout none = {.scale = 1.0f};
    struct element *u = ctx;
    enum gm_status st = gm_graph_grad(g, u->residual, err);
    if (st != GM_OK)
        return st;
    gm_ops_dropout(g, u->residual, u->y->d, &none, u->residual->d, u->residual->has_d);
    u->residual->has_d = true;
    return dropout_back(g, ctx, err);
}

enum gm_status gm_op_add(struct gm_graph *g, struct gm_var *x, struct gm_var *residual,
                         double drop_p, struct gm_var **y, struct gm_error *err)
{
    const struct gm_dropout none = {.scale = 1.0f};
    struct element *u;
    enum gm_status st = element_new(g, x, x->cols, &u, err);
    if (st != GM_OK)
        return st;
    u->residual = residual;
    u->drop = gm_graph_dropout(g, drop_p);
    gm_ops_dropout(g, x, x->x, &u->drop, u->y->x, false);
    gm_ops_dropout(g, x, residual->x, &none, u->y->x, true);
    *y = u->y;
    return gm_graph_record(g, add_back, u, u->y, err);
}

/* ---- rotary embeddings ---- */

struct rotation {
    struct gm_var *qkv;
    const uint32_t *offsets;
    size_t n_seqs, heads;
    const struct gm_angles *angles;
};

enum gm_status gm_op_angles(struct gm_graph *g, size_t n, size_t half, double theta,
                            struct gm_angles **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    void *x, *cosine, *sine;
    GM_TRY(gm_graph_alloc(g, &x, 1, sizeof **out, err));
    GM_TRY(gm_graph_alloc(g, &cosine, n * half, sizeof(float), err));
    GM_TRY(gm_graph_alloc(g, &sine, n * half, sizeof(float), err));
    *out = x;
    **out = (struct gm_angles){n, half, cosine, sine};
    for (size_t i = 0; i < half; i++) {
        float rate = (float)pow(theta, -(double)i / (double)half);
        for (size_t t = 0; t < n; t++) {
            float angle = (float)t * rate;
            (*out)->cosine[t * half + i] = cosf(angle);
            (*out)->sine[t * half + i] = sinf(angle);
        }
    }
done:
    return st;
}

/* Turns q and k of all rows of x; with sines of the other sign, back. */
static void rotate_all(const struct gm_graph *g, const struct rotation *r, void *x,
                       const float *sine)
{
    size_t width = r->qkv->cols / 3, dim = width / r->heads, half = dim / 2;
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t s = 0; s < r->n_seqs; s++)
        for (size_t row = r->offsets[s], t = 0; row < r->offsets[s + 1]; row++, t++)
            for (size_t k = 0; k < 2; k++)
                g->kn->rotate(r->heads, dim, r->angles->cosine + t * half, sine + t * half,
                              gm_ops_at(g, x, (3 * row + k) * width));
}

static enum gm_status rotate_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    const struct rotation *r = ctx;
    size_t n = r->angles->n * r->angles->half;
    void *back_;
    enum gm_status st = gm_graph_alloc(g, &back_, n, sizeof(float), err);
    if (st != GM_OK)
        return st;
    float *back = back_;
    for (size_t i = 0; i < n; i++)
        back[i] = -r->angles->sine[i];
    rotate_all(g, r, r->qkv->d, back);
    return GM_OK;
}

enum gm_status gm_op_rotate(struct gm_graph *g, struct gm_var *qkv, const uint32_t *offsets,
                            size_t n_seqs, size_t heads, const struct gm_angles *angles,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    void *ctx;
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof(struct rotation), err));
    struct rotation *r = ctx;
    *r = (struct rotation){qkv, offsets, n_seqs, heads, angles};
    rotate_all(g, r, qkv->x, angles->sine);
    st = gm_graph_record(g, rotate_back, r, NULL, err);
done:
    return st;
}
