/* detector.c - a picture through NanoDet-g. With S = 416 pixels a side:
 *
 *   x [3][S][S], x[c][i] = (value[i][c] - mean[c]) / deviation[c]      c: blue, green, red
 *   of the model's six outputs: boxes with scores (nanodet.c), the best of those that overlap (gm_nms)
 *   a box's x times w / S, its y times h / S, clipped to [0, w] x [0, h]; under one pixel it is dropped
 *
 * The picture is squeezed to the square, as NanoDet is trained, so that both sides have a factor of their own.
 * Source: nanodet.h. Tests: tests/unit/test_vision_nanodet.c, test_vision_photos.c. */
#include "vision/detector.h"

#include "base/alloc.h"
#include "vision/vision_session.h"

#include <math.h>
#include <stdbool.h>

enum {
    SIDE = GM_NANODET_SIDE,
    CANDIDATES =
        1000 /* cells over the threshold that suppression looks at, as NanoDet's own code */
};

/* Blue, green, red; (value - mean) / deviation of its training pictures (ImageNet's). */
static const struct gm_plane PLANES[3] = {{2, 1 / 57.375f, -103.53f / 57.375f},
                                          {1, 1 / 57.12f, -116.28f / 57.12f},
                                          {0, 1 / 58.395f, -123.675f / 58.395f}};

static const struct {
    size_t stride;
    const char *cls, *dis;
} LEVELS[GM_NANODET_LEVELS] = {
    {8, "cls_8", "dis_8"}, {16, "cls_16", "dis_16"}, {32, "cls_32", "dis_32"}};

struct lane {
    float *input;                    /* [3][SIDE][SIDE] */
    struct gm_detection *candidates; /* [CANDIDATES] */
};

struct gm_detector {
    struct gm_session *session;
    struct gm_detector_opts opts;
    struct lane lanes[GM_SESSION_LANES_MAX];
};

struct gm_detector_opts gm_detector_opts_default(void)
{
    return (struct gm_detector_opts){.score_min = 0.35f, .iou_max = 0.5f};
}

enum gm_status gm_detector_load(struct gm_detector **out, const char *path,
                                const struct gm_detector_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_detector *d = gm_alloc(1, sizeof *d);
    *out = NULL;
    if (!d)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for the detector");
    d->opts = opts ? *opts : gm_detector_opts_default();
    struct gm_session_opts so = {.model = "nanodet", .bf16 = d->opts.bf16};
    GM_TRY(gm_session_load(&d->session, path, &so, err));
    for (size_t i = 0; i < gm_session_lanes(d->session); i++) {
        struct lane *l = &d->lanes[i];
        l->input = gm_alloc_aligned(3 * SIDE * SIDE, sizeof *l->input);
        l->candidates = gm_alloc(CANDIDATES, sizeof *l->candidates);
        if (!l->input || !l->candidates) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory for the detector");
            goto done;
        }
    }
    *out = d;
    d = NULL;
done:
    gm_detector_free(d);
    return st;
}

void gm_detector_free(struct gm_detector *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < GM_SESSION_LANES_MAX; i++) {
        gm_free(d->lanes[i].candidates);
        gm_free(d->lanes[i].input);
    }
    gm_session_free(d->session);
    gm_free(d);
}

static enum gm_status infer(struct gm_detector *d, size_t lane, struct gm_nanodet_level *levels,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_session_tensor in = {"image", d->lanes[lane].input, {1, 3, SIDE, SIDE}, 4};
    struct gm_session_tensor out[2 * GM_NANODET_LEVELS] = {{0}};
    for (size_t i = 0; i < GM_NANODET_LEVELS; i++) {
        out[2 * i].name = LEVELS[i].cls;
        out[2 * i + 1].name = LEVELS[i].dis;
    }
    GM_TRY(gm_session_run(d->session, lane, &in, 1, out, 2 * GM_NANODET_LEVELS, err));
    for (size_t i = 0; i < GM_NANODET_LEVELS; i++) {
        size_t cells = (SIDE / LEVELS[i].stride) * (SIDE / LEVELS[i].stride);
        const size_t cls[3] = {1, cells, GM_NANODET_CLASSES};
        const size_t dis[3] = {1, cells, 4 * GM_NANODET_BINS};
        GM_TRY(gm_session_expect(d->session, &out[2 * i], cls, 3, err));
        GM_TRY(gm_session_expect(d->session, &out[2 * i + 1], dis, 3, err));
        levels[i] =
            (struct gm_nanodet_level){LEVELS[i].stride, out[2 * i].data, out[2 * i + 1].data};
    }
done:
    return st;
}

/* From input pixels to the picture's, clipped; false when nothing is left of the box. */
static bool to_picture(double box[4], uint32_t w, uint32_t h)
{
    const double size[2] = {w, h};
    for (size_t i = 0; i < 4; i++)
        box[i] = fmin(fmax(box[i] * size[i % 2] / SIDE, 0), size[i % 2]);
    return box[2] - box[0] >= 1 && box[3] - box[1] >= 1;
}

size_t gm_detector_lanes(const struct gm_detector *d) { return gm_session_lanes(d->session); }

enum gm_status gm_detector_run(struct gm_detector *d, size_t lane, const struct gm_image *im,
                               uint32_t w, uint32_t h, struct gm_detection *out, size_t max,
                               size_t *n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_detection *candidates = d->lanes[lane].candidates;
    struct gm_nanodet_level levels[GM_NANODET_LEVELS];
    *n = 0;
    /* Squeezed to SIDE x SIDE, its sides' ratio not kept. */
    GM_TRY(gm_image_resize_planes(d->lanes[lane].input, im, SIDE, SIDE, PLANES, err));
    GM_TRY(infer(d, lane, levels, err));
    size_t found =
        gm_nanodet_decode(levels, GM_NANODET_LEVELS, d->opts.score_min, candidates, CANDIDATES);
    found = gm_nms(candidates, found, d->opts.iou_max);
    for (size_t i = 0; i < found && *n < max; i++) {
        struct gm_detection hit = candidates[i];
        if (to_picture(hit.box, w, h))
            out[(*n)++] = hit;
    }
done:
    return st;
}
