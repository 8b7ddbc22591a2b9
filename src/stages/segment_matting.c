/* segment, by matting: one mask a box. Boxes of persons go to a model of persons, others to one of things,
 * which is opened when the first comes; a box without a mask says why. The box that ground made of a whole
 * picture is then drawn in to its mask, where that is a good part of it: a product before its ground. */
#include "stages/backends.h"
#include "stages/each_picture.h"
#include "stages/label_affinity.h"
#include "stages/pixels.h"
#include "stages/segment_post.h"

#include "base/alloc.h"
#include "base/models.h"
#include "base/stop.h"
#include "image/mask.h"
#include "vision/matting.h"
#include "vision/vision_session.h"

#include <string.h>

/* A mask of a whole picture, and the box around it. */
struct drawn {
    const char *counts; /* the mask's; NULL = none */
    double box[GM_BOX_XYXY];
};

struct segment {
    struct gm_matting *matting;
    struct gm_matting *things; /* NULL until it is needed */
    char *things_path;         /* NULL = things get no mask */
    struct gm_matting_opts opts;
    double tighten;                                  /* share of the picture that makes one drawn */
    struct gm_mask_room rooms[GM_SESSION_LANES_MAX]; /* a lane each */
    struct drawn drawn[GM_SESSION_LANES_MAX];
};

/* File of each matting kind in its model's folder. */
static const char *const FILES[] = {
    [GM_MATTING_SELFIE] = "selfie.onnx",
    [GM_MATTING_POSE] = "pose_landmark_full.tflite",
    [GM_MATTING_THING] = "u2netp.onnx",
};

static void close_segment(void *self)
{
    struct segment *s = self;
    if (!s)
        return;
    gm_matting_free(s->matting);
    gm_matting_free(s->things);
    gm_free(s->things_path);
    for (size_t i = 0; i < GM_SESSION_LANES_MAX; i++)
        gm_mask_room_clear(&s->rooms[i]);
    gm_free(s);
}

/* Where the model of things is, of which "none" is none. */
static enum gm_status find_things(struct segment *s, struct gm_str model, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *path;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    if (gm_str_eq_c(model, "none"))
        goto done;
    GM_TRY(gm_model_path(&a, model.p, FILES[GM_MATTING_THING], &path, err));
    s->things_path = gm_strdup(path);
    st = s->things_path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_arena_clear(&a);
    return st;
}

/* What the settings come to. */
struct settings {
    struct gm_str model, things;
    enum gm_matting_kind kind; /* of persons */
    struct gm_matting_opts opts;
    double tighten;
};

/* Settings: model ("selfie" or "pose"), things ("u2netp" or "none"), threshold (probability that makes a pixel a person's),
 * min_share (smaller pieces than this share of the largest are dropped), tighten (a whole picture's box is drawn in to
 * this share of it or more). */
static enum gm_status read_settings(const struct gm_backend *b, const struct gm_json *settings,
                                    struct settings *x, struct gm_error *err)
{
    static const char *const known[] = {"model",     "things",  "threshold",
                                        "min_share", "tighten", NULL};
    enum gm_status st = GM_OK;
    *x = (struct settings){.model = gm_str(b->model),
                           .things = GM_STR("u2netp"),
                           .opts = gm_matting_opts_default(),
                           .tighten = 0.5};
    double threshold = (double)x->opts.threshold, min_share = (double)x->opts.min_share;
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_str(settings, "model", &x->model, err));
    GM_TRY(gm_settings_str(settings, "things", &x->things, err));
    GM_TRY(gm_settings_num(settings, "threshold", 0.01, 0.99, &threshold, err));
    GM_TRY(gm_settings_num(settings, "min_share", 0, 1, &min_share, err));
    GM_TRY(gm_settings_num(settings, "tighten", 0, 1, &x->tighten, err));
    x->opts.threshold = (float)threshold;
    x->opts.min_share = (float)min_share;
    if (!gm_matting_kind_parse(x->model.p, &x->kind) || x->kind == GM_MATTING_THING)
        st = GM_FAIL(err, GM_EARG, "unknown model \"%.*s\"; it knows selfie and pose",
                     GM_STR_ARG(x->model));
    else if (!gm_str_eq_c(x->things, "none") && !gm_str_eq_c(x->things, "u2netp"))
        st = GM_FAIL(err, GM_EARG, "setting \"things\" is \"%.*s\"; it must be u2netp or none",
                     GM_STR_ARG(x->things));
done:
    return st;
}

static enum gm_status check_segment(const struct gm_backend *b, const struct gm_json *settings,
                                    struct gm_error *err)
{
    struct settings x;
    return read_settings(b, settings, &x, err);
}

