#include "tune/entail_rows.h"

#include <string.h>

/* What run number i says of the entity, put to what is known already. */
static void add_evidence(const struct gm_tune_run *run, size_t i, const struct gm_entity *e,
                         struct gm_evidence *to)
{
    static const enum gm_witness usual[] = {GM_WITNESS_ENCODER, GM_WITNESS_MODEL};
    bool any = false;
    for (size_t k = 0; k < GM_N_WITNESSES; k++) {
        any = any || e->evidence.has[k];
        if (e->evidence.has[k] && !to->has[k]) {
            to->has[k] = true;
            to->by[k] = e->evidence.by[k];
        }
    }
    if (any || e->visible < 0 || (!run->source && i >= 2))
        return;
    enum gm_witness whose = run->source ? GM_WITNESS_ENCODER : usual[i];
    while (run->source && strcmp(run->source, gm_witness_names[whose]) != 0)
        whose++; /* the command has checked the name */
    if (!to->has[whose]) {
        to->has[whose] = true;
        to->by[whose] = e->visible;
    }
}

/* The entity of gold as the runs know it: the first one's text, type and post, the evidence of all. */
static bool join(const struct gm_tune_rows *w, struct gm_tune_post *p,
                 struct gm_tune_place *const *at, struct gm_tune_place place, struct gm_str type,
                 struct gm_entity *e)
{
    struct gm_evidence evidence = {.has = {false}};
    bool found = false;
    for (size_t r = 0; r < w->o->n_runs; r++) {
        size_t k = gm_tune_find(&p->runs[r], at[r], place, type);
        if (k == SIZE_MAX)
            continue;
        if (!found)
            *e = p->runs[r].entities[k];
        found = true;
        add_evidence(&w->o->runs[r], r, &p->runs[r].entities[k], &evidence);
    }
    e->evidence = evidence;
    return found;
}

/* The sources that some number is used of. */
static unsigned used_sources(const struct gm_tune_opts *o)
{
    unsigned used = 0;
    for (size_t i = 0; i < GM_EVIDENCE_X; i++)
        used |= o->unused[i] ? 0 : gm_evidence_x[i].source;
    return used;
}

/* Objects, texts and caption of the first run that has them. */
static void join_post(const struct gm_tune_rows *w, struct gm_tune_post *p)
{
    struct gm_post *to = &p->runs[0];
    for (size_t r = 1; r < w->o->n_runs; r++) {
        const struct gm_post *from = &p->runs[r];
        if (!to->has_objects && from->has_objects) {
            to->objects = from->objects;
            to->n_objects = from->n_objects;
            to->has_objects = true;
        }
        if (!to->has_texts && from->has_texts) {
            to->texts = from->texts;
            to->n_texts = from->n_texts;
            to->has_texts = true;
        }
        if (!to->caption.n)
            to->caption = from->caption;
        if (!to->caption_short.n)
            to->caption_short = from->caption_short;
    }
}

static enum gm_status each(void *user, struct gm_tune_post *p, struct gm_error *err)
{
    struct gm_tune_rows *w = user;
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_tune_place *at[GM_TUNE_RUNS], *gold;
    struct gm_evidence_post evidence;
    gm_arena_init(&a, 0);
    join_post(w, p);
    gold = gm_tune_places(&p->gold, &a);
    bool ok = gold != NULL;
    for (size_t r = 0; r < w->o->n_runs && ok; r++)
        ok = (at[r] = gm_tune_places(&p->runs[r], &a)) != NULL;
    if (!ok) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    gm_evidence_begin(&evidence, &p->runs[0]);
    for (size_t i = 0; i < p->gold.n_entities; i++) {
        struct gm_entity e = {.visible = -1};
        struct gm_tune_row row = {
            .is_in = p->gold.entities[i].n_regions > 0, .fold = p->fold, .post = p->number};
        if (!join(w, p, at, gold[i], p->gold.entities[i].type, &e) ||
            !(row.sources = gm_evidence_take(&evidence, &e, row.x) & used_sources(w->o)))
            continue;
        GM_TRY(GM_ARENA_GROW(w->arena, w->rows, w->n, w->cap, err));
        w->rows[w->n++] = row;
        w->all |= row.sources;
        w->asked[row.sources] = w->asked[row.sources & ~(unsigned)GM_EVIDENCE_MODEL] = true;
    }
done:
    gm_arena_clear(&a);
    return st;
}

static enum gm_status check(const struct gm_tune_rows *w, const char *path, struct gm_error *err)
{
    size_t n_in = 0;
    for (size_t i = 0; i < w->n; i++)
        n_in += w->rows[i].is_in;
    if (w->n == 0)
        return GM_FAIL(err, GM_EFORMAT,
                       "%s: no gold entity is there with a probability of being in the image, an "
                       "answer of a model, objects or a caption that quotes",
                       path);
    if (n_in == 0 || n_in == w->n)
        return GM_FAIL(err, GM_EFORMAT,
                       "gold says of all %zu entities that they are %s the image: --xml DIR reads "
                       "boxes",
                       w->n, n_in ? "in" : "not in");
    return GM_OK;
}

enum gm_status gm_tune_rows_read(struct gm_tune_rows *w, struct gm_tune_result *r,
                                 struct gm_error *err)
{
    enum gm_status st = gm_tune_each(w->o, r, each, w, err);
    return st == GM_OK ? check(w, w->o->runs[0].path, err) : st;
}
