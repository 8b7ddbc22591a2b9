/* graph.c - reverse-mode differentiation. Operations that run in training are put on a tape, a
 * list with the last one first; backward walks it and each adds its share to the gradients d of
 * its inputs:
 *
 *   d_x += (dy/dx)' d_y
 *
 * A gradient's memory goes back to a list of spares as soon as the operation that made the
 * variable has used it, so that a step holds few at once. Shapes and dtype: graph.h. Naive
 * reference: central differences through the whole tape, tests/unit/test_nn_ops.c. */
#include "nn/graph.h"

#include "base/host.h"
#include "base/rng.h"

struct gm_node {
    struct gm_node *prev;
    enum gm_status (*back)(struct gm_graph *g, void *ctx, struct gm_error *err);
    void *ctx;
    struct gm_var *y;
};

/* At the start of memory that is free again. */
struct gm_spare {
    struct gm_spare *next;
    size_t bytes;
};

enum gm_status gm_graph_init(struct gm_graph *g, struct gm_engine *e, struct gm_params *ps,
                             size_t max_bytes, struct gm_error *err)
{
    *g = (struct gm_graph){
        .engine = e, .params = ps, .kn = gm_kernels(ps->dtype), .dtype = ps->dtype};
    return gm_workspace_new(&g->ws, max_bytes, err);
}

void gm_graph_clear(struct gm_graph *g)
{
    gm_workspace_free(g->ws);
    *g = (struct gm_graph){0};
}

void gm_graph_begin(struct gm_graph *g, bool training, uint64_t seed)
{
    gm_workspace_rewind(g->ws, (struct gm_workspace_mark){0, 0});
    g->training = training;
    g->seed = seed;
    g->last = NULL;
    g->spare = NULL;
}

enum gm_status gm_graph_alloc(struct gm_graph *g, void **out, size_t n, size_t size,
                              struct gm_error *err)
{
    *out = gm_workspace_alloc(g->ws, n, size);
    if (*out)
        return GM_OK;
    return GM_FAIL(err, GM_ENOMEM, "out of memory for activations (%zu bytes held)%s%s",
                   gm_workspace_bytes(g->ws), g->training ? "; use a smaller " : "",
                   g->training ? gm_option("--batch-tokens") : "");
}

enum gm_status gm_graph_var(struct gm_graph *g, struct gm_var **out, size_t rows, size_t cols,
                            struct gm_error *err)
{
    void *p;
    enum gm_status st = gm_graph_alloc(g, &p, 1, sizeof **out, err);
    if (st != GM_OK)
        return st;
    *out = p;
    **out = (struct gm_var){.rows = rows, .cols = cols};
    return gm_graph_alloc(g, &(*out)->x, rows * cols, gm_dtype_size(g->dtype), err);
}

static size_t grad_bytes(const struct gm_graph *g, const struct gm_var *v)
{
    return v->rows * v->cols * gm_dtype_size(g->dtype);
}

enum gm_status gm_graph_grad(struct gm_graph *g, struct gm_var *v, struct gm_error *err)
{
    if (v->d)
        return GM_OK;
    for (struct gm_spare **s = &g->spare; *s; s = &(*s)->next)
        if ((*s)->bytes == grad_bytes(g, v)) {
            v->d = *s;
            *s = (*s)->next;
            return GM_OK;
        }
    return gm_graph_alloc(g, &v->d, v->rows * v->cols, gm_dtype_size(g->dtype), err);
}

static void forget_grad(struct gm_graph *g, struct gm_var *v)
{
    if (!v || !v->d)
        return;
    struct gm_spare *s = v->d;
    *s = (struct gm_spare){g->spare, grad_bytes(g, v)};
    g->spare = s;
    v->d = NULL;
    v->has_d = false;
}

enum gm_status gm_graph_record(struct gm_graph *g,
                               enum gm_status (*back)(struct gm_graph *g, void *ctx,
                                                      struct gm_error *err),
                               void *ctx, struct gm_var *y, struct gm_error *err)
{
    void *p;
    if (!g->training)
        return GM_OK;
    enum gm_status st = gm_graph_alloc(g, &p, 1, sizeof *g->last, err);
    if (st != GM_OK)
        return st;
    struct gm_node *node = p;
    *node = (struct gm_node){g->last, back, ctx, y};
    g->last = node;
    return GM_OK;
}

enum gm_status gm_graph_backward(struct gm_graph *g, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (struct gm_node *n = g->last; n && st == GM_OK; n = n->prev) {
        st = n->back(g, n->ctx, err);
        forget_grad(g, n->y);
    }
    g->last = NULL;
    return st;
}

struct gm_dropout gm_graph_dropout(struct gm_graph *g, double p)
{
    if (!g->training || p <= 0)
        return (struct gm_dropout){.scale = 1.0f};
    g->seed = gm_hash64(g->seed);
    return (struct gm_dropout){.seed = (uint32_t)(g->seed >> 32),
                               .threshold = (uint32_t)(p * 4294967296.0),
                               .scale = (float)(1.0 / (1.0 - p))};
}
