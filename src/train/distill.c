/* distill.c - a teacher's targets: for every training post the marginals P(y_t = m(j)) of the
 * teacher's CRF (crf.c), [n_words][k] at t*k + j, as f32; m(j) is the teacher's number of our label j, as the same types may
 * have another order there. The loss that learns from them is
 * crf_soft.c's. Source: Hinton, Vinyals, Dean 2015. */
#include "train/distill.h"

/* map [k]: the teacher's numbers of our labels, in the arena. */
static enum gm_status labels_of(const struct gm_ner_labels *teacher, const struct gm_ner_labels *l,
                                const char *dir, struct gm_arena *a, uint16_t **map,
                                struct gm_error *err)
{
    static const char who[] = "a teacher";
    enum gm_status st = GM_OK;
    GM_TRY(gm_ner_check_scheme(teacher, l, dir, who, err));
    GM_TRY(gm_ner_check_names(&teacher->types, &l->types, "types", dir, who, "", err));
    *map = gm_arena_alloc(a, l->k, sizeof **map);
    GM_TRY(*map ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    gm_ner_map_labels(l, teacher, *map);
done:
    return st;
}

/* The teacher's marginals of one post, [n_words, k]. */
static enum gm_status marginals(const struct gm_crf *crf, const uint16_t *map,
                                const struct gm_ner_rows *r, struct gm_arena *work, float *out,
                                struct gm_error *err)
{
    struct gm_crf_lattice l;
    gm_arena_reset(work);
    enum gm_status st = gm_crf_lattice_fill(&l, crf, r->emit, r->n_words, work, err);
    for (size_t i = 0; st == GM_OK && i < r->n_words * crf->k; i++)
        out[i] = (float)gm_crf_marginal(&l, i / crf->k, map[i % crf->k]);
    return st;
}

enum gm_status gm_distill_targets(const char *dir, const char *precision,
                                  const struct gm_posts *posts, const struct gm_ner_labels *l,
                                  struct gm_arena *a, const float ***out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tagger *teacher = NULL;
    struct gm_tagger_session *session = NULL;
    struct gm_ner_rows *rows;
    uint16_t *map;
    struct gm_arena all, work;
    gm_arena_init(&all, 0);
    gm_arena_init(&work, 0);
    const float **probs = gm_arena_alloc(a, posts->n, sizeof *probs);
    struct gm_post **items = gm_arena_alloc(&all, posts->n, sizeof *items);
    GM_TRY(probs && items ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < posts->n; i++)
        items[i] = &posts->items[i];
    GM_TRY(gm_tagger_load(&teacher, dir, &(struct gm_tagger_opts){.precision = precision}, err));
    GM_TRY(labels_of(&teacher->labels, l, dir, &all, &map, err));
    GM_TRY(gm_tagger_session_new(&session, teacher, err));
    GM_TRY(gm_ner_score(session, items, posts->n, &all, &rows, err));
    struct gm_crf crf = gm_ner_lattice_crf(teacher);
    for (size_t i = 0; i < posts->n; i++) {
        float *p = gm_arena_alloc(a, rows[i].n_words * crf.k, sizeof *p);
        GM_TRY(p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for a teacher's probabilities"));
        GM_TRY(marginals(&crf, map, &rows[i], &work, p, err));
        probs[i] = p;
    }
    *out = probs;
done:
    gm_tagger_session_free(session);
    gm_tagger_free(teacher);
    gm_arena_clear(&all);
    gm_arena_clear(&work);
    return st;
}
