/* refine_apply.c - the answers about a post's spans made into its new list of entities: each answer's
 * words are found in the text, all are held against each other (refine_merge.h), and those that stand
 * are put in. The entities that were not asked about are copied as they are. */
#include "stages/refine.h"
#include "stages/refine_merge.h"
#include "stages/refine_words.h"

#include "record/note.h"

/* What is to come out: merges [n] and, of each, the entity as it will be where it is changed. */
struct rows {
    struct gm_merge *merges;
    struct gm_entity *entities;
    size_t n, n_old; /* new ones stand behind the post's own */
};

static enum gm_status rows_init(struct rows *rows, const struct gm_refine_work *w,
                                const struct gm_refine_list *list, struct gm_error *err)
{
    struct gm_arena *a = &w->post->arena;
    size_t most = w->n + list->n * GM_REFINE_NAMES_MAX;
    *rows = (struct rows){.merges = gm_arena_alloc(a, most, sizeof *rows->merges),
                          .entities = gm_arena_alloc(a, most, sizeof *rows->entities),
                          .n = w->n,
                          .n_old = w->n};
    if (!rows->merges || !rows->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < w->n; i++) {
        const struct gm_entity *e = &w->entities[i];
        rows->entities[i] = *e;
        rows->merges[i] = (struct gm_merge){.start = e->start, .end = e->end, .text = e->text};
    }
    return GM_OK;
}

/* The words of row i are to be those at `place`. */
static void move(struct rows *rows, size_t i, struct gm_place place, struct gm_str text)
{
    struct gm_merge *m = &rows->merges[i];
    m->changed = m->is_new || place.start != m->start || place.end != m->end;
    m->to_start = place.start;
    m->to_end = place.end;
    rows->entities[i].text = text;
    rows->entities[i].start = place.start;
    rows->entities[i].end = place.end;
}

/* The names of one answer as places of the text. */
struct found {
    struct gm_place place[GM_REFINE_NAMES_MAX];
    struct gm_str text[GM_REFINE_NAMES_MAX], type[GM_REFINE_NAMES_MAX];
    size_t n;
    const char *why;     /* of the first that was not found */
    struct gm_str words; /* its words, where they are nowhere in the text */
};

/* Whether the last place is an earlier one again. */
static bool is_known(const struct found *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->place[i].start == f->place[f->n].start && f->place[i].end == f->place[f->n].end)
            return true;
    return false;
}

static struct found find_names(const struct gm_post *p, const struct gm_entity *e,
                               const struct gm_refine_names *a)
{
    struct found f = {.n = 0};
    for (size_t i = 0; i < a->n; i++) {
        const char *why = gm_find_words(p->text, a->names[i], (struct gm_place){e->start, e->end},
                                        &f.place[f.n], &f.text[f.n]);
        f.type[f.n] = a->types[i];
        f.n += !why && !is_known(&f);
        if (!why || f.why)
            continue;
        f.why = why;
        if (gm_str_eq_c(GM_STR("not_in_text"), why))
            f.words = a->names[i];
    }
    return f;
}

/* A new entity, made of the one whose words the model was asked about; name k of the answer. */
static void add_new(struct rows *rows, const struct gm_entity *from, const struct found *f,
                    size_t k)
{
    size_t i = rows->n++;
    rows->entities[i] = (struct gm_entity){.type = f->type[k].n ? f->type[k] : from->type,
                                           .score = from->score,
                                           .source = GM_STR("refine"),
                                           .visible = -1,
                                           .note = GM_STR("added")};
    rows->merges[i] = (struct gm_merge){.start = f->place[k].start,
                                        .end = f->place[k].end,
                                        .text = f->text[k],
                                        .asked = true,
                                        .is_new = true};
    move(rows, i, f->place[k], f->text[k]);
}

/* The name that the entity itself becomes: it stays where it is if it may. */
static size_t own_name(const struct found *f, const struct gm_entity *e)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->place[i].start == e->start && f->place[i].end == e->end)
            return i;
    return 0;
}

