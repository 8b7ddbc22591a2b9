/* resize.c - antialiased bilinear resizing: each output sample is the mean of the input samples
 * under a triangle that is as wide as two output samples (never narrower than two input samples).
 * The weights are those of Pillow's ImagingResample, BILINEAR with `box`, so that models see what
 * their training code saw; sums are kept in f32 between the passes, where Pillow rounds to bytes,
 * so that a result may differ from its by one level.
 *
 * Hot: the vertical pass, first, runs along whole rows; the horizontal pass then has only the
 * output rows to do, with four floats a pixel. CMake compiles this file with -O3 for its vector
 * loops. */
#include "image/image.h"

#include "base/alloc.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* The weights of one direction: output i = sum over k < n[i] of weight[i*most + k] x
 * input[at[i] + k]. */
struct filter {
    uint32_t *at, *n;
    float *weight;
    size_t most; /* taps that an output may have */
};

static void filter_clear(struct filter *f)
{
    gm_free(f->at);
    gm_free(f->n);
    gm_free(f->weight);
}

/* One output's taps, normalised to sum 1 (they are cut off at the picture's edges). */
static void filter_taps(struct filter *f, size_t i, uint32_t in, double center, double widen)
{
    double from = center - widen + 0.5, to = center + widen + 0.5, sum = 0;
    uint32_t first = from > 0 ? (uint32_t)from : 0;
    uint32_t end = to < in ? (uint32_t)to : in;
    float *weight = f->weight + i * f->most;
    for (uint32_t x = first; x < end; x++) {
        double away = fabs((x - center + 0.5) / widen);
        sum += away < 1 ? 1 - away : 0;
    }
    for (uint32_t x = first; x < end; x++) {
        double away = fabs((x - center + 0.5) / widen);
        weight[x - first] = (float)(away < 1 ? (1 - away) / sum : 0);
    }
    f->at[i] = first;
    f->n[i] = end - first;
}

/* Weights that map [x0, x1) of `in` samples to `out` samples. */
static enum gm_status filter_init(struct filter *f, uint32_t in, double x0, double x1, uint32_t out,
                                  struct gm_error *err)
{
    double scale = (x1 - x0) / out, widen = scale > 1 ? scale : 1;
    f->most = (size_t)ceil(widen) * 2 + 1;
    f->at = gm_alloc(out, sizeof *f->at);
    f->n = gm_alloc(out, sizeof *f->n);
    size_t n_weights;
    f->weight = gm_mul_size(out, f->most, &n_weights) ? gm_alloc(n_weights, sizeof(float)) : NULL;
    if (!f->at || !f->n || !f->weight)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for resizing to %u pixels", out);
    for (uint32_t i = 0; i < out; i++)
        filter_taps(f, i, in, x0 + (i + 0.5) * scale, widen);
    return GM_OK;
}

static void row_add_bytes(float *restrict sum, const uint8_t *restrict row, size_t n, float weight)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += weight * (float)row[i];
}

static void row_add_floats(float *restrict sum, const float *restrict row, size_t n, float weight)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += weight * row[i];
}

/* Three floats a pixel to four: the horizontal pass then works on whole vectors. */
static void row_pad(float *restrict out, const float *restrict in, size_t n_pixels)
{
    for (size_t i = 0; i < n_pixels; i++) {
        out[4 * i] = in[3 * i];
        out[4 * i + 1] = in[3 * i + 1];
        out[4 * i + 2] = in[3 * i + 2];
    }
}

static uint8_t to_byte(float v) { return (uint8_t)(v < 0 ? 0 : v > 254.5f ? 255 : v + 0.5f); }

static void row_shrink_rgb(uint8_t *restrict out, const float *restrict in, const struct filter *f,
                           uint32_t w)
{
    for (uint32_t x = 0; x < w; x++) {
        const float *px = in + 4 * (size_t)f->at[x], *weight = f->weight + x * f->most;
        float sum[4] = {0};
        for (uint32_t k = 0; k < f->n[x]; k++, px += 4)
            for (int c = 0; c < 4; c++)
                sum[c] += weight[k] * px[c];
        for (size_t c = 0; c < 3; c++)
            out[3 * (size_t)x + c] = to_byte(sum[c]);
    }
}

