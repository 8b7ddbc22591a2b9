/* mask.h - binary masks and COCO's run-length encoding of them.
 * Source: the COCO API's format: column-major runs that start with zeros; the compressed form packs
 * differences of counts into 6-bit ASCII groups. */
#ifndef GM_IMAGE_MASK_H
#define GM_IMAGE_MASK_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* gm_rle_encode - [h][w] row-major bytes (0 = outside) to COCO's compressed counts in the arena. */
enum gm_status gm_rle_encode(struct gm_arena *a, const uint8_t *mask, uint32_t h, uint32_t w,
                             struct gm_str *counts, struct gm_error *err) GM_NODISCARD;

/* gm_rle_decode - the reverse into mask [h][w] (0 or 1), which the caller gives.
 * Errors: FORMAT (bytes that are no counts, runs that do not add up to h*w). */
enum gm_status gm_rle_decode(struct gm_str counts, uint32_t h, uint32_t w, uint8_t *mask,
                             struct gm_error *err) GM_NODISCARD;

#endif