/* *type: what is said of the entity's own type. */
static void add_entity(const struct gm_post *p, struct rows *rows, size_t i,
                       const struct gm_refine_names *a, struct gm_str *type)
{
    struct gm_merge *m = &rows->merges[i];
    const struct gm_entity *e = &rows->entities[i];
    m->asked = true;
    m->removed = a->n == 0 && !a->why;
    if (m->removed)
        return;
    const struct found f = find_names(p, e, a);
    size_t own = own_name(&f, e);
    struct gm_entity old = *e;
    if (f.n) {
        move(rows, i, f.place[own], f.text[own]);
        *type = f.type[own];
    }
    m->why = a->why ? a->why : f.n ? NULL : f.why;
    m->words = f.n ? (struct gm_str){NULL, 0} : f.words;
    for (size_t k = 0; k < f.n && !m->why; k++)
        if (k != own)
            add_new(rows, &old, &f, k);
}

/* Its default is no: what can't be found is none. */
static void add_candidate(const struct gm_refine *r, const struct gm_post *p, struct rows *rows,
                          const struct gm_entity *c, const struct gm_refine_names *a)
{
    const struct found f = find_names(p, c, a);
    const char *why = a->why ? a->why : f.why;
    if (why)
        gm_llm_reject(r->base.llm, r->base.stage, why);
    for (size_t k = 0; k < f.n && !a->why; k++)
        add_new(rows, c, &f, k);
}

/* The entity of row i as it comes out; types of a combined answer, too. */
static enum gm_status settle(const struct gm_refine *r, struct gm_refine_work *w, struct rows *rows,
                             size_t i, struct gm_str type, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_merge *m = &rows->merges[i];
    struct gm_entity *e = &rows->entities[i];
    if (m->why) {
        *e = w->entities[i];
        return gm_llm_reject_entity(&r->base, w->post, e, m->why, err);
    }
    if (type.n && !gm_str_eq(type, e->type)) {
        e->type = type;
        e->fine_type = GM_STR(""); /* it belonged to the old type */
    } else if (!m->changed) {
        return st;
    }
    e->source = GM_STR("refine");
    return m->merged ? gm_note_set(w->post, e, "merged", "", err) : st;
}

/* The rows that stand, the new ones among the others by their place in the text. */
static enum gm_status collect(struct gm_refine_work *w, const struct rows *rows,
                              struct gm_error *err)
{
    struct gm_entity *out = gm_arena_alloc(&w->post->arena, rows->n, sizeof *out);
    bool *fresh = gm_arena_alloc(&w->post->arena, rows->n, sizeof *fresh);
    size_t n = 0;
    if (!out || !fresh)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < rows->n; i++) {
        size_t at = n;
        if (rows->merges[i].removed)
            continue;
        while (rows->merges[i].is_new && at > 0 && out[at - 1].start > rows->entities[i].start) {
            out[at] = out[at - 1];
            fresh[at] = fresh[at - 1];
            at--;
        }
        out[at] = rows->entities[i];
        fresh[at] = rows->merges[i].changed && !rows->merges[i].why;
        n++;
    }
    w->entities = out;
    w->is_fresh = fresh;
    w->n = n;
    return GM_OK;
}

enum gm_status gm_refine_apply(const struct gm_refine *r, struct gm_refine_work *w,
                               const struct gm_refine_list *list,
                               const struct gm_refine_names *const *answers, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct rows rows;
    struct gm_str *types = gm_arena_alloc(&w->post->arena, w->n, sizeof *types);
    GM_TRY(types ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(rows_init(&rows, w, list, err));
    for (size_t i = 0; i < list->n_entities; i++) {
        add_entity(w->post, &rows, list->at[i], answers[i], &types[list->at[i]]);
    }
    for (size_t i = list->n_entities; i < list->n; i++)
        if (answers[i])
            add_candidate(r, w->post, &rows, &w->post->candidates[list->at[i]], answers[i]);
    gm_refine_merge(rows.merges, rows.n);
    for (size_t i = 0; i < rows.n; i++) {
        if (rows.merges[i].is_new && rows.merges[i].why)
            gm_llm_reject(r->base.llm, r->base.stage, rows.merges[i].why);
        if (i < rows.n_old && rows.merges[i].asked && !rows.merges[i].removed)
            GM_TRY(settle(r, w, &rows, i, types[i], err));
    }
    st = collect(w, &rows, err);
done:
    return st;
}
