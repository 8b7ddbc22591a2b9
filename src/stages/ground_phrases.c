/* ground, by a phrase detector: each visible entity is looked for by its expression (or its name, where it has
 * none), all of a post at once; docs/grounding.md.
 *
 * - An entity below the entailment threshold gets no box; mentions of one name are one entity and share boxes.
 * - Its boxes are the phrase's best and, of several, those nearly as good that do not overlap a better one.
 *   Two entities may get the same box: a phrase that fits a thing fits it whatever else does.
 * - The best boxes of all phrases may go into the post's objects, for what chooses among regions later.
 * An entity that is left without a box carries a note that says why. */
#include "stages/backends.h"
#include "stages/ground_boxes.h"
#include "stages/ground_rule.h"
#include "stages/label_affinity.h"
#include "stages/pixels.h"

#include "base/alloc.h"
#include "base/models.h"
#include "base/stop.h"
#include "nn/engine.h"
#include "record/note.h"
#include "vision/phrases.h"

#include <string.h>

enum { BOXES_MAX = 100, OBJECTS_MAX = 1000, PHRASES_MAX = 1000 };

struct ground {
    struct gm_phrases *detector;
    struct gm_phrases_opts opts;
    double visible_min; /* an entity less probably visible gets no box */
    double near_score;  /* another box of the entity: at least this share of the best's score */
    bool several;
    size_t at_once;   /* phrases of one run; 0 = all */
    size_t n_objects; /* boxes that go into the post's objects */
};

static void close_ground(void *self)
{
    struct ground *g = self;
    if (!g)
        return;
    gm_phrases_free(g->detector);
    gm_free(g);
}

/* ---- settings ---- */

static enum gm_status whole(const struct gm_json *settings, const char *key, size_t most,
                            size_t *out, struct gm_error *err)
{
    double x = 0;
    enum gm_status st = gm_settings_whole(settings, key, 0, (double)most, &x, err);
    *out = (size_t)x;
    return st;
}

/* g->opts has the detector's defaults before. */
static enum gm_status read_numbers(struct ground *g, const struct gm_json *settings,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    g->visible_min = GM_VISIBLE_MIN;
    g->near_score = 0.8;
    GM_TRY(gm_settings_num(settings, "visible", 0, 1, &g->visible_min, err));
    GM_TRY(gm_settings_num(settings, "score", 0, 1, &g->opts.score_min, err));
    GM_TRY(gm_settings_num(settings, "text", 0, 1, &g->opts.text_min, err));
    GM_TRY(gm_settings_num(settings, "iou", 0, 1, &g->opts.iou_max, err));
    GM_TRY(gm_settings_num(settings, "near_score", 0, 1, &g->near_score, err));
    GM_TRY(gm_ground_read_several(settings, &g->several, err));
    GM_TRY(whole(settings, "at_once", PHRASES_MAX, &g->at_once, err));
    GM_TRY(whole(settings, "objects", OBJECTS_MAX, &g->n_objects, err));
done:
    return st;
}

/* The setting "model", which has no default that could be fetched. */
static enum gm_status model_setting(const struct gm_json *settings, struct gm_str *model,
                                    struct gm_error *err)
{
    *model = (struct gm_str){NULL, 0};
    enum gm_status st = gm_settings_str(settings, "model", model, err);
    if (st == GM_OK && !model->p)
        st = GM_FAIL(err, GM_EARG,
                     "setting \"model\" is missing: the folder of an exported OWL-ViT, OWLv2 or "
                     "Grounding DINO, such as ./owlv2 (docs/models.md says how to get one)");
    return st;
}

static enum gm_status find_model(struct gm_arena *a, const struct gm_json *settings,
                                 const char **dir, struct gm_error *err)
{
    struct gm_str model;
    enum gm_status st = model_setting(settings, &model, err);
    return st == GM_OK ? gm_model_dir(a, model.p, dir, err) : st;
}

static enum gm_status check_ground(const struct gm_backend *b, const struct gm_json *settings,
                                   struct gm_error *err)
{
    static const char *const known[] = {"model", "precision",  "visible", "score",   "text", "iou",
                                        "boxes", "near_score", "at_once", "objects", NULL};
    enum gm_status st = GM_OK;
    struct ground numbers = {.detector = NULL};
    struct gm_precision p;
    struct gm_str model, precision = GM_STR("auto");
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_precision(settings, "precision", &precision, &p, err));
    GM_TRY(model_setting(settings, &model, err));
    GM_TRY(read_numbers(&numbers, settings, err));
