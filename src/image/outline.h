/* outline.h - the contour of a mask as polygons, for vector graphics. */
#ifndef GM_IMAGE_OUTLINE_H
#define GM_IMAGE_OUTLINE_H

#include "base/arena.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct gm_point {
    uint32_t x, y; /* a corner between pixels: 0..w, 0..h */
};

/* Closed loops; loop i is points [ends[i-1], ends[i]) (from 0 for the first), and the last point is
 * joined to the first. Filled by the even-odd rule they give the mask, holes included. */
struct gm_outline {
    struct gm_point *points; /* in the arena, as is ends */
    uint32_t *ends;
    size_t n_points, n_loops;
};

/* gm_mask_outline - follow the edges of a mask [h][w] (0 = outside) and leave out every corner that
 * is nearer than `tolerance_px` to the line without it; 0 keeps the exact pixel edges. Loops around
 * less than `min_area_px` pixels are dropped. Errors: NOMEM, FORMAT (over 100,000 corners: noise).
 * Cost O(h*w + corners * log corners) for usual shapes.
 * Source of the simplification: Douglas, Peucker, Cartographica 10(2), 1973. */
enum gm_status gm_mask_outline(struct gm_arena *a, const uint8_t *mask, uint32_t h, uint32_t w,
                               float tolerance_px, size_t min_area_px, struct gm_outline *out,
                               struct gm_error *err) GM_NODISCARD;

#endif
