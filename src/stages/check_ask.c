/* The boxes of a post in the whole picture, all in one question: each is kept, others are given, or the entity isn't
 * there. Boxes are said in the model's own numbers or, with `marks`, by the numbers of drawn ones. */
#include "stages/region_check.h"

#include "record/note.h"

#include <math.h>

enum { SURE_MAX = 4000 }; /* bytes of the list of certain boxes, about */
enum { N_OWN = 6, N_VALUES = N_OWN + GM_GROUND_COORDS_N_VALUES };

double gm_check_score(const struct gm_entity *e)
{
    double least = 1;
    for (size_t i = 0; i < e->n_regions; i++)
        least = fmin(least, (double)e->regions[i].score);
    return least;
}

bool gm_check_is_uncertain(const struct gm_region_check *c, const struct gm_entity *e)
{
    return e->n_regions && 1 - gm_check_score(e) > c->region;
}

/* ---- the question ---- */

/* A box as the model would say it, or the number of its mark. */
static enum gm_status put_box(const struct gm_region_check *c, const struct gm_region_check_work *w,
                              const double box[4], struct gm_buf *out, struct gm_error *err)
{
    if (!w->marked.n)
        return gm_ground_coords_put(&c->coords, &w->picture, box, out, err);
    size_t number = gm_marks_number(&w->marked, box);
    return number ? gm_buf_printf(out, err, "box %zu", number)
                  : gm_buf_add_c(out, "a place without a box", err);
}

/* "NAME (TYPE), found at [12, 34, 56, 78]" */
static enum gm_status add_found(const struct gm_region_check *c,
                                const struct gm_region_check_work *w, const struct gm_entity *e,
                                struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str type = e->fine_type.n ? e->fine_type : e->type;
    GM_TRY(
        gm_buf_printf(out, err, "%.*s (%.*s), found at ", GM_STR_ARG(e->text), GM_STR_ARG(type)));
    for (size_t k = 0; k < e->n_regions; k++) {
        GM_TRY(gm_buf_add_c(out, k ? " and " : "", err));
        GM_TRY(put_box(c, w, e->regions[k].box, out, err));
    }
done:
    return st;
}

/* "1. …, 40% sure", a line each. */
static enum gm_status list_asked(const struct gm_region_check *c,
                                 const struct gm_region_check_work *w, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->n; i++) {
        const struct gm_entity *e = w->asked[i].e;
        GM_TRY(gm_buf_printf(out, err, "%s%zu. ", i ? "\n" : "", i + 1));
        GM_TRY(add_found(c, w, e, out, err));
        GM_TRY(gm_buf_printf(out, err, ", %ld%% sure", lround(100 * gm_check_score(e))));
    }
done:
    return st;
}

static bool is_asked(const struct gm_region_check_work *w, const struct gm_entity *e)
{
    size_t i = 0;
    while (i < w->n && w->asked[i].e != e)
        i++;
    return i < w->n;
}

/* The entities whose boxes are certain, a line each. */
static enum gm_status list_sure(const struct gm_region_check *c,
                                const struct gm_region_check_work *w, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->post->n_entities && out->n < SURE_MAX; i++) {
        const struct gm_entity *e = &w->post->entities[i];
        if (!e->n_regions || is_asked(w, e) || (c->crop < 0 && gm_check_is_uncertain(c, e)))
            continue;
        GM_TRY(gm_buf_add_c(out, out->n ? "\n" : "", err));
        GM_TRY(add_found(c, w, e, out, err));
    }
done:
    return st;
}

static const char *check_numbers(void *user, const struct gm_json *value)
{
    const struct gm_region_check_work *w = user;
    const struct gm_json *list = gm_json_get(value, "entities");
    if (!gm_llm_is_numbered(list, w->n, w->n, false))
        return "not one answer an entity";
    for (size_t i = 0; i < w->n; i++)
        if (!gm_marks_fit(&w->marked, gm_json_at(list, i)))
            return "a number that is not in the picture";
    return NULL;
}

static enum gm_status fill_values(const struct gm_region_check *c, struct gm_region_check_work *w,
                                  struct gm_prompt_value *v, struct gm_buf *list,
                                  struct gm_buf *sure, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str definitions, *types = gm_arena_alloc(&w->arena, w->n, sizeof *types);
    struct gm_str marks = gm_arena_printf(&w->arena, "%zu", w->marked.n);
    if (!types || !marks.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < w->n; i++) {
        const struct gm_entity *e = w->asked[i].e;
        types[i] = e->fine_type.n ? e->fine_type : e->type;
    }
    GM_TRY(gm_guide_definitions(&c->base.guide, types, w->n, &w->arena, &definitions, err));
    GM_TRY(list_asked(c, w, list, err));
    GM_TRY(list_sure(c, w, sure, err));
    v[0] = (struct gm_prompt_value){"text", w->post->text};
    v[1] = (struct gm_prompt_value){"caption", w->post->caption};
    v[2] = (struct gm_prompt_value){"entities", gm_buf_str(list)};
    v[3] = (struct gm_prompt_value){"type_definition", definitions};
    v[4] = (struct gm_prompt_value){"sure", gm_buf_str(sure)};
    v[5] = (struct gm_prompt_value){"marks", marks};
    GM_TRY(gm_ground_coords_values(&c->coords, &w->picture, &w->arena, v + N_OWN, err));
done:
    return st;
}

