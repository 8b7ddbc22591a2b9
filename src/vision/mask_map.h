/* mask_map.h - a small map of logits as a mask of the picture's size: enlarged bilinearly and cut at 0. */
#ifndef GM_VISION_MASK_MAP_H
#define GM_VISION_MASK_MAP_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* What of a picture of w x h pixels a map shows. */
struct gm_map_view {
    uint32_t w, h; /* the picture */
    uint32_t
        side; /* the map shows a square of side x side, in whose upper left corner the picture */
    uint32_t rw, rh; /* is rw x rh pixels large; side 0: it shows the picture alone */
};

/* gm_mask_of_map - logits map [map_h][map_w] to mask [h][w] (1 where they are over 0, else 0), *area of
 * its pixels set. Errors: SHAPE (a map of more samples than its side), NOMEM. Cost: O(h w). */
enum gm_status gm_mask_of_map(const float *map, size_t map_h, size_t map_w,
                              const struct gm_map_view *view, uint8_t *mask, size_t *area,
                              struct gm_error *err) GM_NODISCARD;

#endif