static enum gm_status open_segment(void **self, const struct gm_backend *b,
                                   const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct segment *s = NULL;
    struct settings x;
    const char *path;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    *self = NULL;
    GM_TRY(read_settings(b, settings, &x, err));
    if (!(s = gm_alloc(1, sizeof *s))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    s->opts = x.opts;
    s->tighten = x.tighten;
    GM_TRY(find_things(s, x.things, err));
    GM_TRY(gm_model_path(&a, x.model.p, FILES[x.kind], &path, err));
    GM_TRY(gm_matting_load(&s->matting, x.kind, path, &x.opts, err));
    *self = s;
    s = NULL;
done:
    close_segment(s);
    gm_arena_clear(&a);
    return st;
}

/* What a detector took for a person; of an annotated box, which says nothing, what the entity is. */
static bool is_of_person(const struct gm_entity *e, const struct gm_region *r)
{
    if (r->label.n)
        return gm_str_eq_c(r->label, "person");
    return gm_is_person(e);
}

static bool is_picture(const struct gm_region *r) { return gm_str_eq_c(r->label, "picture"); }

/* Keep the box around a whole picture's mask, if that is large enough. */
static void keep_drawn(struct segment *s, size_t lane, const struct gm_region *r)
{
    struct drawn *d = &s->drawn[lane];
    double *b = d->box;
    if (gm_mask_box(s->rooms[lane].mask, r->mask.h, r->mask.w, b) &&
        (b[2] - b[0]) * (b[3] - b[1]) >= s->tighten * r->mask.w * r->mask.h)
        d->counts = r->mask.counts.p;
}

/* All regions of that mask get its box; not before the last has found it by the box that it had. */
static void draw_in(const struct drawn *d, struct gm_post *p)
{
    for (size_t e = 0; e < p->n_entities && d->counts; e++)
        for (size_t k = 0; k < p->entities[e].n_regions; k++)
            if (p->entities[e].regions[k].mask.counts.p == d->counts)
                memcpy(p->entities[e].regions[k].box, d->box, sizeof d->box);
}

static enum gm_status segment_region(void *self, size_t lane, struct gm_post *p,
                                     const struct gm_entity *e, struct gm_region *r,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct segment *s = self;
    struct gm_mask_room *room = &s->rooms[lane];
    const struct gm_image *im;
    size_t area;
    bool is_person = is_of_person(e, r);
    if (!is_person && !s->things) {
        r->note = GM_STR("no_mask:not_a_person");
        goto done;
    }
    GM_TRY(gm_post_pixels(p, 0, &im, err));
    GM_TRY(gm_mask_room_for(room, im, err));
    GM_TRY(gm_matting_run(is_person ? s->matting : s->things, lane, im, r->box, room->mask, &area,
                          err));
    if (area == 0)
        r->note = is_person ? GM_STR("no_mask:nobody_seen") : GM_STR("no_mask:nothing_seen");
    else
        GM_TRY(gm_region_put_mask(p, r, room->mask, im, err));
    if (area && is_picture(r))
        keep_drawn(s, lane, r);
done:
    return st;
}

static enum gm_status segment_in(void *self, const struct gm_picture_turn *t, struct gm_error *err)
{
    struct drawn *d = &((struct segment *)self)->drawn[t->lane];
    d->counts = NULL;
    enum gm_status st = gm_segment_post(t->post, t->lane, t->limit, segment_region, self, err);
    if (st == GM_OK)
        draw_in(d, t->post);
    return st;
}

static bool has_things(const struct gm_post *p)
{
    for (size_t e = 0; e < p->n_entities && gm_segment_is_due(p); e++)
        for (size_t k = 0; k < p->entities[e].n_regions; k++) {
            const struct gm_region *r = &p->entities[e].regions[k];
            if (!r->mask.counts.n && !is_of_person(&p->entities[e], r))
                return true;
        }
    return false;
}

static enum gm_status run_segment(void *self, struct gm_post **posts, size_t n,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct segment *s = self;
    for (size_t i = 0; i < n && s->things_path && !s->things; i++)
        if (has_things(posts[i]))
            GM_TRY(gm_matting_load(&s->things, GM_MATTING_THING, s->things_path, &s->opts, err));
    st = gm_each_picture(posts, n, gm_matting_lanes(s->matting), "segment", segment_in, s, err);
done:
    return st;
}

static enum gm_status fingerprint(const struct gm_backend *b, const struct gm_json *settings,
                                  struct gm_buf *out, struct gm_error *err)
{
    struct gm_str things = GM_STR("u2netp");
    enum gm_status st = gm_fingerprint_setting(b, settings, out, err);
    if (st == GM_OK)
        st = gm_settings_str(settings, "things", &things, err);
    if (st != GM_OK || gm_str_eq_c(things, "none"))
        return st;
    return gm_fingerprint_model(things.p, out, err);
}

const struct gm_backend gm_backend_segment_matting = {
    .stage = "segment",
    .name = "matting",
    .needs_image = true,
    .opens_ahead = true,
    .model = "selfie",
    .check = check_segment,
    .open = open_segment,
    .run = run_segment,
    .close = close_segment,
    .pass_by = gm_segment_pass_by,
    .fingerprint = fingerprint,
};
