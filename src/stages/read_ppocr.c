/* read, by PP-OCR: the lines of text in the picture. */
#include "stages/backends.h"
#include "stages/pixels.h"

#include "base/alloc.h"
#include "base/models.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "nn/engine.h"
#include "vision/ocr.h"
#include "vision/vision_session.h"

#include <math.h>
#include <string.h>

struct lane {
    struct gm_text_box boxes[GM_OCR_BOXES_MAX];
};

struct read {
    struct gm_ocr *ocr;
    uint32_t side_min; /* pixels a side that the reader makes use of; 0 = all */
    struct lane *lanes[GM_SESSION_LANES_MAX];
};

static void close_read(void *self)
{
    struct read *r = self;
    if (!r)
        return;
    gm_ocr_free(r->ocr);
    for (size_t i = 0; i < GM_SESSION_LANES_MAX; i++)
        gm_free(r->lanes[i]);
    gm_free(r);
}

static enum gm_status load(struct read *r, struct gm_str model, const struct gm_ocr_opts *opts,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ocr_files files;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_model_path(&a, model.p, "PP-OCRv6_det_small.onnx", &files.detector, err));
    GM_TRY(gm_model_path(&a, model.p, "PP-OCRv6_rec_small.onnx", &files.recogniser, err));
    GM_TRY(
        gm_model_path(&a, model.p, "ch_ppocr_mobile_v2.0_cls_mobile.onnx", &files.classifier, err));
    GM_TRY(gm_ocr_load(&r->ocr, &files, opts, err));
    r->side_min = (uint32_t)ceil(sqrt((double)opts->pixels));
    for (size_t i = 0; i < gm_ocr_lanes(r->ocr); i++)
        if (!(r->lanes[i] = gm_alloc(1, sizeof *r->lanes[i])))
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_arena_clear(&a);
    return st;
}

/* Settings: model (a model's name or folder, default "ppocr"), precision (auto, f32, bf16, int8: as
 * auto), score (lines below it are dropped), side (smaller pictures are enlarged to it), pixels (larger
 * ones are reduced to them), glance (side of the first look; 0 = none), lines (how many are read, the highest ones;
 * 0 = all), tight (strips no wider than their lines). docs/grounding.md */
static enum gm_status open_read(void **self, const struct gm_backend *b,
                                const struct gm_json *settings, struct gm_error *err)
{
    static const char *const known[] = {"model",  "precision", "precision_read", "score", "side",
                                        "pixels", "glance",    "lines",          "tight", NULL};
    enum gm_status st = GM_OK;
    struct read *r = NULL;
    struct gm_str model = gm_str(b->model), precision = GM_STR("auto");
    struct gm_precision p, read_p;
    struct gm_ocr_opts opts = gm_ocr_opts_default();
    double lines = (double)opts.lines, side = (double)opts.side, pixels = (double)opts.pixels,
           glance = (double)opts.glance;
    *self = NULL;
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_str(settings, "model", &model, err));
    GM_TRY(gm_settings_str(settings, "precision", &precision, err));
    struct gm_str read_precision = precision;
    GM_TRY(gm_settings_str(settings, "precision_read", &read_precision, err));
    GM_TRY(gm_precision_pick(precision.p, &p, err));
    GM_TRY(gm_precision_pick(read_precision.p, &read_p, err));
    GM_TRY(gm_settings_num(settings, "score", 0, 1, &opts.score_min, err));
    GM_TRY(gm_settings_whole(settings, "side", 0, 2000, &side, err));
    GM_TRY(gm_settings_whole(settings, "pixels", 10000, 3e6, &pixels, err));
    GM_TRY(gm_settings_whole(settings, "glance", 0, 1000, &glance, err));
    GM_TRY(gm_settings_whole(settings, "lines", 0, GM_OCR_BOXES_MAX, &lines, err));
    GM_TRY(gm_settings_bool(settings, "tight", &opts.tight, err));
    opts.lines = (size_t)lines;
    opts.side = (size_t)side;
    opts.pixels = (size_t)pixels;
    opts.glance = (size_t)glance;
    opts.bf16_find = p.dtype == GM_BF16;
    opts.bf16_read = read_p.dtype == GM_BF16;
    if (!(r = gm_alloc(1, sizeof *r))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(load(r, model, &opts, err));
    *self = r;
    r = NULL;
done:
    close_read(r);
    return st;
}

/* What was found in a post of the batch. */
struct found {
    struct gm_text_box *boxes; /* in the post's arena */
    size_t n;
};

struct batch {
    struct read *read;
    struct gm_post **posts;
    struct found *found;   /* a post each */
    struct gm_limit limit; /* of the thread that waits for the batch */
};

