/* ground, by a multimodal LLM: the boxes of each entity, none, one or several, in the model's own
 * numbers, which the recipe names or the model shows (ground_coords.h), scaled back to the original picture.
 * Source: the grounding steps of ReFineG (arXiv 2509.10975) and RiVEG (arXiv 2406.07268).
 * The model says only where: which entities there are is not its to change. */
#include "stages/backends.h"
#include "stages/ground_coords.h"
#include "stages/label_affinity.h"
#include "stages/llm_stage.h"
#include "stages/said.h"

#include "record/note.h"

#include <string.h>

enum { NEVER_MAX = 64 };

struct ground {
    struct gm_llm_stage base; /* first: the helpers take a pointer to it */
    struct gm_ground_coords coords;
    double visible_min, max_boxes;
    const char *never[NEVER_MAX]; /* types that have no place in a picture */
    size_t n_never;
};

static enum gm_status read_never(struct ground *g, const struct gm_json *list, struct gm_error *err)
{
    size_t n = gm_json_count(list);
    for (size_t i = 0; i < n && i < NEVER_MAX; i++) {
        struct gm_str type = {NULL, 0};
        (void)gm_json_str(gm_json_at(list, i), &type);
        if (!type.n || !(g->never[g->n_never] = gm_arena_str(&g->base.arena, type).p))
            break;
        g->n_never++;
    }
    if (!list || (gm_json_kind(list) == GM_JSON_ARRAY && g->n_never == n))
        return GM_OK;
    return GM_FAIL(err, GM_EARG, "setting \"never\" must be a list of at most %d types",
                   (int)NEVER_MAX);
}

static enum gm_status open_ground(void *self, const struct gm_json *settings, struct gm_error *err)
{
    struct ground *g = self;
    enum gm_status st = GM_OK;
    g->visible_min = GM_VISIBLE_MIN;
    g->max_boxes = 10;
    GM_TRY(gm_ground_coords_open(&g->coords, &g->base, settings, err));
    GM_TRY(gm_settings_num(settings, "visible", 0, 1, &g->visible_min, err));
    GM_TRY(gm_settings_num(settings, "max_boxes", 1, 100, &g->max_boxes, err));
    GM_TRY(read_never(g, gm_json_get(settings, "never"), err));
done:
    return st;
}

static enum gm_status learn_coords(void *self, struct gm_error *err)
{
    struct ground *g = self;
    return gm_ground_coords_learn(&g->coords, &g->base, err);
}

/* One post's questions while they are out. */
struct work {
    struct gm_arena arena;
    struct gm_picture picture;
    struct gm_entity **asked;
    struct gm_llm_question *q;
    struct gm_llm_reply *replies;
    size_t n;
};

static bool is_never(const struct ground *g, const struct gm_entity *e)
{
    for (size_t i = 0; i < g->n_never; i++)
        if (gm_str_eq_c(e->type, g->never[i]) || gm_str_eq_c(e->fine_type, g->never[i]))
            return true;
    return false;
}

/* Those asked about: probably visible, of a type that can be seen, and without boxes that came with
 * the post. The others are told why they get none; what an earlier run said of any goes. */
static enum gm_status choose(const struct ground *g, struct gm_post *p, struct work *w,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_entity *e = &p->entities[i];
        GM_TRY(gm_note_set(p, e, "no_box", NULL, err));
        GM_TRY(gm_note_set(p, e, "ground_rejected", NULL, err));
        if (e->n_regions)
            continue;
        if (is_never(g, e))
            GM_TRY(gm_note_set(p, e, "no_box", "type_never_shown", err));
        else if (e->visible >= 0 && e->visible < g->visible_min)
            GM_TRY(gm_note_below(p, e, "no_box", "below_threshold", g->visible_min, err));
        else
            w->asked[w->n++] = e;
    }
done:
    return st;
}

