/* ground, by a multimodal LLM: the boxes of each entity, none, one or several, in the model's own
 * numbers, which the recipe names or the model shows (ground_coords.h), scaled back to the original picture.
 * One question an entity, or (batch: post) one about all of a post's, each name once; with examples of
 * annotated posts before it (examples.h).
 * Source: the grounding steps of ReFineG (arXiv 2509.10975) and RiVEG (arXiv 2406.07268).
 * The model says only where: which entities there are is not its to change. */
#include "stages/backends.h"
#include "stages/ground_samples.h"
#include "stages/llm_stage.h"
#include "stages/said.h"

#include "record/note.h"

#include <math.h>

enum { NEVER_MAX = 64, TARGETS_MAX = GM_LLM_NUMBERED_MAX };

struct ground {
    struct gm_llm_stage base; /* first: the helpers take a pointer to it */
    struct gm_ground_coords coords;
    struct gm_examples *examples; /* NULL = none */
    double visible_min, max_boxes;
    double samples, sample_temperature; /* answers that the boxes' scores come from; 0 = none */
    const char *never[NEVER_MAX];       /* types that have no place in a picture */
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

static bool is_by_post(const struct gm_json *settings)
{
    struct gm_str batch;
    return gm_json_str(gm_json_get(settings, "batch"), &batch) && gm_str_eq_c(batch, "post");
}

static enum gm_status read_samples(struct ground *g, const struct gm_json *settings,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    g->sample_temperature = 0.7;
    GM_TRY(gm_settings_num(settings, "samples", 0, GM_GROUND_SAMPLES_MAX, &g->samples, err));
    GM_TRY(gm_settings_num(settings, "sample_temperature", 0, 2, &g->sample_temperature, err));
    if (g->samples != floor(g->samples) || g->samples == 1)
        st = GM_FAIL(err, GM_EARG, "setting \"samples\" is %g; it must be 0, or 2 to %d",
                     g->samples, (int)GM_GROUND_SAMPLES_MAX);
done:
    return st;
}

static enum gm_status open_ground(void *self, const struct gm_json *settings, struct gm_error *err)
{
    struct ground *g = self;
    enum gm_status st = GM_OK;
    struct gm_str batch = GM_STR("entity");
    g->visible_min = GM_VISIBLE_MIN;
    g->max_boxes = 10;
    GM_TRY(gm_settings_str(settings, "batch", &batch, err));
    if (!is_by_post(settings) && !gm_str_eq_c(batch, "entity"))
        return GM_FAIL(err, GM_EARG, "setting \"batch\" is \"%.*s\"; it must be entity or post",
                       GM_STR_ARG(batch));
    GM_TRY(gm_ground_coords_open(&g->coords, &g->base, settings, is_by_post(settings), NULL, err));
    GM_TRY(gm_settings_num(settings, "visible", 0, 1, &g->visible_min, err));
    GM_TRY(gm_settings_num(settings, "max_boxes", 1, 100, &g->max_boxes, err));
    GM_TRY(read_samples(g, settings, err));
    GM_TRY(read_never(g, gm_json_get(settings, "never"), err));
    GM_TRY(gm_examples_open(&g->examples, &g->base, settings, err));
done:
    return st;
}

static void close_ground(void *self)
{
    struct ground *g = self;
    gm_examples_free(g->examples);
}

static enum gm_status learn_coords(void *self, struct gm_error *err)
{
    struct ground *g = self;
    return gm_ground_coords_learn(&g->coords, &g->base, err);
}

static bool is_never(const struct ground *g, const struct gm_entity *e)
{
    for (size_t i = 0; i < g->n_never; i++)
        if (gm_str_eq_c(e->type, g->never[i]) || gm_str_eq_c(e->fine_type, g->never[i]))
            return true;
    return false;
}

/* The target of an entity, a new one where its name was not there before. */
static bool find_target(const struct ground *g, struct gm_ground_work *w, const struct gm_entity *e,
                        size_t *at)
{
    *at = g->coords.by_post ? 0 : w->n_targets;
    while (*at < w->n_targets && !(gm_str_eq(w->targets[*at].first->text, e->text) &&
                                   gm_str_eq(w->targets[*at].first->type, e->type)))
        ++*at;
    if (*at == w->n_targets && g->coords.by_post && w->n_targets == TARGETS_MAX)
        return false;
    if (*at == w->n_targets)
        w->targets[w->n_targets++].first = e;
    return true;
}

/* Those asked about: probably visible, of a type that can be seen, and without boxes that came with
 * the post. The others are told why they get none; what an earlier run said of any goes. */
static enum gm_status choose(const struct ground *g, struct gm_post *p, struct gm_ground_work *w,
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
        else if (!find_target(g, w, e, &w->of[w->n]))
            GM_TRY(gm_note_set(p, e, "no_box", "too_many_entities", err));
        else
            w->asked[w->n++] = e;
    }
done:
    return st;
}

