/* lanes.c - a batch in parts, one a thread. In training the gradient of the batch is the sum of
 * the parts' gradients, each in its lane's own tables (added up in optim.c); in prediction parts
 * are independent. The weights are one copy that all lanes read: what they would write (packed
 * copies) is made before, in training for each batch, otherwise once. Reference: the same batch in one part, tests/unit/test_nn_lanes.c. */
#include "nn/lanes.h"

#include "base/alloc.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "nn/ops.h"

enum {
    MIN_ROWS = 128,    /* fewer rows a lane: products do not repay lanes */
    PREDICT_ROWS = 256 /* activations of more rows do not stay in a core's cache */
};
static const size_t MAX_COPIES = (size_t)256 << 20;

struct gm_lane {
    struct gm_params copy; /* unused where the lane's parameters are the model's own */
    struct gm_engine *engine;
    struct gm_graph graph;
    enum gm_status st; /* of the run under way */
    struct gm_error err;
};

/* Bytes of a lane's gradients, embeddings not counted. */
static size_t gradient_bytes(const struct gm_params *ps)
{
    size_t n = 0;
    for (size_t i = 0; i < ps->n; i++)
        n += ps->p[i].kind != GM_EMBEDDING && ps->p[i].g ? ps->p[i].n * sizeof(float) : 0;
    return n;
}

/* The values as they are now, with the lane's own gradients. */
static void share_values(struct gm_params *ps, const struct gm_params *of)
{
    for (size_t i = 0; i < of->n; i++) {
        struct gm_param *p = &ps->p[i], own = *p;
        *p = of->p[i];
        p->g = own.g;
        p->has_g = own.has_g;
        p->slot = own.slot;
        p->touched = own.touched;
        p->n_touched = own.n_touched;
        p->cap_touched = own.cap_touched;
    }
}

static enum gm_status copy_params(struct gm_params *ps, const struct gm_params *of,
                                  struct gm_error *err)
{
    *ps = *of;
    ps->p = gm_alloc(of->n, sizeof *ps->p);
    bool ok = ps->p != NULL;
    for (size_t i = 0; ok && i < of->n; i++) {
        const struct gm_param *from = &of->p[i];
        if (from->slot)
            ok = (ps->p[i].slot = gm_alloc(from->shape[0], sizeof *from->slot)) != NULL;
        else if (from->g)
            ok = (ps->p[i].g = gm_alloc_aligned(from->n, sizeof *from->g)) != NULL;
    }
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for gradients");
}

static void clear_copy(struct gm_params *ps)
{
    for (size_t i = 0; ps->p && i < ps->n; i++) {
        gm_free(ps->p[i].g);
        gm_free(ps->p[i].slot);
        gm_free(ps->p[i].touched);
    }
    gm_free(ps->p);
}

/* A matrix as products read it. */
static void pack_param(void *self, size_t thread, size_t i)
{
    const struct gm_lanes *l = self;
    struct gm_lane *lane = &l->items[thread];
    if (lane->st == GM_OK && l->params[0]->p[i].kind == GM_MATRIX)
        lane->st = gm_op_linear_pack(&lane->graph, &l->params[0]->p[i], &lane->err);
}

static enum gm_status result(const struct gm_lanes *l, struct gm_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].st != GM_OK) {
            if (err)
                *err = l->items[i].err;
            return l->items[i].st;
        }
    return GM_OK;
}

static enum gm_status pack_params(struct gm_lanes *l, struct gm_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        l->items[i].st = GM_OK;
    gm_parallel_tasks(l->params[0]->n, l->n, pack_param, l);
    return result(l, err);
}

enum gm_status gm_lanes_init(struct gm_lanes *l, struct gm_params *ps, size_t max_bytes,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_threads();
    *l = (struct gm_lanes){0};
    if (ps->training && (n - 1) * gradient_bytes(ps) > MAX_COPIES)
        n = 1;
    l->items = gm_alloc(n, sizeof *l->items);
    l->params = gm_alloc(n, sizeof *l->params);
    if (!l->items || !l->params)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (; l->n < n && st == GM_OK; l->n++) {
        struct gm_lane *lane = &l->items[l->n];
        l->params[l->n] = l->n && ps->training ? &lane->copy : ps;
        if (l->params[l->n] != ps)
            st = copy_params(&lane->copy, ps, err);
        if (st == GM_OK)
            st = gm_engine_new(&lane->engine, err);
        if (st == GM_OK)
            st = gm_graph_init(&lane->graph, lane->engine, l->params[l->n], max_bytes, err);
    }
    return st == GM_OK && !ps->training ? pack_params(l, err) : st;
}

void gm_lanes_clear(struct gm_lanes *l)
{
    for (size_t i = 0; i < l->n; i++) {
        gm_graph_clear(&l->items[i].graph);
        clear_copy(&l->items[i].copy);
        gm_engine_free(l->items[i].engine);
    }
    gm_free(l->items);
    gm_free(l->params);
    *l = (struct gm_lanes){0};
}

size_t gm_lanes_parts(const struct gm_lanes *l, size_t rows, bool training)
{
    if (rows < MIN_ROWS * l->n)
        return 1;
    return training ? l->n : (rows + l->n * PREDICT_ROWS - 1) / (l->n * PREDICT_ROWS) * l->n;
}

/* ---- a run ---- */

struct run {
    struct gm_lanes *l;
    gm_lane_fn *fn;
    void *ctx;
    size_t n;
    struct gm_limit limit; /* of the thread that waits for the parts */
};

static void run_part(void *self, size_t thread, size_t part)
{
    const struct run *r = self;
    struct gm_lane *lane = &r->l->items[r->n <= r->l->n ? part : thread];
    if (lane->st == GM_OK)
        lane->st = gm_limit_check(&r->limit, &lane->err);
    if (lane->st == GM_OK)
        lane->st = r->fn(r->ctx, &lane->graph, part, &lane->err);
}

enum gm_status gm_lanes_run(struct gm_lanes *l, size_t n, gm_lane_fn *fn, void *ctx,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct run r = {.l = l, .fn = fn, .ctx = ctx, .n = n, .limit = gm_limit_get()};
    if (l->params[0]->training && n > 1 && l->n > 1) { /* lanes do not write what they share */
        GM_TRY(pack_params(l, err));
        for (size_t i = 1; i < l->n; i++)
            share_values(l->params[i], l->params[0]);
    }
    for (size_t i = 0; i < l->n; i++)
        l->items[i].st = GM_OK;
    gm_parallel_tasks(n, l->n, run_part, &r);
    st = result(l, err);
done:
    return st;
}
