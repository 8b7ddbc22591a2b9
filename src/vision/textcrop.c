/* textcrop.c - lines of text made straight.
 *
 * A crop of w x h pixels shows the quadrilateral q by the perspective map M with M(0,0) = q0,
 * M(w,0) = q1, M(w,h) = q2, M(0,h) = q3. Its pixel (x, y) is the bicubic mean (a = -0.75) of the 4 x 4
 * pixels around M(x, y). A strip is made of a crop by linear blending of 2 x 2 pixels, weights in 1/2048.
 *
 * Sources: Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, for M; OpenCV's
 * warpPerspective (INTER_CUBIC, BORDER_REPLICATE) and resize (INTER_LINEAR), which RapidOCR
 * calls, for the rest: text models read best what their training code saw. Reference: RapidOCR's lines,
 * tests/ref/text_reference.py. */
#include "vision/textcrop.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

/* x = (m[0] u + m[1] v + m[2]) / (m[6] u + m[7] v + 1), y likewise with m[3..5]; u and v in 0..1. */
static void square_to(const struct gm_quad *q, double m[8])
{
    const struct gm_spot *p = q->at;
    double sx = p[0].x - p[1].x + p[2].x - p[3].x, sy = p[0].y - p[1].y + p[2].y - p[3].y;
    double ax = p[1].x - p[2].x, ay = p[1].y - p[2].y, bx = p[3].x - p[2].x, by = p[3].y - p[2].y;
    double area = ax * by - bx * ay, g = 0, h = 0;
    if (area != 0) {
        g = (sx * by - bx * sy) / area;
        h = (ax * sy - sx * ay) / area;
    }
    const double map[8] = {p[1].x - p[0].x + g * p[1].x,
                           p[3].x - p[0].x + h * p[3].x,
                           p[0].x,
                           p[1].y - p[0].y + g * p[1].y,
                           p[3].y - p[0].y + h * p[3].y,
                           p[0].y,
                           g,
                           h};
    memcpy(m, map, sizeof map);
}

/* Weights of the pixels -1, 0, 1 and 2 at `t` in [0, 1) from pixel 0. */
static void cubic(double t, float w[4])
{
    const double a = -0.75;
    double u = t + 1, v = 1 - t;
    w[0] = (float)(((a * u - 5 * a) * u + 8 * a) * u - 4 * a);
    w[1] = (float)(((a + 2) * t - (a + 3)) * t * t + 1);
    w[2] = (float)(((a + 2) * v - (a + 3)) * v * v + 1);
    w[3] = 1 - w[0] - w[1] - w[2];
}

static size_t inside(long long at, uint32_t size)
{
    return at < 0 ? 0 : at >= size ? size - 1 : (size_t)at;
}

static uint8_t to_byte(float x) { return x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)lrintf(x); }

static void sample(const struct gm_image *im, double x, double y, uint8_t *out)
{
    float wx[4], wy[4], sum[3] = {0, 0, 0};
    x = fmin(fmax(x, -1e6), 1e6);
    y = fmin(fmax(y, -1e6), 1e6);
    long long x0 = (long long)floor(x), y0 = (long long)floor(y);
    cubic(x - (double)x0, wx);
    cubic(y - (double)y0, wy);
    for (int j = 0; j < 4; j++) {
        const uint8_t *row = im->rgb + 3 * im->w * inside(y0 + j - 1, im->h);
        for (int i = 0; i < 4; i++) {
            const uint8_t *p = row + 3 * inside(x0 + i - 1, im->w);
            float w = wx[i] * wy[j];
            sum[0] += w * (float)p[0];
            sum[1] += w * (float)p[1];
            sum[2] += w * (float)p[2];
        }
    }
    for (int k = 0; k < 3; k++)
        out[k] = to_byte(sum[k]);
}

static double distance(struct gm_spot a, struct gm_spot b) { return hypot(b.x - a.x, b.y - a.y); }

bool gm_text_crop_init(struct gm_text_crop *c, const struct gm_quad *q)
{
    const struct gm_spot *p = q->at;
    double w = floor(fmax(distance(p[0], p[1]), distance(p[2], p[3])));
    double h = floor(fmax(distance(p[0], p[3]), distance(p[1], p[2])));
    *c = (struct gm_text_crop){.is_laid = h >= 1.5 * w};
    if (!(w >= 1 && h >= 1 && w <= GM_IMAGE_MAX_SIDE * 2.0 && h <= GM_IMAGE_MAX_SIDE * 2.0))
        return false;
    square_to(q, c->map);
    c->w = (uint32_t)(c->is_laid ? h : w);
    c->h = (uint32_t)(c->is_laid ? w : h);
    return true;
}

