/* ops_lora.c - adapters of a linear layer with weight W [out][in], on x [rows][in]. Of each of its parts (rows of
 * W: query, key, value) with A [r][in] and B [part][r]:
 *
 *   t = s x A',   y[:, part] += t B'
 *   u = s d_y[:, part] B,   d_B = d_y[:, part]' t,   d_A = u' x,   d_x += u A
 *
 * where u, the gradient of x A', lies in the place of t's. With dropout x is dropout(x), an operation of its own.
 * The parts' A are one matrix [n r][in], as they read the same x. Gradients against central differences:
 * tests/unit/test_nn_ops.c; against peft: tests/ref/lora_reference.py. */
#include "nn/ops_internal.h"

#include "nn/lora.h"

struct lora_op {
    const struct gm_lora *l;
    struct gm_var *x, *y, *t;
};

/* d_t of part k, and d_B. */
static enum gm_status part_back(struct gm_graph *g, const struct lora_op *op, size_t k,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_lora *l = op->l;
    struct gm_param *b = &g->params->p[l->part[k].b];
    const void *d_y = gm_ops_at(g, op->y->d, l->part[k].at);
    struct gm_matmul d_t = {.m = op->x->rows,
                            .k = b->shape[0],
                            .n = l->rank,
                            .a_row = op->y->cols,
                            .dst_row = op->t->cols,
                            .scale = l->scale,
                            .dtype = g->dtype,
                            .dst_dtype = g->dtype,
                            .b_layout = GM_B_ROWS};
    const struct gm_ops_rows t = {gm_ops_at(g, op->t->x, k * l->rank), op->t->cols};
    GM_TRY(gm_matmul_run(g->engine, &d_t, d_y, gm_param_matrix(b, g->dtype), NULL,
                         gm_ops_at(g, op->t->d, k * l->rank), err));
    st = gm_ops_weight_grad(g, b, op->x->rows, (struct gm_ops_rows){d_y, op->y->cols}, t, g->dtype,
                            err);
done:
    return st;
}

static enum gm_status lora_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct lora_op *op = ctx;
    struct gm_param *a = &g->params->p[op->l->a];
    size_t rows = op->x->rows, in = op->x->cols, all = op->t->cols;
    GM_TRY(gm_graph_grad(g, op->t, err));
    for (size_t k = 0; k < op->l->n; k++)
        GM_TRY(part_back(g, op, k, err));
    GM_TRY(gm_ops_weight_grad(g, a, rows, (struct gm_ops_rows){op->t->d, 0},
                              (struct gm_ops_rows){op->x->x, 0}, g->dtype, err));
    GM_TRY(gm_graph_grad(g, op->x, err));
    struct gm_matmul d_x = {.m = rows,
                            .k = all,
                            .n = in,
                            .dtype = g->dtype,
                            .dst_dtype = g->dtype,
                            .b_layout = GM_B_ROWS,
                            .accumulate = op->x->has_d};
    GM_TRY(gm_matmul_run(g->engine, &d_x, op->t->d, gm_param_matrix(a, g->dtype), NULL, op->x->d,
                         err));
    op->x->has_d = true;
done:
    return st;
}

enum gm_status gm_ops_lora(struct gm_graph *g, const struct gm_lora *l, struct gm_var *x,
                           struct gm_var *y, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    void *ctx;
    const void *b;
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof(struct lora_op), err));
    struct lora_op *op = ctx;
    *op = (struct lora_op){.l = l, .y = y};
    GM_TRY(gm_op_dropout(g, x, l->dropout, &op->x, err));
    GM_TRY(gm_graph_var(g, &op->t, x->rows, l->n * l->rank, err));
    struct gm_matmul down = {.m = x->rows,
                             .k = x->cols,
                             .n = op->t->cols,
                             .scale = l->scale,
                             .dtype = g->dtype,
                             .dst_dtype = g->dtype};
    GM_TRY(gm_ops_operand(g, &g->params->p[l->a], x->rows, &down, &b, err));
    GM_TRY(gm_matmul_run(g->engine, &down, op->x->x, b, NULL, op->t->x, err));
    for (size_t k = 0; k < l->n; k++) {
        struct gm_param *p = &g->params->p[l->part[k].b];
        /* Not packed: oneDNN has no fast product of a packed operand with rows that lie apart. */
        struct gm_matmul up = {.m = x->rows,
                               .k = l->rank,
                               .n = p->shape[0],
                               .a_row = op->t->cols,
                               .dst_row = y->cols,
                               .dtype = g->dtype,
                               .dst_dtype = g->dtype,
                               .b_layout = GM_B_TRANSPOSED,
                               .accumulate = true};
        GM_TRY(gm_matmul_run(g->engine, &up, gm_ops_at(g, op->t->x, k * l->rank),
                             gm_param_matrix(p, g->dtype), NULL, gm_ops_at(g, y->x, l->part[k].at),
                             err));
    }
    st = gm_graph_record(g, lora_back, op, op->t, err);
done:
    return st;
}
