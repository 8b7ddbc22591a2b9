#include "stages/ground_answers.h"

#include "llm/schema.h"
#include "stages/ground_boxes.h"
#include "stages/said.h"

enum gm_status gm_ground_resolve(const struct gm_ground_work *w, struct gm_llm_reply *replies,
                                 size_t n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < n && w->marked.n && st == GM_OK; i++)
        if (replies[i].st == GM_OK)
            st = gm_marks_resolve(&w->marked, replies[i].value, err);
    return st;
}

static bool has_failed(const struct gm_ground_asking *g, struct gm_post *p,
                       const struct gm_llm_reply *replies, size_t n)
{
    bool failed = false;
    for (size_t i = 0; i < n && !failed; i++)
        failed = gm_llm_stage_failed(g->base, p, &replies[i]);
    return failed;
}

/* ---- a part of an answer ---- */

/* The schema of what is said of one entity. */
static const struct gm_json *schema_of_one(const struct gm_llm_stage *s)
{
    const struct gm_json *list = gm_json_get(gm_json_get(s->schema, "properties"), "entities");
    return gm_json_get(list, "items");
}

/* Whether it is about one of the targets, can be used, and is the first about it. */
static bool fits(const struct gm_ground_asking *g, const struct gm_ground_work *w,
                 const struct gm_json *kept, const struct gm_json *one)
{
    struct gm_error why;
    long long number = 0, other = 0;
    if (gm_schema_check(schema_of_one(g->base), one, &why) != GM_OK ||
        !gm_json_int(gm_json_get(one, "entity"), &number))
        return false;
    for (size_t i = 0; i < gm_json_count(kept); i++)
        if (gm_json_int(gm_json_get(gm_json_at(kept, i), "entity"), &other) && other == number)
            return false;
    return number >= 1 && number <= (long long)w->n_targets && gm_marks_fit(&w->marked, one);
}

/* What can be used of an answer that did not fit takes its place. */
static enum gm_status keep_part(const struct gm_ground_asking *g, const struct gm_ground_work *w,
                                struct gm_llm_reply *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_error why;
    struct gm_json *said = NULL, *kept = gm_json_new_array();
    bool ok = kept;
    if (gm_str_trim(gm_buf_str(&r->text)).n &&
        g->base->read(&said, gm_buf_str(&r->text), &why) != GM_OK)
        said = NULL;
    const struct gm_json *list = gm_json_get(said, "entities");
    for (size_t i = 0; i < gm_json_count(list) && ok; i++)
        if (fits(g, w, kept, gm_json_at(list, i)))
            ok = gm_json_add(kept, gm_json_ref(gm_json_at(list, i)));
    if (!ok) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    if (gm_json_count(kept)) {
        r->st = GM_OK;
        struct gm_json *list_of_kept = kept;
        kept = NULL;
        st = gm_said_wrap(&r->value, "entities", list_of_kept, err);
    }
done:
    gm_json_free(kept);
    gm_json_free(said);
    return st;
}

/* ---- the others ---- */

/* The questions about the targets without an answer, one each. */
static enum gm_status fill_late(const struct gm_ground_asking *g, struct gm_post *p,
                                struct gm_ground_work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena *a = &w->arena;
    w->late_q = gm_arena_alloc(a, w->n_targets, sizeof *w->late_q);
    w->late = gm_arena_alloc(a, w->n_targets, sizeof *w->late);
    w->late_at = gm_arena_alloc(a, w->n_targets, sizeof *w->late_at);
    if (!w->late_q || !w->late || !w->late_at)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t t = 0; t < w->n_targets; t++) {
        if (w->targets[t].boxes)
            continue;
        GM_TRY(gm_ground_question_of_one(g, p, w, t, &w->late_q[w->n_late], err));
        w->late_at[t] = ++w->n_late;
    }
done:
    return st;
}

static enum gm_status ask_late(const struct gm_ground_asking *g, struct gm_post *p,
                               struct gm_ground_work *w, bool *answered, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(fill_late(g, p, w, err));
    if (w->n_late == 0)
        goto done;
    GM_TRY(gm_llm_stage_ask(g->base, &w->picture, w->late_q, w->n_late, w->late, err));
    GM_TRY(gm_ground_resolve(w, w->late, w->n_late, err));
    *answered = !has_failed(g, p, w->late, w->n_late);
    for (size_t t = 0; t < w->n_targets; t++)
        if (w->late_at[t])
            w->targets[t].boxes = gm_ground_boxes_of(g->coords, w->late + w->late_at[t] - 1, 0);
done:
    return st;
}

const struct gm_json *gm_ground_answer_of(const struct gm_ground_coords *c,
                                          const struct gm_ground_work *w,
                                          const struct gm_llm_reply *replies, size_t t)
{
    return w->n_late && w->late_at[t]
               ? gm_ground_boxes_of(c, replies + w->n_q + w->late_at[t] - 1, 0)
               : gm_ground_boxes_of(c, replies, t);
}

enum gm_status gm_ground_answers(const struct gm_ground_asking *g, struct gm_post *p,
                                 struct gm_ground_work *w, bool *answered, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm_reply *all = w->replies;
    *answered = false;
    GM_TRY(gm_llm_stage_ask(g->base, &w->picture, w->q, w->n_q, w->replies, err));
    if (has_failed(g, p, w->replies, w->n_q))
        goto done;
    bool is_broken = g->coords->by_post && all->st == GM_EFORMAT && w->n_targets > 1;
    if (is_broken)
        GM_TRY(keep_part(g, w, all, err));
    GM_TRY(gm_ground_resolve(w, w->replies, w->n_q, err));
    for (size_t t = 0; t < w->n_targets; t++)
        w->targets[t].boxes = gm_ground_boxes_of(g->coords, w->replies, t);
    *answered = true;
    if (is_broken)
        GM_TRY(ask_late(g, p, w, answered, err));
done:
    return st;
}
