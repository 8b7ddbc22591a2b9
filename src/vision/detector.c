#include "vision/detector.h"

#include "base/alloc.h"
#include "vision/session.h"

#include <math.h>
#include <stdbool.h>

enum {
    SIDE = GM_NANODET_SIDE,
    CANDIDATES = 1000 /* cells over the threshold that suppression looks at, as NanoDet's own code */
};

/* Mean and deviation of its training pictures (ImageNet's), blue, green, red. */
static const float MEAN[3] = {103.53f, 116.28f, 123.675f};
static const float DEVIATION[3] = {57.375f, 57.12f, 58.395f};

static const struct {
    size_t stride;
    const char *cls, *dis;
} LEVELS[GM_NANODET_LEVELS] = {{8, "cls_8", "dis_8"}, {16, "cls_16", "dis_16"},
                               {32, "cls_32", "dis_32"}};

struct gm_detector {
    struct gm_session *session;
    struct gm_detector_opts opts;
    float *input;                    /* [3][SIDE][SIDE] */
    struct gm_detection *candidates; /* [CANDIDATES] */
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
    if (d) {
        d->opts = opts ? *opts : gm_detector_opts_default();
        d->input = gm_alloc_aligned(3 * SIDE * SIDE, sizeof *d->input);
        d->candidates = gm_alloc(CANDIDATES, sizeof *d->candidates);
    }
    if (!d || !d->input || !d->candidates) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for the detector");
        goto done;
    }
    struct gm_session_opts so = {.model = "nanodet"};
    GM_TRY(gm_session_load(&d->session, path, &so, err));
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
    gm_session_free(d->session);
    gm_free(d->candidates);
    gm_free(d->input);
    gm_free(d);
}

/* The picture squeezed to SIDE x SIDE, its sides' ratio not kept, as planes of blue, green, red. */
static enum gm_status fill_input(struct gm_detector *d, const struct gm_image *im,
                                 struct gm_error *err)
{
    struct gm_image *small = NULL;
    const float whole[4] = {0, 0, (float)im->w, (float)im->h};
    enum gm_status st = gm_image_resize(&small, im, whole, SIDE, SIDE, err);
    if (st != GM_OK)
        return st;
    for (size_t c = 0; c < 3; c++) {
        float *plane = d->input + c * SIDE * SIDE;
        for (size_t i = 0; i < (size_t)SIDE * SIDE; i++)
            plane[i] = ((float)small->rgb[3 * i + 2 - c] - MEAN[c]) / DEVIATION[c];
    }
    gm_image_free(small);
    return GM_OK;
}

static enum gm_status infer(struct gm_detector *d, struct gm_nanodet_level *levels,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_session_tensor in = {"image", d->input, {1, 3, SIDE, SIDE}, 4};
    struct gm_session_tensor out[2 * GM_NANODET_LEVELS] = {{0}};
    for (size_t i = 0; i < GM_NANODET_LEVELS; i++) {
        out[2 * i].name = LEVELS[i].cls;
        out[2 * i + 1].name = LEVELS[i].dis;
    }
    GM_TRY(gm_session_run(d->session, &in, 1, out, 2 * GM_NANODET_LEVELS, err));
    for (size_t i = 0; i < GM_NANODET_LEVELS; i++) {
        size_t cells = (SIDE / LEVELS[i].stride) * (SIDE / LEVELS[i].stride);
        const size_t cls[3] = {1, cells, GM_NANODET_CLASSES};
        const size_t dis[3] = {1, cells, 4 * GM_NANODET_BINS};
        GM_TRY(gm_session_expect(d->session, &out[2 * i], cls, 3, err));
        GM_TRY(gm_session_expect(d->session, &out[2 * i + 1], dis, 3, err));
        levels[i] = (struct gm_nanodet_level){LEVELS[i].stride, out[2 * i].data,
                                              out[2 * i + 1].data};
    }
done:
    return st;
}

/* From input pixels to the picture's, clipped; false when nothing is left of the box. */
static bool to_picture(float box[4], const struct gm_image *im)
{
    const float size[2] = {(float)im->w, (float)im->h};
    for (size_t i = 0; i < 4; i++)
        box[i] = fminf(fmaxf(box[i] * size[i % 2] / (float)SIDE, 0), size[i % 2]);
    return box[2] - box[0] >= 1 && box[3] - box[1] >= 1;
}

enum gm_status gm_detector_run(struct gm_detector *d, const struct gm_image *im,
                               struct gm_detection *out, size_t max, size_t *n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_nanodet_level levels[GM_NANODET_LEVELS];
    *n = 0;
    GM_TRY(fill_input(d, im, err));
    GM_TRY(infer(d, levels, err));
    size_t found = gm_nanodet_decode(levels, GM_NANODET_LEVELS, d->opts.score_min, d->candidates,
                                     CANDIDATES);
    found = gm_nms(d->candidates, found, d->opts.iou_max);
    for (size_t i = 0; i < found && *n < max; i++) {
        struct gm_detection hit = d->candidates[i];
        if (to_picture(hit.box, im))
            out[(*n)++] = hit;
    }
done:
    return st;
}
