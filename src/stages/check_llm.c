/* check, by a multimodal LLM: the boxes that ground has found and that are uncertain are shown to it, in its
 * own numbers, all of a post's in one question; it keeps each, gives others, or says that the entity isn't
 * there. How uncertain a region is: 1 - its score, which is the detector's, or what a model's answers agree
 * to (ground_samples.h). Source: the region step of ReFineG (arXiv 2509.10975). */
#include "stages/backends.h"
#include "stages/ground_boxes.h"
#include "stages/ground_questions.h"
#include "stages/said.h"

#include "llm/schema.h"
#include "record/note.h"

#include <math.h>

enum { SURE_MAX = 4000 }; /* bytes of the list of certain boxes, about */
enum { N_OWN = 5, N_VALUES = N_OWN + GM_GROUND_COORDS_N_VALUES };

struct check {
    struct gm_llm_stage base; /* first: the helpers take a pointer to it */
    struct gm_ground_coords coords;
    struct gm_llm_asking learning; /* ground's question, by which the model's numbers are learned */
    struct gm_prompt *ground_prompt;
    struct gm_json *ground_schema;
    double region, max_boxes;
};

/* ---- settings ---- */

static const struct gm_llm_prompt_setting ground_prompt = {
    "ground_prompt", "ground_post", gm_ground_values_of_all, gm_ground_example_values};

/* Once the order of a box's numbers is known. */
static void read_in_order(struct check *c)
{
    c->base.read = c->coords.order == GM_ORDER_YXYX ? gm_said_checks_yx : gm_said_checks;
}

static enum gm_status open_check(void *self, const struct gm_json *settings, struct gm_error *err)
{
    struct check *c = self;
    enum gm_status st = GM_OK;
    c->region = 0.5;
    c->max_boxes = 10;
    GM_TRY(gm_settings_num(settings, "region", 0, 1, &c->region, err));
    GM_TRY(gm_settings_num(settings, "max_boxes", 1, 100, &c->max_boxes, err));
    GM_TRY(gm_llm_prompt_load(&c->ground_prompt, &ground_prompt, settings, err));
    GM_TRY(gm_schema_parse(
        &c->ground_schema,
        GM_STR(GM_GROUND_SCHEMA_OF_ALL("\"visible\":{\"type\":\"boolean\"}", "visible",
                                       GM_GROUND_SCHEMA_OF_BOXES, "boxes")),
        err));
    c->learning = (struct gm_llm_asking){.prompt = c->ground_prompt, .schema = c->ground_schema};
    GM_TRY(gm_ground_coords_open(&c->coords, &c->base, settings, true, &c->learning, err));
    read_in_order(c);
done:
    return st;
}

static void close_check(void *self)
{
    struct check *c = self;
    gm_prompt_free(c->ground_prompt);
    gm_json_free(c->ground_schema);
}

static enum gm_status fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                  struct gm_error *err)
{
    return gm_llm_prompt_fingerprint(&ground_prompt, settings, out, err);
}

static enum gm_status learn_coords(void *self, struct gm_error *err)
{
    struct check *c = self;
    enum gm_status st = gm_ground_coords_learn(&c->coords, &c->base, err);
    read_in_order(c);
    return st;
}

/* ---- the question ---- */

/* One post's entities while the question is out. */
struct work {
    struct gm_post *post;
    struct gm_arena arena;
    struct gm_picture picture;
    struct gm_entity **asked;
    size_t n;
};

/* The least score of its regions counts. */
static double score_of(const struct gm_entity *e)
{
    double least = 1;
    for (size_t i = 0; i < e->n_regions; i++)
        least = fmin(least, (double)e->regions[i].score);
    return least;
}

static bool is_uncertain(const struct check *c, const struct gm_entity *e)
{
    return e->n_regions && 1 - score_of(e) > c->region;
}

/* "NAME (TYPE), found at [12, 34, 56, 78]" */
static enum gm_status add_found(const struct check *c, const struct work *w,
                                const struct gm_entity *e, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str type = e->fine_type.n ? e->fine_type : e->type;
    GM_TRY(
        gm_buf_printf(out, err, "%.*s (%.*s), found at ", GM_STR_ARG(e->text), GM_STR_ARG(type)));
    for (size_t k = 0; k < e->n_regions; k++) {
        GM_TRY(gm_buf_add_c(out, k ? " and " : "", err));
        GM_TRY(gm_ground_coords_put(&c->coords, &w->picture, e->regions[k].box, out, err));
    }
done:
    return st;
}

/* "1. …, 40% sure", a line each. */
static enum gm_status list_asked(const struct check *c, const struct work *w, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->n; i++) {
        GM_TRY(gm_buf_printf(out, err, "%s%zu. ", i ? "\n" : "", i + 1));
        GM_TRY(add_found(c, w, w->asked[i], out, err));
        GM_TRY(gm_buf_printf(out, err, ", %ld%% sure", lround(100 * score_of(w->asked[i]))));
    }
done:
    return st;
}

/* The entities whose boxes are certain, a line each. */
static enum gm_status list_sure(const struct check *c, const struct work *w, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->post->n_entities && out->n < SURE_MAX; i++) {
        const struct gm_entity *e = &w->post->entities[i];
        if (!e->n_regions || is_uncertain(c, e))
            continue;
        GM_TRY(gm_buf_add_c(out, out->n ? "\n" : "", err));
        GM_TRY(add_found(c, w, e, out, err));
    }
