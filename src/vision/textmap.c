/* textmap.c - boxes of a text detector's map P [h][w]:
 *
 *   text(x, y) = max over dx, dy in {0, 1} of P(x - dx, y - dy) > threshold
 *   for each 8-connected piece of text, and for the pixels around each 4-connected hole of one:
 *     q = smallest rectangle around the pixels' centres; no box if a side is shorter than 3
 *     score = mean of P in q; no box if it is less than box_min
 *     box = smallest rectangle around q pushed outwards by area(q) unclip / length(q);
 *           no box if a side is shorter than 5
 *
 * then scaled from the map to the picture and rounded. A rectangle depends on the hull alone, so that
 * pieces are filled instead of their contours followed: of each only the ends of its rows are kept.
 * Source: Liao et al., AAAI 2020, "Real-time Scene Text Detection with Differentiable Binarization", as
 * in RapidOCR 3.10.0 (DBPostProcess, with dilation and "fast" scores). Reference: its boxes of saved maps,
 * tests/golden/textmap.txt (tests/ref/text_reference.py).
 *
 * Cost: one pass to threshold, one to fill. Memory: a byte and an index a pixel. */
#include "vision/textmap.h"

#include "base/alloc.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Bits of a pixel of the padded map. */
enum { TEXT = 1, SEEN = 2 };

struct extent {
    size_t lo, hi; /* columns, lo > hi = none */
};

/* The thresholded map with one pixel of background around it, and what filling needs. */
struct fill {
    size_t w, h;          /* padded */
    uint8_t *pixel;       /* [h][w] */
    uint32_t *stack;      /* [h*w] */
    struct extent *rows;  /* [h] of the piece at hand */
    size_t top, bottom;   /* its rows */
    struct gm_spot *hull; /* [2*(2*h + GM_QUAD_WIDE_MAX) + 1], points and then their hull */
};

struct gm_textmap_opts gm_textmap_opts_default(void)
{
    return (struct gm_textmap_opts){.threshold = 0.3, .box_min = 0.5, .unclip = 1.6};
}

static void fill_clear(struct fill *f)
{
    gm_free(f->pixel);
    gm_free(f->stack);
    gm_free(f->rows);
    gm_free(f->hull);
}

static size_t points_max(const struct fill *f) { return 2 * f->h + GM_QUAD_WIDE_MAX; }

static enum gm_status fill_init(struct fill *f, const struct gm_textmap *map, double threshold,
                                struct gm_error *err)
{
    *f = (struct fill){.w = map->w + 2, .h = map->h + 2};
    f->pixel = gm_alloc(f->w * f->h, 1);
    f->stack = gm_alloc(f->w * f->h, sizeof *f->stack);
    f->rows = gm_alloc(f->h, sizeof *f->rows);
    f->hull = gm_alloc(2 * points_max(f) + 1, sizeof *f->hull);
    if (!f->pixel || !f->stack || !f->rows || !f->hull || f->w * f->h > UINT32_MAX)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a text map of %zu x %zu", map->w, map->h);
    for (size_t y = 0; y < map->h; y++)
        for (size_t x = 0; x < map->w; x++)
            if ((double)map->p[y * map->w + x] > threshold) {
                uint8_t *at = f->pixel + (y + 1) * f->w + x + 1;
                at[0] = TEXT;
                if (x + 1 < map->w)
                    at[1] = TEXT;
                if (y + 1 < map->h)
                    at[f->w] = TEXT;
                if (x + 1 < map->w && y + 1 < map->h)
                    at[f->w + 1] = TEXT;
            }
    return GM_OK;
}

static void put(struct fill *f, size_t at)
{
    size_t y = at / f->w, x = at % f->w;
    struct extent *r = &f->rows[y];
    r->lo = x < r->lo ? x : r->lo;
    r->hi = x > r->hi ? x : r->hi;
    f->top = y < f->top ? y : f->top;
    f->bottom = y > f->bottom ? y : f->bottom;
}

