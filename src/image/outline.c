/* outline.c - the edges of a mask [h][w] as closed loops of corners between pixels. A walk keeps
 * the inside on its right and turns where the two pixels ahead say so, at a saddle to the right,
 * so that pixels that touch at a corner are apart. Twice the loop's signed area is sum of (x_i
 * y_i+1 - x_i+1 y_i). Simplified is by leaving out corners that are at most the tolerance away
 * from the chord, the farthest first:
 *
 *   distance(p, a-b) = |(b - a) x (p - a)| / |b - a|
 *
 * Source: Douglas, Peucker, Cartographica 10(2), 1973. Naive reference: is_in (the even-odd
 * rule, pixel by pixel) in tests/unit/test_image_mask.c. */
#include "image/outline.h"

#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>

enum { MAX_CORNERS = 100 * 1000 };

struct tracer {
    const uint8_t *mask;
    uint8_t *seen; /* [h][w] pixels whose upper edge has been followed */
    int64_t w, h;
    struct gm_point *loop; /* corners of the loop being followed, and which of them stay */
    uint8_t *stays;
    size_t n_loop, total, cap;
};

static bool inside(const struct tracer *t, int64_t x, int64_t y)
{
    return x >= 0 && y >= 0 && x < t->w && y < t->h && t->mask[y * t->w + x];
}

static enum gm_status add_corner(struct tracer *t, int64_t x, int64_t y, struct gm_error *err)
{
    if (++t->total > MAX_CORNERS)
        return GM_FAIL(err, GM_EFORMAT, "a mask of more than %d corners", MAX_CORNERS);
    if (t->n_loop == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        struct gm_point *loop = gm_realloc(t->loop, cap, sizeof *loop);
        if (loop)
            t->loop = loop;
        uint8_t *stays = loop ? gm_realloc(t->stays, cap, 1) : NULL;
        if (!stays)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for the corners of a mask");
        t->stays = stays;
        t->cap = cap;
    }
    t->loop[t->n_loop++] = (struct gm_point){(uint32_t)x, (uint32_t)y};
    return GM_OK;
}

/* Walk along pixel edges with the mask on the right hand, from the upper left corner of (x0, y0)
 * eastwards, until back. Where only corners of pixels touch, stay with the pixel. *area is twice
 * what the loop goes around, of either sign. */
static enum gm_status follow(struct tracer *t, int64_t x0, int64_t y0, int64_t *area,
                             struct gm_error *err)
{
    static const int dx[4] = {1, 0, -1, 0}, dy[4] = {0, 1, 0, -1}; /* east, south, west, north */
    enum gm_status st = GM_OK;
    int64_t x = x0, y = y0;
    int d = 0;
    t->n_loop = 0;
    *area = 0;
    do {
        if (d == 0)
            t->seen[y * t->w + x] = 1;
        *area += x * dy[d] - y * dx[d];
        x += dx[d];
        y += dy[d];
        /* The pixels ahead, right and left of the corner: a corner's pixels are at -1 and 0. */
        bool right = inside(t, x + (dx[d] - dy[d] - 1) / 2, y + (dy[d] + dx[d] - 1) / 2);
        bool left = inside(t, x + (dx[d] + dy[d] - 1) / 2, y + (dy[d] - dx[d] - 1) / 2);
        int turn = !right ? 1 : left ? 3 : 0;
        if (turn)
            GM_TRY(add_corner(t, x, y, err));
        d = (d + turn) % 4;
    } while (x != x0 || y != y0 || d != 0);
done:
    return st;
}

/* Square of the distance of p from the line a-b (from a, where they are the same). */
static double away(struct gm_point p, struct gm_point a, struct gm_point b)
{
    double ux = (double)b.x - a.x, uy = (double)b.y - a.y;
    double vx = (double)p.x - a.x, vy = (double)p.y - a.y;
    double len = ux * ux + uy * uy, cross = ux * vy - uy * vx;
    return len > 0 ? cross * cross / len : vx * vx + vy * vy;
}

/* Keep, of the corners between `first` and `last` (which stay), those that the tolerance asks for.
 * The shorter half is done by recursion, the longer by going on, so that the depth is log n. */
static void simplify(struct tracer *t, size_t first, size_t last, double tolerance2)
{
    while (last > first + 1) {
        size_t farthest = first;
        double most = tolerance2;
        struct gm_point end = t->loop[last % t->n_loop];
        for (size_t i = first + 1; i < last; i++) {
            double d = away(t->loop[i], t->loop[first], end);
            if (d > most) {
                most = d;
                farthest = i;
            }
        }
        if (farthest == first)
            return;
        t->stays[farthest] = 1;
        if (farthest - first < last - farthest) {
            simplify(t, first, farthest, tolerance2);
            first = farthest;
        } else {
            simplify(t, farthest, last, tolerance2);
            last = farthest;
        }
    }
}

/* The corner farthest from the first one stays too, so that neither half ends where it begins. */
static void simplify_loop(struct tracer *t, double tolerance2)
{
    size_t far = 0;
    double most = -1;
    for (size_t i = 0; i < t->n_loop; i++) {
        double d = away(t->loop[i], t->loop[0], t->loop[0]);
        t->stays[i] = tolerance2 <= 0;
        if (d > most) {
            most = d;
            far = i;
        }
    }
    t->stays[0] = t->stays[far] = 1;
    if (tolerance2 > 0) {
        simplify(t, 0, far, tolerance2);
        simplify(t, far, t->n_loop, tolerance2);
    }
}

static enum gm_status keep_loop(struct gm_arena *a, const struct tracer *t, struct gm_outline *out,
                                size_t *cap_points, size_t *cap_ends, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t before = out->n_points;
    for (size_t i = 0; i < t->n_loop; i++) {
        if (!t->stays[i])
            continue;
        GM_TRY(GM_ARENA_GROW(a, out->points, out->n_points, *cap_points, err));
        out->points[out->n_points++] = t->loop[i];
    }
    if (out->n_points - before < 3) { /* nothing but a line is left */
        out->n_points = before;
        goto done;
    }
    GM_TRY(GM_ARENA_GROW(a, out->ends, out->n_loops, *cap_ends, err));
    out->ends[out->n_loops++] = (uint32_t)out->n_points;
done:
    return st;
}

enum gm_status gm_mask_outline(struct gm_arena *a, const uint8_t *mask, uint32_t h, uint32_t w,
                               float tolerance_px, size_t min_area_px, struct gm_outline *out,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct tracer t = {.mask = mask, .w = w, .h = h};
    size_t cap_points = 0, cap_ends = 0;
    *out = (struct gm_outline){0};
    if (!(t.seen = gm_alloc((size_t)w * h, 1))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u x %u pixels", w, h);
        goto done;
    }
    for (int64_t y = 0; y < t.h; y++)
        for (int64_t x = 0; x < t.w; x++) {
            if (!mask[y * t.w + x] || t.seen[y * t.w + x] || inside(&t, x, y - 1))
                continue;
            int64_t area;
            GM_TRY(follow(&t, x, y, &area, err));
            if ((size_t)llabs(area) < 2 * min_area_px)
                continue;
            simplify_loop(&t, (double)tolerance_px * (double)tolerance_px);
            GM_TRY(keep_loop(a, &t, out, &cap_points, &cap_ends, err));
        }
done:
    gm_free(t.seen);
    gm_free(t.loop);
    gm_free(t.stays);
    return st;
}