done:
    return st;
}

static const char *check_numbers(void *user, const struct gm_json *value)
{
    const struct work *w = user;
    return gm_llm_is_numbered(gm_json_get(value, "entities"), w->n, w->n, false)
               ? NULL
               : "not one answer an entity";
}

static enum gm_status ask(struct check *c, struct work *w, struct gm_llm_reply *reply,
                          struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_prompt_value v[N_VALUES];
    struct gm_buf list, sure;
    struct gm_str definitions, *types = gm_arena_alloc(&w->arena, w->n, sizeof *types);
    gm_buf_init(&list, (size_t)4 << 20);
    gm_buf_init(&sure, (size_t)4 << 20);
    GM_TRY(types ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < w->n; i++)
        types[i] = w->asked[i]->fine_type.n ? w->asked[i]->fine_type : w->asked[i]->type;
    GM_TRY(gm_guide_definitions(&c->base.guide, types, w->n, &w->arena, &definitions, err));
    GM_TRY(list_asked(c, w, &list, err));
    GM_TRY(list_sure(c, w, &sure, err));
    v[0] = (struct gm_prompt_value){"text", w->post->text};
    v[1] = (struct gm_prompt_value){"caption", w->post->caption};
    v[2] = (struct gm_prompt_value){"entities", gm_buf_str(&list)};
    v[3] = (struct gm_prompt_value){"type_definition", definitions};
    v[4] = (struct gm_prompt_value){"sure", gm_buf_str(&sure)};
    GM_TRY(gm_ground_coords_values(&c->coords, &w->picture, &w->arena, v + N_OWN, err));
    const struct gm_llm_question q = {
        .post = w->post, .values = v, .n_values = N_VALUES, .check = check_numbers, .user = w};
    GM_TRY(gm_llm_stage_ask(&c->base, &w->picture, &q, 1, reply, err));
done:
    gm_buf_clear(&list);
    gm_buf_clear(&sure);
    return st;
}

/* ---- the answer ---- */

static enum gm_status take_one(const struct check *c, const struct work *w, struct gm_entity *e,
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
    GM_TRY(gm_ground_take_boxes(&c->base, w->post, e, gm_json_get(said, "boxes"),
                                gm_ground_coords_frame(&c->coords, &w->picture),
                                (size_t)c->max_boxes, err));
    if (e->n_regions == 0) { /* none of them can be one: what was found stays */
        e->regions = regions;
        e->n_regions = n;
    }
done:
    return st;
}

static enum gm_status take(const struct check *c, const struct work *w,
                           const struct gm_llm_reply *reply, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *list = gm_json_get(reply->value, "entities");
    for (size_t i = 0; i < w->n && reply->st == GM_EFORMAT; i++)
        GM_TRY(gm_llm_reject_entity(&c->base, w->post, w->asked[i], "schema", err));
    for (size_t i = 0; i < gm_json_count(list); i++) {
        long long number = 1;
        (void)gm_json_int(gm_json_get(gm_json_at(list, i), "entity"), &number);
        GM_TRY(take_one(c, w, w->asked[number - 1], gm_json_at(list, i), err));
    }
done:
    return st;
}

static enum gm_status check_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct check *c = self;
    enum gm_status st = GM_OK;
    struct work w = {.post = p};
    struct gm_llm_reply reply = {0};
    gm_arena_init(&w.arena, 0);
    w.asked = gm_arena_alloc(&w.arena, p->n_entities, sizeof *w.asked);
    GM_TRY(w.asked ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < p->n_entities && w.n < GM_LLM_NUMBERED_MAX; i++)
        if (is_uncertain(c, &p->entities[i]))
            w.asked[w.n++] = &p->entities[i];
    if (w.n == 0)
        goto done;
    GM_TRY(gm_llm_stage_picture(&c->base, p, &w.picture, err));
    if (p->error.stage.n)
        goto done;
    GM_TRY(ask(c, &w, &reply, err));
    if (!gm_llm_stage_failed(&c->base, p, &reply))
        GM_TRY(take(c, &w, &reply, err));
done:
    gm_llm_reply_clear(&reply);
    gm_picture_clear(&w.picture);
    gm_arena_clear(&w.arena);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES, GM_GROUND_ALL_VALUES, "sure",
                                     GM_GROUND_COORDS_VALUES, NULL};
static const char *const known[] = {
    GM_LLM_SETTINGS, GM_GROUND_COORDS_SETTINGS, "region", "ground_prompt", "max_boxes", NULL};
static const struct gm_llm_stage_kind kind = {
    .prompt = "check",
    .values = values,
    .settings = known,
    .schema = GM_GROUND_SCHEMA_OF_ALL(
        "\"answer\":{\"type\":\"string\",\"enum\":[\"keep\",\"change\",\"none\"]}", "answer",
        GM_GROUND_SCHEMA_OF_BOXES, "boxes"),
    .max_tokens = 2000,
    .needs_picture = GM_LLM_PICTURE_NEEDED,
    .one = check_post,
    .learn = learn_coords,
    .size = sizeof(struct check),
    .open = open_check,
    .close = close_check,
    .fingerprint = fingerprint,
};

const struct gm_backend gm_backend_check_llm = {GM_LLM_BACKEND, .stage = "check",
                                                .needs_image = true, .llm = &kind};
