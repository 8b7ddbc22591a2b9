/* ops_pack.c - the matrices of linear layers in the layouts that products read. Tests: tests/unit/test_nn_ops.c,
 * test_nn_lanes.c. */
#include "nn/ops_internal.h"

enum { PACK_FROM_ROWS = 64 }; /* fewer rows do not repay packing the weights */

/* Into the layouts of both products that W is in: x W', and d_y W where W stays as it is. */
static enum gm_status pack(struct gm_graph *g, struct gm_param *w, const void *values,
                           struct gm_error *err)
{
    size_t out = w->shape[0], in = w->shape[1];
    enum gm_status st = gm_pack(g->engine, &w->packed, values, g->dtype, in, out, true, err);
    if (st == GM_OK && g->params->training && w->frozen)
        st = gm_pack(g->engine, &w->packed_back, values, g->dtype, out, in, false, err);
    return st;
}

/* Packs a matrix that is stored in another type: its values are there for this moment only. */
static enum gm_status pack_values(struct gm_graph *g, struct gm_param *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_workspace_mark mark = gm_workspace_mark(g->ws);
    void *x;
    GM_TRY(gm_graph_alloc(g, &x, w->n, sizeof(float), err));
    gm_param_values(w, x);
    g->kn->from_f32(w->n, x, x); /* in place: what is written trails what is still to read */
    st = pack(g, w, x, err);
    gm_workspace_rewind(g->ws, mark);
done:
    return st;
}

enum gm_status gm_op_linear_pack(struct gm_graph *g, struct gm_param *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tensor view = gm_param_view(w);
    const void *plain = gm_param_matrix(w, g->dtype);
    if (!w->packed_stale)
        return GM_OK;
    if (g->params->int8)
        st = gm_pack_int8(g->engine, &w->packed, &view, view.dtype == GM_I8 ? w->scale : NULL, err);
    else
        st = plain ? pack(g, w, plain, err) : pack_values(g, w, err);
    w->packed_stale = st != GM_OK;
    if (st == GM_OK && w->stored.data) /* the packed form is what is read from now on */
        gm_safetensors_release(&w->stored);
    return st;
}

enum gm_status gm_ops_operand(struct gm_graph *g, struct gm_param *w, size_t rows,
                              struct gm_matmul *d, const void **b, struct gm_error *err)
{
    const void *plain = gm_param_matrix(w, g->dtype);
    if (g->training && plain && rows < PACK_FROM_ROWS) {
        d->b_layout = GM_B_TRANSPOSED;
        *b = plain;
        return GM_OK;
    }
    d->b_layout = GM_B_PACKED;
    enum gm_status st = gm_op_linear_pack(g, w, err);
    *b = w->packed;
    return st;
}
