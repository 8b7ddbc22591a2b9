/* read, by PP-OCR: the lines of text in the picture. */
#include "stages/backends.h"
#include "stages/each_picture.h"
#include "stages/pixels.h"

#include "base/alloc.h"
#include "base/models.h"
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
 * auto), precision_read (of the recogniser alone), score (lines below it are dropped), upright (lines
 * read with a score below it may stand on their head; 1 = all may), side (smaller pictures are
 * enlarged to it), pixels (larger ones are reduced to them), glance (side of the first look; 0 = none), lines (how many
 * are read, the highest ones; 0 = all), tight (strips no wider than their lines). docs/grounding.md */
static enum gm_status read_settings(const struct gm_backend *b, const struct gm_json *settings,
                                    struct gm_str *model, struct gm_ocr_opts *opts,
                                    struct gm_error *err)
{
    static const char *const known[] = {"model",   "precision", "precision_read", "score", "side",
                                        "upright", "pixels",    "glance",         "lines", "tight",
                                        NULL};
    enum gm_status st = GM_OK;
    struct gm_str precision = GM_STR("auto");
    struct gm_precision find, read;
    *model = gm_str(b->model);
    *opts = gm_ocr_opts_default();
    double lines = (double)opts->lines, side = (double)opts->side, pixels = (double)opts->pixels,
           glance = (double)opts->glance;
    GM_TRY(gm_settings_check(settings, b->stage, known, err));
    GM_TRY(gm_settings_str(settings, "model", model, err));
    GM_TRY(gm_settings_precision(settings, "precision", &precision, &find, err));
    GM_TRY(gm_settings_precision(settings, "precision_read", &precision, &read, err));
    GM_TRY(gm_settings_num(settings, "upright", 0, 1, &opts->upright_min, err));
    GM_TRY(gm_settings_num(settings, "score", 0, 1, &opts->score_min, err));
    GM_TRY(gm_settings_whole(settings, "side", 0, 2000, &side, err));
    GM_TRY(gm_settings_whole(settings, "pixels", 10000, 3e6, &pixels, err));
    GM_TRY(gm_settings_whole(settings, "glance", 0, 1000, &glance, err));
    GM_TRY(gm_settings_whole(settings, "lines", 0, GM_OCR_BOXES_MAX, &lines, err));
    GM_TRY(gm_settings_bool(settings, "tight", &opts->tight, err));
    opts->lines = (size_t)lines;
    opts->side = (size_t)side;
    opts->pixels = (size_t)pixels;
    opts->glance = (size_t)glance;
    opts->bf16_find = find.dtype == GM_BF16;
    opts->bf16_read = read.dtype == GM_BF16;
done:
    return st;
}

static enum gm_status check_read(const struct gm_backend *b, const struct gm_json *settings,
                                 struct gm_error *err)
{
    struct gm_str model;
    struct gm_ocr_opts opts;
    return read_settings(b, settings, &model, &opts, err);
}

static enum gm_status open_read(void **self, const struct gm_backend *b,
                                const struct gm_json *settings, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct read *r = NULL;
    struct gm_str model;
    struct gm_ocr_opts opts;
    *self = NULL;
    GM_TRY(read_settings(b, settings, &model, &opts, err));
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
    struct found *found; /* a post each */
};

static enum gm_status find_in(void *ctx, const struct gm_picture_turn *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct batch *b = ctx;
    struct gm_post *p = t->post;
    struct gm_text_box *boxes = b->read->lanes[t->lane]->boxes;
    const struct gm_image *im;
    size_t n;
    GM_TRY(gm_post_pixels(p, b->read->side_min, &im, err));
    GM_TRY(gm_ocr_find(b->read->ocr, t->lane, im, boxes, GM_OCR_BOXES_MAX, &n, err));
    struct found *f = &b->found[t->i];
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

/* The upright box around a line, in pixels of the whole picture. */
static void box_around(const struct gm_quad *q, double sx, double sy, double box[GM_BOX_XYXY])
{
    const struct gm_spot *s = q->at;
    box[0] = sx * fmin(fmin(s[0].x, s[1].x), fmin(s[2].x, s[3].x));
    box[1] = sy * fmin(fmin(s[0].y, s[1].y), fmin(s[2].y, s[3].y));
    box[2] = sx * fmax(fmax(s[0].x, s[1].x), fmax(s[2].x, s[3].x));
    box[3] = sy * fmax(fmax(s[0].y, s[1].y), fmax(s[2].y, s[3].y));
}

static enum gm_status read_in(void *ctx, const struct gm_picture_turn *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct batch *b = ctx;
    struct gm_post *p = t->post;
    const struct found *f = &b->found[t->i];
    const struct gm_image *im;
    size_t n;
    if (!f->n)
        return GM_OK;
    p->has_texts = false; /* until it is all read */
    struct gm_text_line *lines = gm_arena_alloc(&p->arena, f->n, sizeof *lines);
    GM_TRY(gm_post_pixels(p, b->read->side_min, &im, err));
    if (!lines) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu lines of text", f->n);
        goto done;
    }
    GM_TRY(gm_ocr_read(b->read->ocr, t->lane, im, f->boxes, f->n, &p->arena, lines, &n, err));
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
    p->has_texts = true;
done:
    return st;
}

/* First where text is, in all posts, then what it says: the models for that are opened when the first
 * picture has some. */
static enum gm_status run_read(void *self, struct gm_post **posts, size_t n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct read *r = self;
    struct batch b = {r, gm_alloc(n, sizeof *b.found)};
    size_t lanes = gm_ocr_lanes(r->ocr), any = 0;
    if (!b.found)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu posts", n);
    GM_TRY(gm_each_picture(posts, n, lanes, "read", find_in, &b, err));
    for (size_t i = 0; i < n; i++)
        any += b.found[i].n;
    if (any) {
        GM_TRY(gm_ocr_prepare(r->ocr, err));
        GM_TRY(gm_each_picture(posts, n, lanes, "read", read_in, &b, err));
    }
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
    .check = check_read,
    .open = open_read,
    .run = run_read,
    .close = close_read,
    .fingerprint = gm_fingerprint_setting,
};
