/* polygon.c - polygons to pixels, exactly as pycocotools does it. Corners (x, y) become points
 * (5x + 1/2, 5y + 1/2), rounded down, of a grid five times as fine, on which the outline is
 * walked. Where it steps from one column of pixels to the next, the row it crosses at is a place
 * x h + y, counted down the columns, where a run begins or ends. The sorted places, taken in
 * pairs, are the runs inside: the even-odd rule. Source: rleFrPoly of the COCO API (cocoapi,
 * common/maskApi.c), whose rounding is kept. Reference: pycocotools' masks
 * (tests/ref/polygon_reference.py, tests/golden/polygons.json). */
#include "image/mask.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <math.h>
#include <stdlib.h>

/* A longer outline is noise, or made to keep us busy. */
enum { SCALE = 5, FARTHEST_PX = 100000, MAX_STEPS = 100 * 1000 * 1000 };

struct crossings {
    struct gm_buf at; /* size_t: pixels counted down the columns */
    uint32_t h, w;
    bool begun;
    long long n_steps;
    long long u, v; /* the outline's last point on the fine grid */
};

/* The outline went from the last point to (u, v). */
static enum gm_status step(struct crossings *c, long long u, long long v, struct gm_error *err)
{
    long long from_u = c->u, from_v = c->v;
    bool begun = c->begun;
    c->begun = true;
    c->u = u;
    c->v = v;
    if (!begun || u == from_u)
        return GM_OK;
    double x = (double)(u < from_u ? u : u - 1);
    x = (x + 0.5) / SCALE - 0.5;
    if (floor(x) != x || x < 0 || x > (double)c->w - 1)
        return GM_OK;
    double y = (double)(v < from_v ? v : from_v);
    y = (y + 0.5) / SCALE - 0.5;
    y = ceil(y < 0 ? 0 : y > c->h ? c->h : y);
    size_t place = (size_t)x * c->h + (size_t)y;
    return gm_buf_add(&c->at, &place, sizeof place, err);
}

/* Every point of the edge in its own direction, ends included; the rounding is that of the edge
 * taken left to right (or top down). */
static enum gm_status walk_edge(struct crossings *c, long long xs, long long ys, long long xe,
                                long long ye, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    long long dx = llabs(xe - xs), dy = llabs(ye - ys), n = dx >= dy ? dx : dy;
    c->n_steps += n;
    if (c->n_steps > MAX_STEPS)
        return GM_FAIL(err, GM_EFORMAT, "a polygon whose outline is over %d pixels long",
                       MAX_STEPS / SCALE);
    bool flip = (dx >= dy && xs > xe) || (dx < dy && ys > ye);
    if (flip) {
        long long t = xs;
        xs = xe;
        xe = t;
        t = ys;
        ys = ye;
        ye = t;
    }
    /* An edge of no length has no slope; the reference's 0/0 is multiplied by 0 there. */
    double slope = n == 0     ? 0
                   : dx >= dy ? (double)(ye - ys) / (double)dx
                              : (double)(xe - xs) / (double)dy;
    for (long long d = 0; d <= n; d++) {
        long long t = flip ? n - d : d;
        if (dx >= dy)
            GM_TRY(step(c, t + xs, (long long)((double)ys + slope * (double)t + 0.5), err));
        else
            GM_TRY(step(c, (long long)((double)xs + slope * (double)t + 0.5), t + ys, err));
    }
done:
    return st;
}

static int by_size(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static void fill(uint8_t *mask, const struct crossings *c)
{
    const size_t *at = (const void *)c->at.p;
    size_t n = c->at.n / sizeof *at, n_pixels = (size_t)c->h * c->w;
    for (size_t i = 0; i < n; i += 2) {
        size_t end = i + 1 < n ? at[i + 1] : n_pixels;
        for (size_t k = at[i]; k < end && k < n_pixels; k++)
            mask[k % c->h * c->w + k / c->h] = 1;
    }
}

enum gm_status gm_mask_polygon(uint8_t *mask, uint32_t h, uint32_t w, const double *xy, size_t n,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct crossings c = {.h = h, .w = w};
    gm_buf_init(&c.at, (size_t)1 << 28);
    if (n < 3)
        return GM_FAIL(err, GM_EFORMAT, "a polygon of %zu corners: 3 are the least", n);
    for (size_t i = 0; i < 2 * n; i++)
        if (!(fabs(xy[i]) <= FARTHEST_PX))
            return GM_FAIL(err, GM_EFORMAT, "a polygon's corner at %g: not near any picture",
                           xy[i]);
    for (size_t i = 0; i < n; i++) {
        const double *p = xy + 2 * i, *q = xy + 2 * ((i + 1) % n);
        GM_TRY(walk_edge(&c, (long long)(SCALE * p[0] + 0.5), (long long)(SCALE * p[1] + 0.5),
                         (long long)(SCALE * q[0] + 0.5), (long long)(SCALE * q[1] + 0.5), err));
    }
    if (c.at.n)
        qsort(c.at.p, c.at.n / sizeof(size_t), sizeof(size_t), by_size);
    fill(mask, &c);
done:
    gm_buf_clear(&c.at);
    return st;
}