/* The boxes of one answer; each that can't be one is left out and counted. */
static enum gm_status take_boxes(struct ground *g, struct gm_post *p, struct gm_entity *e,
                                 const struct gm_json *boxes, struct gm_frame frame,
                                 struct gm_error *err)
{
    size_t n = gm_json_count(boxes), most = (size_t)g->max_boxes;
    enum gm_status st = GM_OK;
    struct gm_region *regions = gm_arena_alloc(&p->arena, n, sizeof *regions);
    if (!regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    size_t n_good = 0;
    for (size_t i = 0; i < n; i++) {
        double box[4] = {0};
        for (size_t k = 0; k < 4; k++)
            (void)gm_json_num(gm_json_at(gm_json_at(boxes, i), k), &box[k]);
        const char *why =
            n_good == most ? "too_many_boxes"
                           : gm_coords_box(box, frame, p->image_w, p->image_h, regions[n_good].box);
        if (why) {
            GM_TRY(gm_llm_reject_entity(&g->base, p, e, why, err));
            continue;
        }
        if (gm_is_person(e))
            regions[n_good].label = GM_STR("person"); /* what segment cuts out */
        regions[n_good++].score = e->visible >= 0 ? (float)e->visible : 1;
    }
    if (n == 0)
        GM_TRY(gm_note_set(p, e, "no_box", "not_found", err));
    e->regions = n_good ? regions : NULL;
    e->n_regions = n_good;
done:
    return st;
}

enum { N_OWN = 6, N_VALUES = N_OWN + GM_GROUND_COORDS_N_VALUES };

static enum gm_status build(const struct ground *g, const struct gm_post *p, struct work *w,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->n; i++) {
        const struct gm_entity *e = w->asked[i];
        struct gm_str type = e->fine_type.n ? e->fine_type : e->type;
        const struct gm_prompt_value own[N_OWN] = {
            {"text", p->text},
            {"caption", p->caption},
            {"entity", e->text},
            {"type", type},
            {"type_definition", gm_guide_definition(&g->base.guide, type)},
            {"expression", e->expression},
        };
        struct gm_prompt_value *v = gm_arena_alloc(&w->arena, N_VALUES, sizeof *v);
        if (!v)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        memcpy(v, own, sizeof own);
        GM_TRY(gm_ground_coords_values(&g->coords, &w->picture, &w->arena, v + N_OWN, err));
        w->q[i] = (struct gm_llm_question){.values = v, .n_values = N_VALUES};
    }
done:
    return st;
}

static enum gm_status take(struct ground *g, struct gm_post *p, const struct work *w,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_frame f = gm_ground_coords_frame(&g->coords, &w->picture);
    for (size_t i = 0; i < w->n; i++)
        if (gm_llm_stage_failed(&g->base, p, &w->replies[i]))
            return GM_OK;
    for (size_t i = 0; i < w->n; i++) {
        if (w->replies[i].st == GM_EFORMAT)
            GM_TRY(gm_llm_reject_entity(&g->base, p, w->asked[i], "schema", err));
        else
            GM_TRY(
                take_boxes(g, p, w->asked[i], gm_json_get(w->replies[i].value, "boxes"), f, err));
    }
done:
    return st;
}

static enum gm_status ground_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct ground *g = self;
    enum gm_status st = GM_OK;
    struct work w = {.n = 0};
    gm_arena_init(&w.arena, 0);
    w.asked = gm_arena_alloc(&w.arena, p->n_entities, sizeof *w.asked);
    w.q = gm_arena_alloc(&w.arena, p->n_entities, sizeof *w.q);
    w.replies = gm_arena_alloc(&w.arena, p->n_entities, sizeof *w.replies);
    if (!w.asked || !w.q || !w.replies) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(choose(g, p, &w, err));
    if (w.n == 0 || !p->image.n)
        goto done;
    GM_TRY(gm_llm_stage_picture(&g->base, p, &w.picture, err));
    if (p->error.stage.n)
        goto done;
    GM_TRY(build(g, p, &w, err));
    GM_TRY(gm_llm_stage_ask(&g->base, &w.picture, w.q, w.n, w.replies, err));
    GM_TRY(take(g, p, &w, err));
done:
    for (size_t i = 0; i < w.n; i++)
        gm_llm_reply_clear(&w.replies[i]);
    gm_picture_clear(&w.picture);
    gm_arena_clear(&w.arena);
    return st;
}

static const char *const values[] = {
    GM_LLM_VALUES,           "text", "caption", "entity", "type", "type_definition", "expression",
    GM_GROUND_COORDS_VALUES, NULL};
static const char *const known[] = {
    GM_LLM_SETTINGS, GM_GROUND_COORDS_SETTINGS, "visible", "never", "max_boxes", NULL};
static const struct gm_llm_stage_kind kind = {
    .prompt = "ground",
    .values = values,
    .settings = known,
    .schema = "{\"type\":\"object\",\"properties\":{\"boxes\":{\"type\":\"array\",\"maxItems\":100,"
              "\"items\":{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"minItems\":4,"
              "\"maxItems\":4}}},\"required\":[\"boxes\"],\"additionalProperties\":false}",
    .max_tokens = 400,
    .needs_picture = GM_LLM_PICTURE_NEEDED,
    .read = gm_said_boxes,
    .one = ground_post,
    .learn = learn_coords,
    .size = sizeof(struct ground),
    .open = open_ground,
};

const struct gm_backend gm_backend_ground_llm = {GM_LLM_BACKEND, .stage = "ground",
                                                 .needs_image = true, .llm = &kind,
                                                 .pass_by = gm_ground_pass_by};