static void clear_rows(struct fill *f)
{
    for (size_t y = f->top; y <= f->bottom; y++)
        f->rows[y] = (struct extent){SIZE_MAX, 0};
    f->top = SIZE_MAX;
    f->bottom = 0;
}

/* Marks the piece (or hole, or the outside) of the pixel `start` as seen. Its rows become those of the
 * piece's pixels, or of the text pixels beside a hole. */
static void fill_from(struct fill *f, size_t start)
{
    const ptrdiff_t w = (ptrdiff_t)f->w;
    const ptrdiff_t step[8] = {-1, 1, -w, w, -w - 1, -w + 1, w - 1, w + 1};
    uint8_t kind = f->pixel[start] & TEXT;
    size_t depth = 0, n_steps = kind ? 8 : 4, end = f->w * f->h;
    f->stack[depth++] = (uint32_t)start;
    f->pixel[start] |= SEEN;
    while (depth) {
        size_t at = f->stack[--depth];
        if (kind)
            put(f, at);
        for (size_t i = 0; i < n_steps; i++) {
            size_t to = at + (size_t)step[i]; /* below 0 wraps over `end` */
            if (to >= end)
                continue;
            if (!kind && (f->pixel[to] & TEXT))
                put(f, to);
            else if ((f->pixel[to] & TEXT) == kind && !(f->pixel[to] & SEEN)) {
                f->pixel[to] |= SEEN;
                f->stack[depth++] = (uint32_t)to;
            }
        }
    }
}

/* The columns that the line from a down to b has in row y, as lines are drawn: one pixel in each row of
 * a steep one, one in each column of another. */
static void line_in_row(struct gm_spot a, struct gm_spot b, double y, double *lo, double *hi)
{
    if (y < a.y || y > b.y)
        return;
    double slope = b.y > a.y ? (b.x - a.x) / (b.y - a.y) : 0;
    double u = a.x + slope * (y - a.y), v = u;
    if (b.y == a.y) {
        v = b.x;
    } else if (fabs(slope) > 1) {
        u = a.x + slope * (fmax(y - 0.5, a.y) - a.y);
        v = a.x + slope * (fmin(y + 0.5, b.y) - a.y);
        u = slope > 0 ? ceil(u) : floor(u);
        v = slope > 0 ? floor(v) : ceil(v);
    }
    *lo = fmin(*lo, rint(fmin(u, v)));
    *hi = fmax(*hi, rint(fmax(u, v)));
}

/* Mean of the map in a rectangle, whose corners are cut to whole pixels; every pixel that its outline
 * touches is in it. */
static double mean_in(const struct gm_textmap *map, const struct gm_quad *q)
{
    double top = INFINITY, bottom = 0, sum = 0;
    size_t n = 0;
    struct gm_spot p[5];
    for (size_t i = 0; i < 5; i++) {
        p[i] = (struct gm_spot){trunc(q->at[i % 4].x), trunc(q->at[i % 4].y)};
        top = fmin(top, p[i].y);
        bottom = fmax(bottom, p[i].y);
    }
    for (double y = fmax(top, 0); y <= bottom && y < (double)map->h; y++) {
        double lo = INFINITY, hi = -INFINITY;
        for (size_t i = 0; i < 4; i++)
            line_in_row(p[p[i].y > p[i + 1].y ? i + 1 : i], p[p[i].y > p[i + 1].y ? i : i + 1], y,
                        &lo, &hi);
        for (double x = fmax(lo, 0); x <= hi && x < (double)map->w; x++, n++)
            sum += (double)map->p[(size_t)y * map->w + (size_t)x];
    }
    return n ? sum / (double)n : 0;
}

static double clamp(double x, double most) { return fmin(fmax(x, 0), most); }

