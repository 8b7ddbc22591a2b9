/* record_mask.h - a record's masks as pixels and back, with bounds. Internal to src/record. */
#ifndef GM_RECORD_RECORD_MASK_H
#define GM_RECORD_RECORD_MASK_H

#include "record/record.h"

/* gm_mask_check_size - FORMAT when a side is 0, or all are over the limit for pictures
 * (gm_image_max_pixels): pixels are allocated only below it. */
enum gm_status gm_mask_check_size(uint64_t h, uint64_t w, struct gm_error *err) GM_NODISCARD;

/* gm_mask_pixels - *out [h][w] (0 or 1), yours (gm_free). Errors: FORMAT, NOMEM. */
enum gm_status gm_mask_pixels(const struct gm_rle *m, uint8_t **out,
                              struct gm_error *err) GM_NODISCARD;

/* gm_region_set_mask - encode pixels [h][w] into the region; `keep_box` false: the box becomes the
 * smallest around them. Errors: NOMEM. */
enum gm_status gm_region_set_mask(struct gm_region *r, struct gm_arena *a, const uint8_t *mask,
                                  uint32_t h, uint32_t w, bool keep_box,
                                  struct gm_error *err) GM_NODISCARD;

#endif