/* ---- a post ---- */

static enum gm_status take(struct ground *g, struct gm_post *p, struct gm_ground_work *w,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_frame f = gm_ground_coords_frame(&g->coords, &w->picture);
    for (size_t i = 0; i < w->n_q; i++)
        if (gm_llm_stage_failed(&g->base, p, &w->replies[i]))
            return GM_OK;
    for (size_t i = 0; i < w->n; i++) {
        const struct gm_json *boxes = gm_ground_boxes_of(&g->coords, w->replies, w->of[i]);
        if (boxes)
            GM_TRY(gm_ground_take_boxes(&g->base, p, w->asked[i], boxes, f, (size_t)g->max_boxes,
                                        err));
        else
            GM_TRY(gm_llm_reject_entity(&g->base, p, w->asked[i], "schema", err));
    }
done:
    return st;
}

static bool has_boxes(const struct gm_ground_work *w)
{
    size_t i = 0;
    while (i < w->n && !w->asked[i]->n_regions)
        i++;
    return i < w->n;
}

static enum gm_status ground_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct ground *g = self;
    enum gm_status st = GM_OK;
    struct gm_ground_work w = {.n = 0};
    GM_TRY(gm_ground_work_init(&w, p->n_entities, err));
    GM_TRY(choose(g, p, &w, err));
    if (w.n == 0 || !p->image.n)
        goto done;
    GM_TRY(gm_llm_stage_picture(&g->base, p, &w.picture, err));
    if (p->error.stage.n)
        goto done;
    GM_TRY(gm_ground_questions(&g->coords, &g->base, g->examples, p, &w, err));
    GM_TRY(gm_llm_stage_ask(&g->base, &w.picture, w.q, w.n_q, w.replies, err));
    GM_TRY(take(g, p, &w, err));
    if (g->samples > 0 && has_boxes(&w) && !p->error.stage.n)
        GM_TRY(gm_ground_samples(&g->coords, &g->base, p, &w, (size_t)g->samples,
                                 g->sample_temperature, err));
done:
    gm_ground_work_clear(&w);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES, GM_GROUND_EACH_VALUES, GM_GROUND_COORDS_VALUES,
                                     NULL};
static const char *const known[] = {GM_LLM_SETTINGS,
                                    GM_GROUND_COORDS_SETTINGS,
                                    GM_EXAMPLES_SETTINGS,
                                    "batch",
                                    "visible",
                                    "never",
                                    "max_boxes",
                                    "samples",
                                    "sample_temperature",
                                    NULL};

#define KIND                                                                           \
    .settings = known, .example_values = gm_ground_example_values,                     \
    .needs_picture = GM_LLM_PICTURE_NEEDED, .one = ground_post, .learn = learn_coords, \
    .size = sizeof(struct ground), .open = open_ground, .close = close_ground,         \
    .fingerprint = gm_examples_fingerprint

static const struct gm_llm_stage_kind kind_of_all = {
    KIND,
    .prompt = "ground_post",
    .values = gm_ground_values_of_all,
    .schema = GM_GROUND_SCHEMA_OF_ALL("\"visible\":{\"type\":\"boolean\"}", "visible"),
    .max_tokens = 2000,
};

static const struct gm_llm_stage_kind *pick(const struct gm_json *settings)
{
    return is_by_post(settings) ? &kind_of_all : NULL;
}

static const struct gm_llm_stage_kind kind = {
    KIND,
    .pick = pick,
    .prompt = "ground",
    .values = values,
    .schema =
        "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\"}," GM_GROUND_SCHEMA_OF_BOXES
        "},"
        "\"required\":[\"reason\",\"boxes\"],\"additionalProperties\":false}",
    .max_tokens = 400,
};

const struct gm_backend gm_backend_ground_llm = {GM_LLM_BACKEND, .stage = "ground",
                                                 .needs_image = true, .llm = &kind,
                                                 .pass_by = gm_ground_pass_by};
