/* ground, by a multimodal LLM: the boxes of each entity, none, one or several, in the model's own
 * numbers, which the recipe names or the model shows (ground_coords.h), scaled back to the original picture.
 * One question an entity, or (batch: post) one about all of a post's, each name once; with examples of
 * annotated posts before it (examples.h). With `marks` no box is said: proposed ones are numbered in the picture,
 * and the answers are numbers (ground_marks.h).
 * Source: the grounding steps of ReFineG (arXiv 2509.10975) and RiVEG (arXiv 2406.07268).
 * The model says only where: which entities there are is not its to change. */
#include "stages/backends.h"
#include "stages/ground_answers.h"
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
    struct gm_marks marks;
    bool several;
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

/* One box an entity or several; how many at most. */
static enum gm_status read_boxes(struct ground *g, const struct gm_json *settings,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    g->max_boxes = 10;
    GM_TRY(gm_settings_whole(settings, "max_boxes", 1, 100, &g->max_boxes, err));
    GM_TRY(gm_ground_read_several(settings, &g->several, err));
    if (!g->several)
        g->max_boxes = 1;
done:
    return st;
}

/* Behind gm_ground_coords_open, whose way of reading answers goes where boxes are numbered. */
static enum gm_status read_marks(struct ground *g, const struct gm_json *settings,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_marks_open(&g->marks, settings, err));
    if (g->marks.most == 0)
        return GM_OK;
    g->base.read = g->coords.by_post ? gm_said_mark_grounds : gm_said_marks;
    if (gm_json_get(settings, "examples"))
        st =
            GM_FAIL(err, GM_EARG,
                    "setting \"examples\" goes with boxes that the model says, not with \"marks\": "
                    "leave one of the two out");
done:
    return st;
}

static enum gm_status open_ground(void *self, const struct gm_json *settings, struct gm_error *err)
{
    struct ground *g = self;
    enum gm_status st = GM_OK;
    struct gm_str batch = GM_STR("entity");
    g->visible_min = GM_VISIBLE_MIN;
    GM_TRY(gm_settings_str(settings, "batch", &batch, err));
    if (!is_by_post(settings) && !gm_str_eq_c(batch, "entity"))
        return GM_FAIL(err, GM_EARG, "setting \"batch\" is \"%.*s\"; it must be entity or post",
                       GM_STR_ARG(batch));
    GM_TRY(gm_ground_coords_open(&g->coords, &g->base, settings, is_by_post(settings), NULL, err));
    GM_TRY(gm_settings_num(settings, "visible", 0, 1, &g->visible_min, err));
    GM_TRY(read_boxes(g, settings, err));
    GM_TRY(read_marks(g, settings, err));
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
    gm_marks_clear(&g->marks);
}

static enum gm_status fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = gm_examples_fingerprint(settings, out, err);
    return st == GM_OK ? gm_marks_fingerprint(settings, out, err) : st;
}

static enum gm_status learn_coords(void *self, struct gm_error *err)
{
    struct ground *g = self;
    return g->marks.most > 0 ? GM_OK : gm_ground_coords_learn(&g->coords, &g->base, err);
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
        GM_TRY(gm_llm_clear_rejected(&g->base, p, e, err));
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

static enum gm_status take_one(struct ground *g, struct gm_post *p, const struct gm_ground_work *w,
                               size_t i, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_entity *e = w->asked[i];
    const struct gm_json *boxes = w->targets[w->of[i]].boxes;
    if (!boxes)
        return gm_llm_reject_entity(&g->base, p, e, "schema", err);
    GM_TRY(gm_ground_take_boxes(&g->base, p, e, boxes, w->frame, (size_t)g->max_boxes, err));
    if (w->marked.n)
        st = gm_marks_credit(&w->marked, p, e, err);
done:
    return st;
}

/* Those that are asked about have nothing to be chosen from. */
static enum gm_status note_no_proposals(struct gm_post *p, const struct gm_ground_work *w,
                                        struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->n && st == GM_OK; i++)
        st = gm_note_set(p, w->asked[i], "no_box", "no_proposals", err);
    return st;
}