/* The crop's pixel (x, y). */
static void pixel(const struct gm_text_crop *c, const struct gm_image *im, uint32_t x, uint32_t y,
                  uint8_t *out)
{
    if (c->is_turned) {
        x = c->w - 1 - x;
        y = c->h - 1 - y;
    }
    double u = c->is_laid ? (double)(c->h - 1 - y) / c->h : (double)x / c->w;
    double v = c->is_laid ? (double)x / c->w : (double)y / c->h;
    const double *m = c->map;
    double below = m[6] * u + m[7] * v + 1;
    below = below != 0 ? 1 / below : 0;
    sample(im, (m[0] * u + m[1] * v + m[2]) * below, (m[3] * u + m[4] * v + m[5]) * below, out);
}

/* OpenCV's fixed point: 1 in the weights of resizing. */
enum { ONE = 2048 };

/* How n output samples are made of `in` input ones: sample i is the blend of two of those that are
 * needed. */
struct axis {
    uint32_t *needed; /* [n_needed] inputs, rising */
    size_t n_needed;
    uint32_t (*pair)[2]; /* [n] places in `needed` */
    int *part;           /* [n] of the second, of ONE */
};

static void axis_clear(struct axis *x)
{
    gm_free(x->needed);
    gm_free(x->pair);
    gm_free(x->part);
}

/* The place of input `at` among the needed ones, where it is put last if it is new. */
static uint32_t need(struct axis *x, size_t at)
{
    for (size_t back = 1; back <= 2 && back <= x->n_needed; back++)
        if (x->needed[x->n_needed - back] == at)
            return (uint32_t)(x->n_needed - back);
    x->needed[x->n_needed] = (uint32_t)at;
    return (uint32_t)x->n_needed++;
}

static enum gm_status axis_init(struct axis *x, size_t n, uint32_t in, struct gm_error *err)
{
    *x = (struct axis){.needed = gm_alloc(2 * n, sizeof *x->needed),
                       .pair = gm_alloc(n, sizeof *x->pair),
                       .part = gm_alloc(n, sizeof *x->part)};
    if (!x->needed || !x->pair || !x->part)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu pixels of text", n);
    for (size_t i = 0; i < n; i++) {
        double at = ((double)i + 0.5) * in / (double)n - 0.5;
        at = fmin(fmax(at, 0), in - 1.0);
        size_t from = (size_t)at;
        x->pair[i][0] = need(x, from);
        x->pair[i][1] = need(x, from + 1 < in ? from + 1 : from);
        x->part[i] = (int)lrint((at - (double)from) * ONE);
    }
    return GM_OK;
}

/* One row of the planes out of the two rows of pixels around it, in OpenCV's whole numbers. */
static void blend_row(const uint8_t *above, const uint8_t *below, int v, const struct axis *x,
                      const uint32_t *place, size_t w, size_t plane, float *out)
{
    for (size_t i = 0; i < w; i++) {
        size_t l = 3 * (size_t)(place ? place[x->pair[i][0]] : x->pair[i][0]);
        size_t r = 3 * (size_t)(place ? place[x->pair[i][1]] : x->pair[i][1]);
        int u = x->part[i];
        for (size_t k = 0; k < 3; k++) {
            int top = above[l + k] * (ONE - u) + above[r + k] * u;
            int low = below[l + k] * (ONE - u) + below[r + k] * u;
            int sum = (((ONE - v) * (top >> 4)) >> 16) + ((v * (low >> 4)) >> 16);
            out[(2 - k) * plane + i] = (float)((sum + 2) >> 2) / 127.5f - 1;
        }
    }
}

enum gm_status gm_text_planes(const struct gm_image *im, size_t w, size_t h, float *out,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct axis x = {NULL}, y = {NULL};
    GM_TRY(axis_init(&x, w, im->w, err));
    GM_TRY(axis_init(&y, h, im->h, err));
    for (size_t i = 0; i < h; i++)
        blend_row(im->rgb + 3 * (size_t)im->w * y.needed[y.pair[i][0]],
                  im->rgb + 3 * (size_t)im->w * y.needed[y.pair[i][1]], y.part[i], &x, x.needed, w,
                  w * h, out + i * w);
done:
    axis_clear(&x);
    axis_clear(&y);
    return st;
}

enum gm_status gm_text_strip(const struct gm_text_crop *c, const struct gm_image *im, size_t w,
                             size_t h, size_t stride, float *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct axis x = {NULL}, y = {NULL};
    uint8_t *pixels = NULL; /* [y.n_needed][x.n_needed][3] */
    GM_TRY(axis_init(&x, w, c->w, err));
    GM_TRY(axis_init(&y, h, c->h, err));
    size_t row = 3 * x.n_needed;
    if (!(pixels = gm_alloc(y.n_needed, row))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a line of text");
        goto done;
    }
    for (size_t j = 0; j < y.n_needed; j++)
        for (size_t i = 0; i < x.n_needed; i++)
            pixel(c, im, x.needed[i], y.needed[j], pixels + j * row + 3 * i);
    for (size_t j = 0; j < h; j++)
        blend_row(pixels + row * y.pair[j][0], pixels + row * y.pair[j][1], y.part[j], &x, NULL, w,
                  stride * h, out + j * stride);
done:
    gm_free(pixels);
    axis_clear(&x);
    axis_clear(&y);
    return st;
}
