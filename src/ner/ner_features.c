/* ner_features.c - a post as one vector, with x_w the state of word w (ner_emit.c) of n:
 *
 *   f = 1/n sum over w of x_w
 *
 * Naive reference: transformers' states with the case features, in tests/ref/features_reference.py. */
#include "ner/ner_model.h"

#include <string.h>

size_t gm_tagger_dim(const struct gm_tagger *t) { return t->net.enc.config.hidden; }

struct states {
    const struct gm_tagger *t;
    const struct gm_packer *packer;
    const struct gm_slice *slices;
    float *out; /* [n_rows][dim] */
};

static enum gm_status states_of_slice(void *self, struct gm_graph *g, size_t i,
                                      struct gm_error *err)
{
    const struct states *x = self;
    const struct gm_slice *s = &x->slices[i];
    size_t dim = gm_tagger_dim(x->t);
    struct gm_var *y;
    gm_graph_begin(g, false, 0);
    enum gm_status st = gm_slice_states(s, x->packer, &x->t->net.enc, g, &y, err);
    if (st == GM_OK)
        g->kn->to_f32((s->end_row - s->row) * dim, y->x, x->out + s->row * dim);
    return st;
}

static void mean_of_rows(const float *rows, size_t n, size_t dim, float *out)
{
    memset(out, 0, dim * sizeof *out);
    for (size_t r = 0; r < n; r++)
        for (size_t k = 0; k < dim; k++)
            out[k] += rows[r * dim + k] / (float)n;
}

enum gm_status gm_tagger_features(struct gm_tagger_session *s, struct gm_post *const *posts,
                                  size_t n, float *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_packer *p = &s->net.packer;
    size_t dim = gm_tagger_dim(s->t), n_slices;
    struct gm_slice *slices;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    struct gm_ner_rows *rows = gm_arena_alloc(&a, n, sizeof *rows);
    GM_TRY(rows ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_ner_pack(s->t, p, posts, n, false, rows, &a, err));
    struct states x = {.t = s->t, .packer = p};
    x.out = gm_arena_alloc(&a, p->n_rows, dim * sizeof *x.out);
    GM_TRY(x.out ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for %zu words", p->n_rows));
    GM_TRY(gm_packer_cut(p, gm_lanes_parts(&s->net.lanes, p->n_tokens, false), &a, &slices,
                         &n_slices, err));
    x.slices = slices;
    GM_TRY(gm_lanes_run(&s->net.lanes, n_slices, states_of_slice, &x, err));
    for (size_t i = 0; i < n; i++)
        mean_of_rows(x.out + p->posts[i] * dim, p->posts[i + 1] - p->posts[i], dim, out + i * dim);
done:
    gm_arena_clear(&a);
    return st;
}
