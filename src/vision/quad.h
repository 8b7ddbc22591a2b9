/* quad.h - four-cornered shapes around points: convex hulls, smallest rectangles, and shapes widened
 * by a distance. Pixels, y downwards. Pure functions, safe from any thread. */
#ifndef GM_VISION_QUAD_H
#define GM_VISION_QUAD_H

#include <stddef.h>

struct gm_spot {
    double x, y;
};

/* Corners from the top left one on, clockwise as seen. */
struct gm_quad {
    struct gm_spot at[4];
};

/* gm_hull - the convex hull of spots[n], which are put in order of y, then x.
 *   out [n+1] out   corners, clockwise as seen; returns how many (1 or 2 when all lie in a line) */
size_t gm_hull(struct gm_spot *spots, size_t n, struct gm_spot *out);

/* gm_quad_around - the rectangle of the smallest area around a convex hull [n], n > 0; one of its sides
 * lies on one of the hull's. Returns its shorter side: 0 for less than an area. */
double gm_quad_around(const struct gm_spot *hull, size_t n, struct gm_quad *out);

/* gm_quad_sorted - the corners in the order of struct gm_quad: the two leftmost are top left and bottom
 * left. */
struct gm_quad gm_quad_sorted(const struct gm_quad *q);

double gm_quad_area(const struct gm_quad *q);
double gm_quad_length(const struct gm_quad *q); /* of all four sides */

/* Room that gm_quad_widen needs. */
enum { GM_QUAD_WIDE_MAX = 4096 };

/* gm_quad_widen - the corners of `q`, cut to whole pixels, pushed outwards by `distance` > 0 pixels with
 * round joints: whole pixels that stand on the outline. As Clipper's ClipperOffset with JT_ROUND.
 *   out [GM_QUAD_WIDE_MAX] out   returns how many; 0 when q has no area or the distance is over 100,000 */
size_t gm_quad_widen(const struct gm_quad *q, double distance, struct gm_spot *out);

#endif
