/* check, by a multimodal LLM: the boxes that ground has found and that are uncertain are looked at again. How uncertain
 * a region is: 1 - its score, which is the detector's, or what a model's answers agree to (ground_samples.h).
 *
 *   in the whole picture   all of a post's in one question: keep, other boxes, or none (check_ask.c)
 *   by themselves          (crop) each is cut out: is this it? (check_crop.c) What is not confirmed is asked about
 *                          once more in the whole picture, with what was found and how sure that is; the
 *                          boxes that come of it are cut out again. What is not confirmed then goes, or stays
 *
 * Source: the region step of ReFineG (arXiv 2509.10975). */
#include "stages/backends.h"
#include "stages/region_check.h"
#include "stages/said.h"

#include "llm/schema.h"
#include "record/note.h"

/* ---- settings ---- */

static const char *const crop_values[] = {GM_LLM_VALUES, "text",       "caption",         "entity",
                                          "type",        "expression", "type_definition", NULL};
static const struct gm_llm_prompt_setting ground_prompt = {
    "ground_prompt", "ground_post", gm_ground_values_of_all, gm_ground_example_values};
static const struct gm_llm_prompt_setting crop_prompt = {"crop_prompt", "check_crop", crop_values,
                                                         NULL};

/* Once the order of a box's numbers is known. */
static void read_in_order(struct gm_region_check *c)
{
    c->base.read = c->marks.most > 0                  ? gm_said_mark_checks
                   : c->coords.order == GM_ORDER_YXYX ? gm_said_checks_yx
                                                      : gm_said_checks;
}

static bool has_crop(const struct gm_json *settings) { return gm_json_get(settings, "crop"); }

static enum gm_status read_crop(struct gm_region_check *c, const struct gm_json *settings,
                                struct gm_error *err)
{
    static const char *const of_crop[] = {"crop_prompt", "confirm", "retry", "unconfirmed"};
    enum gm_status st = GM_OK;
    struct gm_str then = GM_STR("drop");
    c->crop = -1;
    c->confirm = 0.5;
    c->retry = true;
    for (size_t i = 0; i < sizeof of_crop / sizeof *of_crop && !has_crop(settings); i++)
        if (gm_json_get(settings, of_crop[i]))
            return GM_FAIL(err, GM_EARG, "setting \"%s\" is of the setting \"crop\", such as 0.15",
                           of_crop[i]);
    if (!has_crop(settings))
        return GM_OK;
    GM_TRY(gm_settings_num(settings, "crop", 0, 2, &c->crop, err));
    GM_TRY(gm_settings_num(settings, "confirm", 0, 1, &c->confirm, err));
    GM_TRY(gm_settings_str(settings, "unconfirmed", &then, err));
    c->drops = gm_str_eq_c(then, "drop");
    if (!c->drops && !gm_str_eq_c(then, "keep"))
        return GM_FAIL(err, GM_EARG, "setting \"unconfirmed\" is \"%.*s\"; it must be drop or keep",
                       GM_STR_ARG(then));
    GM_TRY(gm_settings_bool(settings, "retry", &c->retry, err));
    GM_TRY(gm_llm_prompt_load(&c->crop_prompt, &crop_prompt, settings, err));
    c->cropping = (struct gm_llm_asking){.prompt = c->crop_prompt, .max_tokens = 8};
done:
    return st;
}

static enum gm_status open_check(void *self, const struct gm_json *settings, struct gm_error *err)
{
    struct gm_region_check *c = self;
    enum gm_status st = GM_OK;
    GM_TRY(read_crop(c, settings, err));
    c->region = c->crop < 0 ? 0.5 : -1; /* crops: of every box */
    c->max_boxes = 10;
    GM_TRY(gm_settings_num(settings, "region", 0, 1, &c->region, err));
    GM_TRY(gm_settings_whole(settings, "max_boxes", 1, 100, &c->max_boxes, err));
    GM_TRY(gm_marks_open(&c->marks, settings, err));
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
    struct gm_region_check *c = self;
    gm_prompt_free(c->ground_prompt);
    gm_prompt_free(c->crop_prompt);
    gm_json_free(c->ground_schema);
    gm_marks_clear(&c->marks);
}

static enum gm_status fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_llm_prompt_fingerprint(&ground_prompt, settings, out, err));
    if (has_crop(settings))
        GM_TRY(gm_llm_prompt_fingerprint(&crop_prompt, settings, out, err));
    st = gm_marks_fingerprint(settings, out, err);
done:
    return st;
}

/* Where boxes are never said, nothing is to be learned of them. */
static enum gm_status learn_coords(void *self, struct gm_error *err)
{
    struct gm_region_check *c = self;
    if (c->marks.most > 0 || (c->crop >= 0 && !c->retry))
        return GM_OK;
    enum gm_status st = gm_ground_coords_learn(&c->coords, &c->base, err);
    read_in_order(c);
    return st;
}

/* ---- a post ---- */

static enum gm_status choose(const struct gm_region_check *c, struct gm_post *p,
                             struct gm_region_check_work *w, struct gm_error *err)
{
    w->asked = gm_arena_alloc(&w->arena, p->n_entities, sizeof *w->asked);
    if (!w->asked)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_entities && w->n < GM_LLM_NUMBERED_MAX; i++) {
        struct gm_entity *e = &p->entities[i];
        if (gm_check_is_uncertain(c, e))
            w->asked[w->n++] = (struct gm_checked){e, e->regions, e->n_regions, e->note};
    }
    return GM_OK;
}