/* The box clipped to the picture; false when nothing is left of it. */
static bool clip_box(const float box[4], const struct gm_image *im, double out[4])
{
    for (int i = 0; i < 4; i++) {
        double most = i % 2 ? im->h : im->w;
        out[i] = box[i] > 0 ? (box[i] < most ? (double)box[i] : most) : 0; /* NaN becomes 0 */
    }
    return out[2] > out[0] && out[3] > out[1];
}

/* Only the columns that some output needs are summed: a crop costs what it covers. */
static void resize_rows(const struct gm_image *src, struct gm_image *to, const struct filter *fx,
                        const struct filter *fy, float *sum, float *padded)
{
    uint32_t x0 = fx->at[0], x1 = fx->at[to->w - 1] + fx->n[to->w - 1];
    size_t n = (size_t)(x1 - x0) * 3;
    for (uint32_t y = 0; y < to->h; y++) {
        const float *weight = fy->weight + y * fy->most;
        memset(sum, 0, n * sizeof *sum);
        for (uint32_t k = 0; k < fy->n[y]; k++) {
            size_t row = fy->at[y] + k;
            row_add_bytes(sum, src->rgb + (row * src->w + x0) * 3, n, weight[k]);
        }
        row_pad(padded + 4 * (size_t)x0, sum, x1 - x0);
        row_shrink_rgb(to->rgb + (size_t)y * to->w * 3, padded, fx, to->w);
    }
}

enum gm_status gm_image_resize(struct gm_image **out, const struct gm_image *src,
                               const float box[4], uint32_t w, uint32_t h, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *to = NULL;
    struct filter fx = {0}, fy = {0};
    float *sum = NULL, *padded = NULL;
    double b[4];
    *out = NULL;
    if (!clip_box(box, src, b))
        return GM_FAIL(err, GM_EARG, "the box [%g %g %g %g] holds no pixel of a %u x %u picture",
                       (double)box[0], (double)box[1], (double)box[2], (double)box[3], src->w,
                       src->h);
    GM_TRY(gm_image_new(&to, w, h, err));
    GM_TRY(filter_init(&fx, src->w, b[0], b[2], w, err));
    GM_TRY(filter_init(&fy, src->h, b[1], b[3], h, err));
    sum = gm_alloc((size_t)src->w * 3, sizeof *sum);
    padded = gm_alloc((size_t)src->w * 4, sizeof *padded);
    if (!sum || !padded) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a row of %u pixels", src->w);
        goto done;
    }
    resize_rows(src, to, &fx, &fy, sum, padded);
    *out = to;
    to = NULL;
done:
    gm_free(padded);
    gm_free(sum);
    filter_clear(&fx);
    filter_clear(&fy);
    gm_image_free(to);
    return st;
}

enum gm_status gm_plane_resize(const float *src, uint32_t src_w, uint32_t src_h, float *dst,
                               uint32_t w, uint32_t h, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct filter fx = {0}, fy = {0};
    float *sum = NULL;
    if (src_w == 0 || src_h == 0 || w == 0 || h == 0)
        return GM_FAIL(err, GM_EARG, "cannot resize %u x %u values to %u x %u", src_w, src_h, w, h);
    GM_TRY(filter_init(&fx, src_w, 0, src_w, w, err));
    GM_TRY(filter_init(&fy, src_h, 0, src_h, h, err));
    if (!(sum = gm_alloc(src_w, sizeof *sum))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a row of %u values", src_w);
        goto done;
    }
    for (uint32_t y = 0; y < h; y++) {
        memset(sum, 0, src_w * sizeof *sum);
        for (uint32_t k = 0; k < fy.n[y]; k++)
            row_add_floats(sum, src + (size_t)(fy.at[y] + k) * src_w, src_w,
                           fy.weight[y * fy.most + k]);
        for (uint32_t x = 0; x < w; x++) {
            float v = 0;
            for (uint32_t k = 0; k < fx.n[x]; k++)
                v += fx.weight[x * fx.most + k] * sum[fx.at[x] + k];
            dst[(size_t)y * w + x] = v;
        }
    }
done:
    gm_free(sum);
    filter_clear(&fx);
    filter_clear(&fy);
    return st;
}