done:
    return st;
}

static enum gm_status open_ground(void **self, const struct gm_backend *b,
                                  const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_precision p;
    struct gm_str precision = GM_STR("auto");
    struct ground *g = gm_alloc(1, sizeof *g);
    const char *dir;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    *self = NULL;
    GM_TRY(g ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(check_ground(b, settings, err));
    GM_TRY(gm_settings_precision(settings, "precision", &precision, &p, err));
    GM_TRY(find_model(&a, settings, &dir, err));
    GM_TRY(gm_phrases_load(&g->detector, dir, p.dtype == GM_BF16, err));
    g->opts = gm_phrases_opts_default(g->detector);
    GM_TRY(read_numbers(g, settings, err));
    *self = g;
    g = NULL;
done:
    close_ground(g);
    gm_arena_clear(&a);
    return st;
}

static enum gm_status fingerprint(const struct gm_backend *b, const struct gm_json *settings,
                                  struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *dir, *paths[GM_PHRASES_FILES];
    struct gm_arena a;
    (void)b;
    gm_arena_init(&a, 0);
    GM_TRY(find_model(&a, settings, &dir, err));
    GM_TRY(gm_phrases_files(&a, dir, paths, err));
    for (size_t i = 0; i < GM_PHRASES_FILES; i++)
        GM_TRY(gm_fingerprint_network(paths[i] + strlen(dir), paths[i], out, err));
done:
    gm_arena_clear(&a);
    return st;
}

/* ---- a post ---- */

/* One name: the entity that is mentioned first stands for all of them. */
struct name {
    const struct gm_entity *entity;
    struct gm_detection boxes[BOXES_MAX];
    size_t n;
};

/* What is known of a post while it is worked on; in an arena of its own. */
struct work {
    struct gm_arena arena;
    struct name *names; /* [n] in order of mention */
    struct gm_str *phrases;
    size_t n;
    struct gm_detection *objects; /* the best of all phrases; class_id: the name */
    size_t n_objects;
};

static bool is_same(const struct gm_entity *a, const struct gm_entity *b)
{
    return gm_is_person(a) == gm_is_person(b) && gm_ground_is_same(a, b, gm_is_person(a));
}

static bool wants_box(const struct ground *g, const struct gm_entity *e)
{
    return e->n_regions == 0 && (e->visible < 0 || e->visible >= g->visible_min);
}

static enum gm_status collect(const struct ground *g, const struct gm_post *p, struct work *w,
                              struct gm_error *err)
{
    w->names = gm_arena_alloc(&w->arena, p->n_entities, sizeof *w->names);
    w->phrases = gm_arena_alloc(&w->arena, p->n_entities, sizeof *w->phrases);
    w->objects = gm_arena_alloc(&w->arena, g->n_objects, sizeof *w->objects);
    if (!w->names || !w->phrases || !w->objects)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu phrases", p->n_entities);
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        size_t k = 0;
        while (k < w->n && !is_same(w->names[k].entity, e))
            k++;
        if (!wants_box(g, e) || k < w->n)
            continue;
        w->names[w->n].entity = e;
        w->phrases[w->n++] = gm_str_trim(e->expression.n ? e->expression : e->text);
    }
    return GM_OK;
}

static enum gm_status detect(const struct ground *g, const struct gm_image *im, struct work *w,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_phrases_found found;
    for (size_t from = 0; from < w->n; from += found.n_phrases) {
        size_t n = w->n - from;
        n = g->at_once && n > g->at_once ? g->at_once : n;
        GM_TRY(gm_phrases_run(g->detector, 0, im, w->phrases + from, n, &w->arena, &found, err));
        for (size_t k = 0; k < found.n_phrases; k++) {
            struct name *name = &w->names[from + k];
            name->n = gm_phrases_pick(&found, k, &g->opts, im->w, im->h, name->boxes, BOXES_MAX);
            for (size_t i = 0; i < name->n; i++) {
                struct gm_detection d = name->boxes[i];
                d.class_id = (uint32_t)(from + k);
                w->n_objects = gm_detection_insert(w->objects, w->n_objects, g->n_objects, &d);
            }
        }
    }
done:
    return st;
}

