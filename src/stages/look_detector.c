/* look, by the closed-set detector: the objects of the picture and, where the post has no caption,
 * one made from their labels ("two people and a dog"). `detect` is the same, without a caption, as a step in front of
 * the backend that asks a language model for one. */
#include "stages/backends.h"
#include "stages/caption.h"
#include "stages/each_picture.h"
#include "stages/pixels.h"

#include "base/alloc.h"
#include "base/models.h"
#include "nn/engine.h"
#include "vision/coco_classes.h"
#include "vision/detector.h"

#include <string.h>

enum { OBJECTS_MAX = 100 };

struct look {
    struct gm_detector *detector;
    bool makes_captions;
    double caption_score; /* a caption mentions no object below it */
};

static void close_look(void *self)
{
    struct look *l = self;
    if (!l)
        return;
    gm_detector_free(l->detector);
    gm_free(l);
}

/* What the settings come to. */
struct settings {
    struct gm_str model;
    struct gm_detector_opts opts;
    double caption_score;
};

static enum gm_status load(struct look **out, const struct settings *x, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *path;
    struct gm_arena a;
    struct look *l = gm_alloc(1, sizeof *l);
    gm_arena_init(&a, 0);
    *out = NULL;
    if (!l)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_model_path(&a, x->model.p, "nanodet.onnx", &path, err));
    GM_TRY(gm_detector_load(&l->detector, path, &x->opts, err));
    *out = l;
    l = NULL;
done:
    close_look(l);
    gm_arena_clear(&a);
    return st;
}

/* Settings: model (a model's name or folder, default "nanodet"), precision (auto, f32, bf16, int8: as auto), score
 * (objects below it are dropped), iou (how far two boxes of a kind may overlap), caption_score (a
 * caption mentions no object below it). Defaults chosen by eye on the photos of 400 tweets:
 * docs/grounding.md. */
static enum gm_status read_settings(const struct gm_backend *b, const struct gm_json *settings,
                                    struct settings *x, struct gm_error *err)
{
    static const char *const known[] = {"model", "precision",     "score",
                                        "iou",   "caption_score", NULL};
    enum gm_status st = GM_OK;
    struct gm_str precision = GM_STR("auto");
    struct gm_precision p;
    *x = (struct settings){gm_str(b->model), gm_detector_opts_default(), 0.45};
    double score = (double)x->opts.score_min, iou = (double)x->opts.iou_max;
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_str(settings, "model", &x->model, err));
    GM_TRY(gm_settings_precision(settings, "precision", &precision, &p, err));
    GM_TRY(gm_settings_num(settings, "score", 0.01, 1, &score, err));
    GM_TRY(gm_settings_num(settings, "iou", 0, 1, &iou, err));
    GM_TRY(gm_settings_num(settings, "caption_score", 0, 1, &x->caption_score, err));
    x->opts.score_min = (float)score;
    x->opts.iou_max = (float)iou;
    x->opts.bf16 = p.dtype == GM_BF16;
done:
    return st;
}

static enum gm_status check_look(const struct gm_backend *b, const struct gm_json *settings,
                                 struct gm_error *err)
{
    struct settings x;
    return read_settings(b, settings, &x, err);
}

static enum gm_status open_look(void **self, const struct gm_backend *b,
                                const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct look *l = NULL;
    struct settings x;
    *self = NULL;
    GM_TRY(read_settings(b, settings, &x, err));
    GM_TRY(load(&l, &x, err));
    l->makes_captions = true;
    l->caption_score = x.caption_score;
    *self = l;
done:
    return st;
}

/* The settings are those of the backend behind it, which has checked them: `detector` names the model. */
static enum gm_status detector_setting(const struct gm_backend *b, const struct gm_json *settings,
                                       struct gm_str *model, struct gm_error *err)
{
    *model = gm_str(b->model);
    return gm_settings_str(settings, "detector", model, err);
}

static enum gm_status check_detect(const struct gm_backend *b, const struct gm_json *settings,
                                   struct gm_error *err)
{
    struct gm_str model;
    return detector_setting(b, settings, &model, err);
}

static enum gm_status open_detect(void **self, const struct gm_backend *b,
                                  const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct look *l = NULL;
    struct settings x = {.opts = gm_detector_opts_default()};
    *self = NULL;
    GM_TRY(detector_setting(b, settings, &x.model, err));
    GM_TRY(load(&l, &x, err));
    *self = l;
done:
    return st;
}

static enum gm_status fingerprint_detect(const struct gm_backend *b, const struct gm_json *settings,
                                         struct gm_buf *out, struct gm_error *err)
{
    struct gm_str model;
    enum gm_status st = detector_setting(b, settings, &model, err);
    return st == GM_OK ? gm_fingerprint_model(model.p, out, err) : st;
}

static enum gm_status look_at(void *self, const struct gm_picture_turn *t, struct gm_error *err)
{
    const struct look *l = self;
    struct gm_post *p = t->post;
    enum gm_status st = GM_OK;
    const struct gm_image *im;
    struct gm_detection found[OBJECTS_MAX];
    size_t n;
    GM_TRY(gm_post_pixels(p, GM_NANODET_SIDE, &im, err));
    GM_TRY(gm_detector_run(l->detector, t->lane, im, p->image_w, p->image_h, found, OBJECTS_MAX, &n,
                           err));
    struct gm_object *objects = gm_arena_alloc(&p->arena, n, sizeof *objects);
    if (!objects) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        objects[i].label = gm_str(gm_coco_class(found[i].class_id)->label);
        objects[i].score = found[i].score;
        memcpy(objects[i].box, found[i].box, sizeof objects[i].box);
    }
    p->objects = objects;
    p->n_objects = n;
    p->has_objects = true;
    size_t sure = 0; /* objects are sorted best first */
    while (sure < n && (double)objects[sure].score >= l->caption_score)
        sure++;
    if (l->makes_captions && !p->caption.n)
        GM_TRY(gm_caption_of_objects(&p->arena, objects, sure, &p->caption, err));
done:
    return st;
}

static enum gm_status run_look(void *self, struct gm_post **posts, size_t n, struct gm_error *err)
{
    const struct look *l = self;
    return gm_each_picture(posts, n, gm_detector_lanes(l->detector), "look", look_at, self, err);
}

const struct gm_backend gm_backend_look_detector = {
    .stage = "look",
    .name = "detector",
    .needs_image = true,
    .opens_ahead = true,
    .model = "nanodet",
    .check = check_look,
    .open = open_look,
    .run = run_look,
    .close = close_look,
    .fingerprint = gm_fingerprint_setting,
};

const struct gm_backend gm_backend_detect = {
    .stage = "detect",
    .name = "detector",
    .needs_image = true,
    .model = "nanodet",
    .check = check_detect,
    .open = open_detect,
    .run = run_look,
    .close = close_look,
    .fingerprint = fingerprint_detect,
};