/* From the map to the picture: whole pixels in it. False for a box of three pixels or less. */
static bool to_picture(const struct gm_textmap *map, uint32_t w, uint32_t h, struct gm_quad *q)
{
    for (size_t i = 0; i < 4; i++) {
        q->at[i].x = clamp(rint(q->at[i].x / (double)map->w * w), w);
        q->at[i].y = clamp(rint(q->at[i].y / (double)map->h * h), h);
    }
    *q = gm_quad_sorted(q);
    for (size_t i = 0; i < 4; i++) {
        q->at[i].x = clamp(q->at[i].x, w - 1.0);
        q->at[i].y = clamp(q->at[i].y, h - 1.0);
    }
    return trunc(hypot(q->at[1].x - q->at[0].x, q->at[1].y - q->at[0].y)) > 3 &&
           trunc(hypot(q->at[3].x - q->at[0].x, q->at[3].y - q->at[0].y)) > 3;
}

/* The box of the rows at hand; false when there is none. */
static bool box_of(struct fill *f, const struct gm_textmap *map, const struct gm_textmap_opts *opts,
                   uint32_t w, uint32_t h, struct gm_text_box *out)
{
    struct gm_spot *points = f->hull, *hull = f->hull + points_max(f);
    struct gm_quad q;
    size_t n = 0;
    for (size_t y = f->top; y <= f->bottom; y++) {
        points[n++] = (struct gm_spot){(double)f->rows[y].lo - 1, (double)y - 1};
        points[n++] = (struct gm_spot){(double)f->rows[y].hi - 1, (double)y - 1};
    }
    if (gm_quad_around(hull, gm_hull(points, n, hull), &q) < GM_TEXTMAP_SIDE_MIN)
        return false;
    out->score = mean_in(map, &q);
    if (out->score < opts->box_min)
        return false;
    n = gm_quad_widen(&q, gm_quad_area(&q) * opts->unclip / gm_quad_length(&q), points);
    if (n == 0 || gm_quad_around(hull, gm_hull(points, n, hull), &q) < GM_TEXTMAP_SIDE_MIN + 2)
        return false;
    out->quad = q;
    return to_picture(map, w, h, &out->quad);
}

static int by_top(const void *a, const void *b)
{
    const struct gm_text_box *s = a, *t = b;
    double ys = s->quad.at[0].y, yt = t->quad.at[0].y;
    if (ys != yt)
        return ys < yt ? -1 : 1;
    return (s->quad.at[0].x > t->quad.at[0].x) - (s->quad.at[0].x < t->quad.at[0].x);
}

static int by_left(const void *a, const void *b)
{
    const struct gm_text_box *s = a, *t = b;
    double xs = s->quad.at[0].x, xt = t->quad.at[0].x;
    return xs != xt ? (xs < xt ? -1 : 1) : by_top(a, b);
}

/* As they are read: a box starts less than 10 pixels below the one before it: of one line with it. */
static void sort_boxes(struct gm_text_box *boxes, size_t n)
{
    qsort(boxes, n, sizeof *boxes, by_top);
    for (size_t from = 0, to; from < n; from = to) {
        to = from + 1;
        while (to < n && boxes[to].quad.at[0].y - boxes[to - 1].quad.at[0].y < 10)
            to++;
        qsort(boxes + from, to - from, sizeof *boxes, by_left);
    }
}

enum gm_status gm_textmap_boxes(const struct gm_textmap *map, const struct gm_textmap_opts *opts,
                                uint32_t w, uint32_t h, struct gm_text_box *out, size_t max,
                                size_t *n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct fill f;
    *n = 0;
    GM_TRY(fill_init(&f, map, opts->threshold, err));
    f.top = 0;
    f.bottom = f.h - 1;
    clear_rows(&f);
    fill_from(&f, 0); /* the outside is no hole */
    for (size_t i = 0; i < f.w * f.h && *n < max; i++) {
        if (f.pixel[i] & SEEN)
            continue;
        if (f.top <= f.bottom)
            clear_rows(&f);
        fill_from(&f, i);
        if (box_of(&f, map, opts, w, h, &out[*n]))
            ++*n;
    }
    sort_boxes(out, *n);
done:
    fill_clear(&f);
    return st;
}