static enum gm_status ask(struct gm_region_check *c, struct gm_region_check_work *w,
                          struct gm_llm_reply *reply, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_prompt_value v[N_VALUES];
    struct gm_buf list, sure;
    gm_buf_init(&list, (size_t)4 << 20);
    gm_buf_init(&sure, (size_t)4 << 20);
    GM_TRY(fill_values(c, w, v, &list, &sure, err));
    const struct gm_llm_question q = {
        .post = w->post, .values = v, .n_values = N_VALUES, .check = check_numbers, .user = w};
    GM_TRY(gm_llm_stage_ask(&c->base, &w->picture, &q, 1, reply, err));
    if (w->marked.n && reply->st == GM_OK)
        st = gm_marks_resolve(&w->marked, reply->value, err);
done:
    gm_buf_clear(&list);
    gm_buf_clear(&sure);
    return st;
}

/* ---- the answer ---- */

static enum gm_status take_one(const struct gm_region_check *c,
                               const struct gm_region_check_work *w, struct gm_entity *e,
                               const struct gm_json *said, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str answer = {NULL, 0};
    struct gm_region *regions = e->regions;
    size_t n = e->n_regions;
    (void)gm_json_str(gm_json_get(said, "answer"), &answer);
    if (gm_str_eq_c(answer, "none")) {
        e->n_regions = 0;
        return gm_note_set(w->post, e, "no_box", "not_confirmed", err);
    }
    if (!gm_str_eq_c(answer, "change") || !gm_json_count(gm_json_get(said, "boxes")))
        return GM_OK;
    GM_TRY(gm_ground_take_boxes(&c->base, w->post, e, gm_json_get(said, "boxes"), w->frame,
                                (size_t)c->max_boxes, err));
    if (e->n_regions == 0) { /* none of them can be one: what was found stays */
        e->regions = regions;
        e->n_regions = n;
    } else if (w->marked.n) {
        GM_TRY(gm_marks_credit(&w->marked, w->post, e, err));
    }
done:
    return st;
}

static enum gm_status take(const struct gm_region_check *c, const struct gm_region_check_work *w,
                           const struct gm_llm_reply *reply, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *list = gm_json_get(reply->value, "entities");
    for (size_t i = 0; i < w->n && reply->st == GM_EFORMAT; i++)
        GM_TRY(gm_llm_reject_entity(&c->base, w->post, w->asked[i].e, "schema", err));
    for (size_t i = 0; i < gm_json_count(list); i++) {
        long long number = 1;
        (void)gm_json_int(gm_json_get(gm_json_at(list, i), "entity"), &number);
        GM_TRY(take_one(c, w, w->asked[number - 1].e, gm_json_at(list, i), err));
    }
done:
    return st;
}

/* The picture that is shown, with marks in it where they are asked for; there may be none to draw. */
static enum gm_status make_picture(struct gm_region_check *c, struct gm_region_check_work *w,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_picture_view view = {.paint = gm_marks_paint, .user = &w->marked};
    struct gm_error why;
    if (c->marks.most > 0 && gm_marks_choose(&c->marks, w->post, &w->marked, &why) != GM_OK) {
        gm_post_fail(w->post, c->base.stage, &why);
        return GM_OK;
    }
    GM_TRY(gm_llm_stage_views(&c->base, w->post, w->marked.n ? &view : NULL, 1, &w->picture, err));
    w->frame = w->marked.n ? (struct gm_frame){w->picture.full_w, w->picture.full_h}
                           : gm_ground_coords_frame(&c->coords, &w->picture);
done:
    return st;
}

enum gm_status gm_check_regions(struct gm_region_check *c, struct gm_region_check_work *w,
                                bool *answered, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm_reply reply = {0};
    *answered = false;
    GM_TRY(make_picture(c, w, err));
    if (w->post->error.stage.n)
        goto done;
    if (c->marks.most > 0 && w->marked.n == 0) { /* nothing to choose from */
        *answered = true;
        goto done;
    }
    GM_TRY(ask(c, w, &reply, err));
    *answered = !gm_llm_stage_failed(&c->base, w->post, &reply);
    if (*answered)
        GM_TRY(take(c, w, &reply, err));
done:
    gm_llm_reply_clear(&reply);
    return st;
}
