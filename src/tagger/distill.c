#include "tagger/distill.h"

#include "base/alloc.h"

struct targets {
    struct gm_tagger *teacher;
    struct gm_arena *arena;
    const float **probs;
};

static enum gm_status keep_marginals(void *self, const struct gm_ner_rows *r, struct gm_error *err)
{
    struct targets *x = self;
    struct gm_crf crf = gm_ner_crf(x->teacher);
    struct gm_crf_lattice l;
    float *p = gm_arena_alloc(x->arena, r->n_words * crf.k, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a teacher's probabilities");
    gm_arena_reset(&x->teacher->work);
    enum gm_status st = gm_crf_lattice_fill(&l, &crf, r->emit, r->n_words, &x->teacher->work, err);
    for (size_t i = 0; st == GM_OK && i < r->n_words * crf.k; i++)
        p[i] = (float)gm_crf_marginal(&l, i / crf.k, i % crf.k);
    x->probs[r->index] = p;
    return st;
}

enum gm_status gm_distill_targets(const char *dir, const char *precision, const struct gm_posts *posts,
                                  const struct gm_ner_labels *l, struct gm_arena *a,
                                  const float ***out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct targets x = {.arena = a, .probs = gm_arena_alloc(a, posts->n, sizeof *x.probs)};
    struct gm_post **all = gm_alloc(posts->n, sizeof *all);
    GM_TRY(all && x.probs ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < posts->n; i++)
        all[i] = &posts->items[i];
    GM_TRY(gm_tagger_load(&x.teacher, dir, &(struct gm_tagger_opts){.precision = precision}, err));
    if (!gm_ner_same_labels(&x.teacher->labels, l)) {
        st = GM_FAIL(err, GM_EMODEL, "%s: a teacher whose types or scheme are not those of the training "
                     "data", dir);
        goto done;
    }
    GM_TRY(gm_ner_each(x.teacher, all, posts->n, keep_marginals, &x, err));
    *out = x.probs;
done:
    gm_tagger_free(x.teacher);
    gm_free(all);
    return st;
}