static bool is_skipped(const struct batch *b, size_t i)
{
    const struct gm_post *p = b->posts[i];
    return p->error.stage.n || !p->image.n || gm_limit_check(&b->limit, NULL) != GM_OK;
}

static enum gm_status find_in(const struct batch *b, size_t lane, size_t i, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post *p = b->posts[i];
    struct gm_text_box *boxes = b->read->lanes[lane]->boxes;
    const struct gm_image *im;
    size_t n;
    GM_TRY(gm_post_pixels(p, b->read->side_min, &im, err));
    GM_TRY(gm_ocr_find(b->read->ocr, lane, im, boxes, GM_OCR_BOXES_MAX, &n, err));
    struct found *f = &b->found[i];
    if (!(f->boxes = gm_arena_alloc(&p->arena, n, sizeof *boxes))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu lines of text", n);
        goto done;
    }
    memcpy(f->boxes, boxes, n * sizeof *boxes);
    f->n = n;
    p->texts = NULL;
    p->n_texts = 0;
    p->has_texts = true;
done:
    return st;
}

static void find_one(void *ctx, size_t lane, size_t i)
{
    const struct batch *b = ctx;
    struct gm_error e = {0};
    if (!is_skipped(b, i) && find_in(b, lane, i, &e) != GM_OK)
        gm_post_fail(b->posts[i], "read", &e);
}

/* The upright box around a line, in pixels of the whole picture. */
static void box_around(const struct gm_quad *q, double sx, double sy, double box[GM_BOX_XYXY])
{
    const struct gm_spot *s = q->at;
    box[0] = sx * fmin(fmin(s[0].x, s[1].x), fmin(s[2].x, s[3].x));
    box[1] = sy * fmin(fmin(s[0].y, s[1].y), fmin(s[2].y, s[3].y));
    box[2] = sx * fmax(fmax(s[0].x, s[1].x), fmax(s[2].x, s[3].x));
    box[3] = sy * fmax(fmax(s[0].y, s[1].y), fmax(s[2].y, s[3].y));
}

static enum gm_status read_in(const struct batch *b, size_t lane, size_t i, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_post *p = b->posts[i];
    const struct found *f = &b->found[i];
    const struct gm_image *im;
    size_t n;
    struct gm_text_line *lines = gm_arena_alloc(&p->arena, f->n, sizeof *lines);
    GM_TRY(gm_post_pixels(p, b->read->side_min, &im, err));
    if (!lines) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu lines of text", f->n);
        goto done;
    }
    GM_TRY(gm_ocr_read(b->read->ocr, lane, im, f->boxes, f->n, &p->arena, lines, &n, err));
    if (!(p->texts = gm_arena_alloc(&p->arena, n, sizeof *p->texts))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu lines of text", n);
        goto done;
    }
    for (size_t k = 0; k < n; k++) {
        p->texts[k] = (struct gm_written){.text = lines[k].text, .score = lines[k].score};
        box_around(&lines[k].quad, (double)p->image_w / im->w, (double)p->image_h / im->h,
                   p->texts[k].box);
    }
    p->n_texts = n;
done:
    return st;
}

static void read_one(void *ctx, size_t lane, size_t i)
{
    const struct batch *b = ctx;
    struct gm_error e = {0};
    if (!b->found[i].n || is_skipped(b, i) || read_in(b, lane, i, &e) == GM_OK)
        return;
    b->posts[i]->has_texts = false;
    gm_post_fail(b->posts[i], "read", &e);
}

/* First where text is, in all posts, then what it says: the models for that are opened when the first
 * picture has some. */
static enum gm_status run_read(void *self, struct gm_post **posts, size_t n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct read *r = self;
    struct batch b = {r, posts, gm_alloc(n, sizeof *b.found), gm_limit_get()};
    size_t any = 0;
    if (!b.found)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu posts", n);
    gm_parallel_tasks(n, gm_ocr_lanes(r->ocr), find_one, &b);
    for (size_t i = 0; i < n; i++)
        any += b.found[i].n;
    if (any) {
        GM_TRY(gm_ocr_prepare(r->ocr, err));
        gm_parallel_tasks(n, gm_ocr_lanes(r->ocr), read_one, &b);
    }
    st = gm_limit_check(&b.limit, err);
done:
    gm_free(b.found);
    return st;
}

const struct gm_backend gm_backend_read_ppocr = {
    .stage = "read",
    .name = "ppocr",
    .needs_image = true,
    .opens_ahead = true,
    .model = "ppocr",
    .open = open_read,
    .run = run_read,
    .close = close_read,
    .fingerprint = gm_fingerprint_setting,
};
