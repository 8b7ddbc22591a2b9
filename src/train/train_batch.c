/* train_batch.c - a batch through the model and back: its examples are dealt to parts of about
 * equal cost, the longest first, each to the part that has the least so far (Graham 1969), one
 * part a lane. The batch's loss is the sum of the parts', in their order; `share` is each
 * example's weight, so that the sum is a mean. Tests: tests/unit/test_nn_lanes.c (parts add up),
 * tests/e2e/test_training.py. */
#include "train/trainer.h"

#include <stdlib.h>

struct batch {
    const struct gm_trainable *t;
    size_t *items; /* [n] part after part */
    size_t n_parts;
    size_t *first;  /* [n_parts+1] of the items */
    double *losses; /* [n_parts] */
    double share;
    uint64_t seed;
};

struct dealt {
    size_t item, cost, part;
};

static int longest_first(const void *a, const void *b)
{
    const struct dealt *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? 1 : -1;
    return x->item < y->item ? -1 : 1;
}

/* Deal n examples to the parts: the longest first, each to the part that has the least. */
static void deal(struct batch *b, struct dealt *d, size_t n, size_t *loads)
{
    size_t at = 0;
    if (b->n_parts > 1)
        qsort(d, n, sizeof *d, longest_first);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 1; k < b->n_parts; k++)
            d[i].part = loads[k] < loads[d[i].part] ? k : d[i].part;
        loads[d[i].part] += d[i].cost;
    }
    for (size_t k = 0; k < b->n_parts; k++) {
        b->first[k] = at;
        for (size_t i = 0; i < n; i++)
            if (d[i].part == k)
                b->items[at++] = d[i].item;
    }
    b->first[b->n_parts] = n;
}

static enum gm_status run_part(void *self, struct gm_graph *g, size_t i, struct gm_error *err)
{
    struct batch *b = self;
    gm_graph_begin(g, true, b->seed + i);
    return b->t->part(b->t->self, g, b->first[i], b->first[i + 1], b->share, &b->losses[i], err);
}

enum gm_status gm_train_batch(const struct gm_trainable *t, const size_t *items, size_t n,
                              double share, uint64_t seed, double *loss, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    size_t tokens = 0;
    struct batch b = {.t = t, .share = share, .seed = seed};
    gm_arena_init(&a, 0);
    struct dealt *d = gm_arena_alloc(&a, n, sizeof *d);
    GM_TRY(d ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < n; i++) {
        d[i] = (struct dealt){items[i], t->cost(t->self, items[i]), 0};
        tokens += d[i].cost;
    }
    b.n_parts = gm_lanes_parts(t->lanes, tokens, true);
    b.n_parts = b.n_parts < n ? b.n_parts : n;
    size_t *loads = gm_arena_alloc(&a, b.n_parts, sizeof *loads);
    b.items = gm_arena_alloc(&a, n, sizeof *b.items);
    b.first = gm_arena_alloc(&a, b.n_parts + 1, sizeof *b.first);
    b.losses = gm_arena_alloc(&a, b.n_parts, sizeof *b.losses);
    GM_TRY(loads && b.items && b.first && b.losses ? GM_OK
                                                   : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    deal(&b, d, n, loads);
    GM_TRY(t->pack(t->self, b.items, n, seed, err));
    GM_TRY(gm_lanes_run(t->lanes, b.n_parts, run_part, &b, err));
    for (size_t i = 0; i < b.n_parts; i++)
        *loss += b.losses[i];
done:
    gm_arena_clear(&a);
    return st;
}
