/* mask_map.c - on each axis, a map of n samples to the picture's m pixels, as PyTorch's
 * interpolate(mode="bilinear", align_corners=False) does it:
 *
 *   u(i) = max(0, (i + 1/2) n / m - 1/2),  k = floor(u),  f = u - k
 *   out[i] = (1 - f) in[k] + f in[min(k + 1, n - 1)]
 *
 * Where the map shows a padded square of `side`, that is done twice, as SAM's own code does it: n to side,
 * of which the first r samples are kept, and these to m. Both steps are linear, so a pixel is a sum
 * over a few neighbouring samples of the map (at most TAPS, as side >= n), whose weights are found once
 * for each row and column. Source: segment-anything, Sam.postprocess_masks. Tests: tests/unit/test_vision_sam.c. */
#include "vision/mask_map.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { TAPS = 4 };

/* The samples of the map that pixel i is made of: at, at + 1, … */
struct taps {
    size_t at;
    float weight[TAPS];
};

static size_t place(size_t i, size_t n, size_t m, double *f)
{
    double u = fmax(0, ((double)i + 0.5) * (double)n / (double)m - 0.5);
    size_t k = (size_t)u < n - 1 ? (size_t)u : n - 1;
    *f = fmin(u - (double)k, 1);
    return k;
}

/* Adds `share` of sample i of the row of `side` that a map of n becomes. */
static void add_sample(struct taps *t, size_t i, size_t n, size_t side, double share)
{
    double f;
    size_t k = place(i, n, side, &f), next = k + 1 < n ? k + 1 : k;
    if (k >= t->at && k - t->at < TAPS)
        t->weight[k - t->at] += (float)(share * (1 - f));
    if (next >= t->at && next - t->at < TAPS)
        t->weight[next - t->at] += (float)(share * f);
}

/* Of m pixels each; r of `side` samples are kept of the step between (side 0: there is none). */
static void find_taps(struct taps *taps, size_t n, size_t side, size_t r, size_t m)
{
    for (size_t i = 0; i < m; i++) {
        double f, none;
        size_t mid = side ? side : n, kept = side ? r : n;
        size_t k = place(i, kept, m, &f), next = k + 1 < kept ? k + 1 : k;
        size_t at = place(k, n, mid, &none);
        taps[i] = (struct taps){.at = at + TAPS <= n ? at : n > TAPS ? n - TAPS : 0};
        add_sample(&taps[i], k, n, mid, 1 - f);
        add_sample(&taps[i], next, n, mid, f);
    }
}

static void add_row(float *restrict row, const float *restrict map, size_t n, float weight)
{
    for (size_t i = 0; i < n; i++)
        row[i] += weight * map[i];
}

static size_t cut_row(uint8_t *mask, const float *row, const struct taps *x, size_t w, size_t n)
{
    size_t area = 0;
    for (size_t i = 0; i < w; i++) {
        float sum = 0;
        for (size_t t = 0; t < n; t++)
            sum += x[i].weight[t] * row[x[i].at + t];
        mask[i] = sum > 0;
        area += mask[i];
    }
    return area;
}

enum gm_status gm_mask_of_map(const float *map, size_t map_h, size_t map_w,
                              const struct gm_map_view *view, uint8_t *mask, size_t *area,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t w = view->w, h = view->h, nx = map_w < TAPS ? map_w : TAPS,
           ny = map_h < TAPS ? map_h : TAPS;
    struct taps *x = gm_alloc(w, sizeof *x), *y = gm_alloc(h, sizeof *y);
    float *row = gm_alloc(map_w, sizeof *row);
    *area = 0;
    if (view->side && (map_w > view->side || map_h > view->side)) {
        st = GM_FAIL(err, GM_ESHAPE, "a map of %zu x %zu of a picture of %u x %u pixels", map_w,
                     map_h, view->side, view->side);
        goto done;
    }
    if (!x || !y || !row) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %zu x %zu pixels", w, h);
        goto done;
    }
    find_taps(x, map_w, view->side, view->rw, w);
    find_taps(y, map_h, view->side, view->rh, h);
    for (size_t i = 0; i < h; i++) {
        memset(row, 0, map_w * sizeof *row);
        for (size_t t = 0; t < ny; t++)
            add_row(row, map + (y[i].at + t) * map_w, map_w, y[i].weight[t]);
        *area += cut_row(mask + i * w, row, x, w, nx);
    }
done:
    gm_free(row);
    gm_free(y);
    gm_free(x);
    return st;
}