/* What is to become of those that nothing confirms. */
static enum gm_status settle(const struct gm_region_check *c, const struct gm_region_check_work *w,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->n && st == GM_OK; i++) {
        const struct gm_checked *x = &w->asked[i];
        x->e->regions = x->regions;
        x->e->n_regions = c->drops ? 0 : x->n_regions;
        st = c->drops ? gm_note_set(w->post, x->e, "no_box", "not_confirmed", err)
                      : gm_note_set(w->post, x->e, "check", "not_confirmed", err);
    }
    return st;
}

/* Those of the asked that have other boxes now; the others are settled, but for those that have none. */
static enum gm_status keep_changed(const struct gm_region_check *c, struct gm_region_check_work *w,
                                   const struct gm_region *const *shown, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct gm_checked x = w->asked[i];
        struct gm_region_check_work one = {.post = w->post, .asked = &x, .n = 1};
        if (x.e->n_regions && x.e->regions == shown[i])
            GM_TRY(settle(c, &one, err));
        else if (x.e->n_regions)
            w->asked[n++] = x;
    }
    w->n = n;
done:
    return st;
}

/* The whole way of boxes that are cut out. */
static enum gm_status check_by_crops(struct gm_region_check *c, struct gm_region_check_work *w,
                                     bool *answered, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_check_crops(c, w, answered, err));
    if (!*answered || w->n == 0)
        goto done;
    if (c->retry) {
        const struct gm_region **shown = gm_arena_alloc(&w->arena, w->n, sizeof *shown);
        if (!shown)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        for (size_t i = 0; i < w->n; i++)
            shown[i] = w->asked[i].e->regions;
        GM_TRY(gm_check_regions(c, w, answered, err));
        if (*answered)
            GM_TRY(keep_changed(c, w, shown, err));
        if (*answered)
            GM_TRY(gm_check_crops(c, w, answered, err));
    }
    if (*answered)
        st = settle(c, w, err);
done:
    return st;
}

/* A post that has no answer is as it came. */
static void restore(const struct gm_checked *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        all[i].e->regions = all[i].regions;
        all[i].e->n_regions = all[i].n_regions;
        all[i].e->note = all[i].note;
    }
}

/* What an earlier run said of those that are asked about again. */
static enum gm_status clear_notes(const struct gm_region_check *c,
                                  const struct gm_region_check_work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->n; i++) {
        GM_TRY(gm_llm_clear_rejected(&c->base, w->post, w->asked[i].e, err));
        GM_TRY(gm_note_set(w->post, w->asked[i].e, "check", NULL, err));
    }
done:
    return st;
}

static enum gm_status check_post(void *self, struct gm_post *p, struct gm_error *err)
{
    struct gm_region_check *c = self;
    enum gm_status st = GM_OK;
    struct gm_region_check_work w = {.post = p};
    struct gm_checked *all = NULL;
    size_t n = 0;
    bool answered = false;
    gm_arena_init(&w.arena, 0);
    GM_TRY(choose(c, p, &w, err));
    n = w.n;
    if (n == 0)
        goto done;
    if (!(all = gm_arena_alloc(&w.arena, n, sizeof *all))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        all[i] = w.asked[i];
    GM_TRY(clear_notes(c, &w, err));
    st = c->crop < 0 ? gm_check_regions(c, &w, &answered, err)
                     : check_by_crops(c, &w, &answered, err);
    if (st != GM_OK || !answered)
        restore(all, n);
done:
    gm_picture_clear(&w.picture);
    gm_arena_clear(&w.arena);
    return st;
}

static const char *const values[] = {GM_LLM_VALUES, GM_GROUND_ALL_VALUES, "sure",
                                     GM_GROUND_COORDS_VALUES, NULL};
static const char *const known[] = {GM_LLM_SETTINGS,
                                    GM_GROUND_COORDS_SETTINGS,
                                    GM_MARKS_SETTINGS,
                                    "region",
                                    "ground_prompt",
                                    "max_boxes",
                                    "crop",
                                    "crop_prompt",
                                    "confirm",
                                    "retry",
                                    "unconfirmed",
                                    NULL};

static const struct gm_llm_stage_kind *pick(const struct gm_json *settings);

#define ANSWER "\"answer\":{\"type\":\"string\",\"enum\":[\"keep\",\"change\",\"none\"]}"
#define KIND                                                                          \
    .pick = pick, .values = values, .settings = known, .max_tokens = 2000,            \
    .needs_picture = GM_LLM_PICTURE_NEEDED, .one = check_post, .learn = learn_coords, \
    .size = sizeof(struct gm_region_check), .open = open_check, .close = close_check, \
    .fingerprint = fingerprint

/* By marks. */
static const struct gm_llm_stage_kind kinds[2] = {
    {KIND, .prompt = "check",
     .schema = GM_GROUND_SCHEMA_OF_ALL(ANSWER, "answer", GM_GROUND_SCHEMA_OF_BOXES, "boxes")},
    {KIND, .prompt = "check_marks",
     .schema = GM_GROUND_SCHEMA_OF_ALL(ANSWER, "answer", GM_GROUND_SCHEMA_OF_MARKS, "numbers")}};

static const struct gm_llm_stage_kind *pick(const struct gm_json *settings)
{
    return &kinds[gm_marks_are_set(settings)];
}

const struct gm_backend gm_backend_check_llm = {GM_LLM_BACKEND, .stage = "check",
                                                .needs_image = true, .llm = &kinds[0]};