/* Regions of its own for every mention of the name that wants some, as segment fills them. */
static enum gm_status give(const struct ground *g, struct gm_post *p, const struct name *name,
                           struct gm_error *err)
{
    size_t n = name->n > 0;
    while (g->several && n < name->n &&
           (double)name->boxes[n].score >= g->near_score * (double)name->boxes[0].score)
        n++;
    for (size_t i = 0; i < p->n_entities && n; i++) {
        struct gm_entity *e = &p->entities[i];
        if (!is_same(e, name->entity) || !wants_box(g, e))
            continue;
        struct gm_region *regions = gm_arena_alloc(&p->arena, n, sizeof *regions);
        if (!regions)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for regions");
        for (size_t k = 0; k < n; k++) {
            memcpy(regions[k].box, name->boxes[k].box, sizeof regions[k].box);
            regions[k].score = name->boxes[k].score;
            if (gm_is_person(e))
                regions[k].label = GM_STR("person"); /* what segment cuts out */
        }
        e->regions = regions;
        e->n_regions = n;
    }
    return GM_OK;
}

/* Behind those that the post has; their label is the phrase. */
static enum gm_status add_objects(struct gm_post *p, const struct work *w, struct gm_error *err)
{
    size_t n = p->n_objects + w->n_objects;
    struct gm_object *all = gm_arena_alloc(&p->arena, n, sizeof *all);
    if (!all)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu objects", n);
    if (p->n_objects)
        memcpy(all, p->objects, p->n_objects * sizeof *all);
    for (size_t i = 0; i < w->n_objects; i++) {
        struct gm_object *o = &all[p->n_objects + i];
        memcpy(o->box, w->objects[i].box, sizeof o->box);
        o->score = w->objects[i].score;
        o->label = w->phrases[w->objects[i].class_id];
    }
    p->objects = all;
    p->n_objects = n;
    p->has_objects = true;
    return GM_OK;
}

static enum gm_status note(const struct ground *g, struct gm_post *p, struct gm_entity *e,
                           struct gm_error *err)
{
    if (e->n_regions)
        return gm_note_set(p, e, "no_box", NULL, err);
    if (!wants_box(g, e))
        return gm_note_below(p, e, "no_box", "below_threshold", g->visible_min, err);
    return gm_note_below(p, e, "no_box", "below_score", g->opts.score_min, err);
}

static enum gm_status ground_post(const struct ground *g, struct gm_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct work w = {.n = 0};
    const struct gm_image *im;
    gm_arena_init(&w.arena, 0);
    GM_TRY(collect(g, p, &w, err));
    if (w.n) { /* else the picture need not be read */
        GM_TRY(gm_post_pixels(p, 0, &im, err));
        GM_TRY(detect(g, im, &w, err));
    }
    for (size_t k = 0; k < w.n; k++)
        GM_TRY(give(g, p, &w.names[k], err));
    if (w.n_objects)
        GM_TRY(add_objects(p, &w, err));
    for (size_t i = 0; i < p->n_entities; i++)
        GM_TRY(note(g, p, &p->entities[i], err));
done:
    gm_arena_clear(&w.arena);
    return st;
}

/* A picture after the other: the model runs on all threads. */
static enum gm_status run_ground(void *self, struct gm_post **posts, size_t n, struct gm_error *err)
{
    const struct gm_limit limit = gm_limit_get();
    for (size_t i = 0; i < n && gm_limit_check(&limit, NULL) == GM_OK; i++) {
        struct gm_error e = {0};
        if (posts[i]->error.stage.n || !posts[i]->image.n)
            continue;
        if (ground_post(self, posts[i], &e) != GM_OK)
            gm_post_fail(posts[i], "ground", &e);
    }
    return gm_limit_check(&limit, err);
}

const struct gm_backend gm_backend_ground_phrases = {
    .stage = "ground",
    .name = "phrases",
    .needs_image = true,
    .check = check_ground,
    .open = open_ground,
    .run = run_ground,
    .close = close_ground,
    .pass_by = gm_ground_pass_by,
    .fingerprint = fingerprint,
};
