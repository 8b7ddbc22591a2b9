/* quad.c - shapes around points.
 *
 *   hull                 Andrew's monotone chain, by rows
 *   smallest rectangle   one of its sides lies on a side of the hull (Freeman, Shapira 1975): of all
 *                        sides' directions the one with the least (max - min along) x (max - min across)
 *   widening             each corner p between sides with the outward normals m and n becomes the
 *                        spots p + d r, r turning from m to n in steps of 2 pi / s with
 *                        s = pi / arccos(1 - min(1/4, d/4) / d), rounded to whole pixels
 *
 * Source of the last: Clipper 6.4.2 (ClipperOffset::OffsetPoint, DoRound), which RapidOCR calls with its
 * default arc tolerance. Reference: OpenCV and pyclipper, tests/ref/text_reference.py. */
#include "vision/quad.h"

#include <math.h>
#include <stdlib.h>

static int by_row(const void *a, const void *b)
{
    const struct gm_spot *s = a, *t = b;
    if (s->y != t->y)
        return s->y < t->y ? -1 : 1;
    return (s->x > t->x) - (s->x < t->x);
}

static double turn(struct gm_spot o, struct gm_spot a, struct gm_spot b)
{
    return (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x);
}

/* Adds `s` to the chain out[from..n), dropping what lies inside. */
static size_t chain(struct gm_spot *out, size_t from, size_t n, struct gm_spot s)
{
    while (n >= from + 2 && turn(out[n - 2], out[n - 1], s) <= 0)
        n--;
    out[n] = s;
    return n + 1;
}

size_t gm_hull(struct gm_spot *spots, size_t n, struct gm_spot *out)
{
    size_t k = 0, m = 0;
    qsort(spots, n, sizeof *spots, by_row);
    for (size_t i = 0; i < n; i++) /* each once */
        if (i == 0 || by_row(&spots[i], &spots[m - 1]) != 0)
            spots[m++] = spots[i];
    if (m < 2) {
        if (m)
            out[0] = spots[0];
        return m;
    }
    for (size_t i = 0; i < m; i++)
        k = chain(out, 0, k, spots[i]);
    size_t half = k - 1;
    for (size_t i = m - 1; i-- > 0;)
        k = chain(out, half, k, spots[i]);
    return k - 1; /* the last is the first again */
}

/* The rectangle along the unit vector u around the hull; its area. */
static double rectangle(const struct gm_spot *hull, size_t n, struct gm_spot u, struct gm_quad *out,
                        double *shorter)
{
    double lo[2] = {INFINITY, INFINITY}, hi[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < n; i++) {
        double at[2] = {hull[i].x * u.x + hull[i].y * u.y, hull[i].y * u.x - hull[i].x * u.y};
        for (int k = 0; k < 2; k++) {
            lo[k] = fmin(lo[k], at[k]);
            hi[k] = fmax(hi[k], at[k]);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        double a = i == 0 || i == 3 ? lo[0] : hi[0], b = i < 2 ? lo[1] : hi[1];
        out->at[i] = (struct gm_spot){a * u.x - b * u.y, a * u.y + b * u.x};
    }
    *shorter = fmin(hi[0] - lo[0], hi[1] - lo[1]);
    return (hi[0] - lo[0]) * (hi[1] - lo[1]);
}

double gm_quad_around(const struct gm_spot *hull, size_t n, struct gm_quad *out)
{
    double best = INFINITY, side = 0;
    for (size_t i = 0; i < 4; i++)
        out->at[i] = hull[0];
    for (size_t i = 0; i < n && n > 1; i++) {
        struct gm_spot a = hull[i], b = hull[(i + 1) % n];
        double length = hypot(b.x - a.x, b.y - a.y), shorter;
        struct gm_quad q;
        double area = rectangle(
            hull, n, (struct gm_spot){(b.x - a.x) / length, (b.y - a.y) / length}, &q, &shorter);
        if (area < best) {
            best = area;
            side = shorter;
            *out = q;
        }
    }
    *out = gm_quad_sorted(out);
    return side;
}

struct gm_quad gm_quad_sorted(const struct gm_quad *q)
{
    struct gm_spot s[4];
    for (size_t i = 0; i < 4; i++) { /* by x, equals as they came */
        size_t k = i;
        for (; k > 0 && s[k - 1].x > q->at[i].x; k--)
            s[k] = s[k - 1];
        s[k] = q->at[i];
    }
    size_t left = s[1].y > s[0].y ? 0u : 1u, right = s[3].y > s[2].y ? 2u : 3u;
    return (struct gm_quad){{s[left], s[right], s[5 - right], s[1 - left]}};
}

double gm_quad_area(const struct gm_quad *q)
{
    double sum = 0;
    for (size_t i = 0; i < 4; i++) {
        struct gm_spot a = q->at[i], b = q->at[(i + 1) % 4];
        sum += a.x * b.y - b.x * a.y;
    }
    return fabs(sum) / 2;
}

double gm_quad_length(const struct gm_quad *q)
{
    double sum = 0;
    for (size_t i = 0; i < 4; i++) {
        struct gm_spot a = q->at[i], b = q->at[(i + 1) % 4];
        sum += hypot(b.x - a.x, b.y - a.y);
    }
    return sum;
}

static struct gm_spot outward(struct gm_spot a, struct gm_spot b)
{
    double length = hypot(b.x - a.x, b.y - a.y);
    return (struct gm_spot){(b.y - a.y) / length, (a.x - b.x) / length};
}

static size_t add(struct gm_spot *out, size_t n, struct gm_spot p, struct gm_spot r, double d)
{
    if (n < GM_QUAD_WIDE_MAX)
        out[n++] = (struct gm_spot){round(p.x + r.x * d), round(p.y + r.y * d)};
    return n;
}

/* The spots of corner p, whose sides have the outward normals m and r. */
static size_t round_corner(struct gm_spot p, struct gm_spot m, struct gm_spot r, double d,
                           struct gm_spot *out, size_t n)
{
    double sine = m.x * r.y - r.x * m.y, cosine = m.x * r.x + m.y * r.y;
    if (fabs(sine * d) < 1 && cosine > 0)
        return add(out, n, p, m, d);
    double around = fmin(M_PI / acos(1 - fmin(0.25, d * 0.25) / d), d * M_PI);
    double s = sin(2 * M_PI / around), c = cos(2 * M_PI / around);
    size_t steps = (size_t)lround(around / (2 * M_PI) * fabs(atan2(sine, cosine)));
    for (size_t i = 0; i < (steps > 1 ? steps : 1); i++) {
        n = add(out, n, p, m, d);
        m = (struct gm_spot){m.x * c - s * m.y, m.x * s + m.y * c};
    }
    return add(out, n, p, r, d);
}

size_t gm_quad_widen(const struct gm_quad *q, double distance, struct gm_spot *out)
{
    struct gm_spot p[4], normal[4];
    size_t corners = 0, n = 0;
    for (size_t i = 0; i < 4; i++) {
        struct gm_spot s = {trunc(q->at[i].x), trunc(q->at[i].y)};
        if (corners == 0 || by_row(&s, &p[corners - 1]) != 0)
            p[corners++] = s;
    }
    if (corners > 1 && by_row(&p[0], &p[corners - 1]) == 0)
        corners--;
    if (corners < 3 || !(distance > 0) || distance > 100000)
        return 0;
    for (size_t i = 0; i < corners; i++)
        normal[i] = outward(p[i], p[(i + 1) % corners]);
    for (size_t i = 0; i < corners; i++)
        n = round_corner(p[i], normal[(i + corners - 1) % corners], normal[i], distance, out, n);
    return n;
}