/* The picture as it is sent, and what answers' boxes are counted in. */
static enum gm_status make_picture(struct ground *g, struct gm_post *p, struct gm_ground_work *w,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_picture_view view = {.paint = gm_marks_paint, .user = &w->marked};
    GM_TRY(gm_llm_stage_views(&g->base, p, w->marked.n ? &view : NULL, 1, &w->picture, err));
    w->frame = w->marked.n ? (struct gm_frame){w->picture.full_w, w->picture.full_h}
                           : gm_ground_coords_frame(&g->coords, &w->picture);
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

static enum gm_status ask(struct ground *g, struct gm_post *p, struct gm_ground_work *w,
                          struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_ground_asking asking = {
        .coords = &g->coords, .base = &g->base, .examples = g->examples, .several = g->several};
    bool answered;
    GM_TRY(gm_ground_questions(&asking, p, w, err));
    GM_TRY(gm_ground_answers(&asking, p, w, &answered, err));
    for (size_t i = 0; i < w->n && answered; i++)
        GM_TRY(take_one(g, p, w, i, err));
    if (answered && g->samples > 0 && has_boxes(w))
        GM_TRY(gm_ground_samples(&g->coords, &g->base, p, w, (size_t)g->samples,
                                 g->sample_temperature, err));
done:
    return st;
}

static enum gm_status ground_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct ground *g = self;
    enum gm_status st = GM_OK;
    struct gm_ground_work w = {.n = 0};
    struct gm_error why;
    GM_TRY(gm_ground_work_init(&w, p->n_entities, err));
    GM_TRY(choose(g, p, &w, err));
    if (w.n == 0 || !p->image.n)
        goto done;
    if (g->marks.most > 0 && gm_marks_choose(&g->marks, p, &w.marked, &why) != GM_OK) {
        gm_post_fail(p, g->base.stage, &why);
        goto done;
    }
    if (g->marks.most > 0 && w.marked.n == 0) {
        st = note_no_proposals(p, &w, err);
        goto done;
    }
    GM_TRY(make_picture(g, p, &w, err));
    if (!p->error.stage.n)
        st = ask(g, p, &w, err);
done:
    gm_ground_work_clear(&w);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES, GM_GROUND_EACH_VALUES, GM_GROUND_COORDS_VALUES,
                                     NULL};
static const char *const known[] = {GM_LLM_SETTINGS,
                                    GM_GROUND_COORDS_SETTINGS,
                                    GM_EXAMPLES_SETTINGS,
                                    GM_MARKS_SETTINGS,
                                    "batch",
                                    "boxes",
                                    "visible",
                                    "never",
                                    "max_boxes",
                                    "samples",
                                    "sample_temperature",
                                    NULL};

static const struct gm_llm_stage_kind *pick(const struct gm_json *settings);

#define KIND                                                                           \
    .settings = known, .example_values = gm_ground_example_values, .pick = pick,       \
    .needs_picture = GM_LLM_PICTURE_NEEDED, .one = ground_post, .learn = learn_coords, \
    .size = sizeof(struct ground), .open = open_ground, .close = close_ground,         \
    .fingerprint = fingerprint

#define VISIBLE "\"visible\":{\"type\":\"boolean\"}"
#define SCHEMA_OF_ONE(places, name)                                                      \
    "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\"}," places "}," \
    "\"required\":[\"reason\",\"" name "\"],\"additionalProperties\":false}"

/* By batch and marks. */
static const struct gm_llm_stage_kind kinds[2][2] = {
    {{KIND, .prompt = "ground", .values = values,
      .schema = SCHEMA_OF_ONE(GM_GROUND_SCHEMA_OF_BOXES, "boxes"), .max_tokens = 400},
     {KIND, .prompt = "ground_marks", .values = values,
      .schema = SCHEMA_OF_ONE(GM_GROUND_SCHEMA_OF_MARKS, "numbers"), .max_tokens = 300}},
    {{KIND, .prompt = "ground_post", .values = gm_ground_values_of_all,
      .schema = GM_GROUND_SCHEMA_OF_ALL(VISIBLE, "visible", GM_GROUND_SCHEMA_OF_BOXES, "boxes"),
      .max_tokens = 2000},
     {KIND, .prompt = "ground_marks_post", .values = gm_ground_values_of_all,
      .schema = GM_GROUND_SCHEMA_OF_ALL(VISIBLE, "visible", GM_GROUND_SCHEMA_OF_MARKS, "numbers"),
      .max_tokens = 1500}}};

static const struct gm_llm_stage_kind *pick(const struct gm_json *settings)
{
    return &kinds[is_by_post(settings)][gm_marks_are_set(settings)];
}

const struct gm_backend gm_backend_ground_llm = {GM_LLM_BACKEND, .stage = "ground",
                                                 .needs_image = true, .llm = &kinds[0][0],
                                                 .pass_by = gm_ground_pass_by};
