/* mask.h - binary masks and COCO's run-length encoding of them.
 * A mask is [h][w] row-major bytes, 0 = outside, anything else = inside.
 * Source: the COCO API's format: column-major runs that start with zeros; the compressed form packs
 * differences of counts into 6-bit ASCII groups. All functions are safe from any thread. */
#ifndef GM_IMAGE_MASK_H
#define GM_IMAGE_MASK_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* gm_rle_encode - [h][w] row-major bytes (0 = outside) to COCO's compressed counts in the arena.
 * Errors: ARG (a side of 0), NOMEM. */
enum gm_status gm_rle_encode(struct gm_arena *a, const uint8_t *mask, uint32_t h, uint32_t w,
                             struct gm_str *counts, struct gm_error *err) GM_NODISCARD;

/* gm_rle_decode - the reverse into mask [h][w] (0 or 1), which the caller gives.
 * Errors: FORMAT (bytes that are no counts, runs that do not add up to h*w); the mask then holds
 * what was read before. */
enum gm_status gm_rle_decode(struct gm_str counts, uint32_t h, uint32_t w, uint8_t *mask,
                             struct gm_error *err) GM_NODISCARD;

/* gm_rle_from_runs - COCO's other form, the plain list of run lengths [n], to compressed counts in the
 * arena; no pixel is touched. Errors: FORMAT (the runs are not h*w pixels), NOMEM. */
enum gm_status gm_rle_from_runs(struct gm_arena *a, const uint64_t *runs, size_t n, uint32_t h,
                                uint32_t w, struct gm_str *counts,
                                struct gm_error *err) GM_NODISCARD;

/* gm_rle_to_runs - the reverse: *runs [*n] in the arena, zeros first. Errors: as gm_rle_decode,
 * NOMEM. */
enum gm_status gm_rle_to_runs(struct gm_arena *a, struct gm_str counts, uint32_t h, uint32_t w,
                              uint64_t **runs, size_t *n, struct gm_error *err) GM_NODISCARD;

/* gm_mask_polygon - set the pixels inside a closed polygon of n corners xy [n][2] (pixels) in mask
 * [h][w], as pycocotools' frPyObjects does; what is inside by even-odd only. Others stay, so that
 * several polygons unite. Errors: FORMAT (fewer than 3 corners, a corner farther than 100,000
 * pixels away, an outline over 20 million long), NOMEM. Source: rleFrPoly of the COCO API. */
enum gm_status gm_mask_polygon(uint8_t *mask, uint32_t h, uint32_t w, const double *xy, size_t n,
                               struct gm_error *err) GM_NODISCARD;

/* gm_mask_area - number of pixels inside. */
size_t gm_mask_area(const uint8_t *mask, uint32_t h, uint32_t w);

/* gm_mask_box - smallest half-open box around the pixels inside; false (and zeros) when none is. */
bool gm_mask_box(const uint8_t *mask, uint32_t h, uint32_t w, double box[4]);

/* Pieces of a mask that do not touch each other. */
struct gm_components {
    size_t n;       /* how many */
    size_t area;    /* pixels of all */
    size_t largest; /* pixels of the largest: largest / area is its share */
};

/* gm_mask_components - count them; connectivity is 4 or 8. Errors: ARG, NOMEM. Cost O(h*w). */
enum gm_status gm_mask_components(const uint8_t *mask, uint32_t h, uint32_t w, int connectivity,
                                  struct gm_components *out, struct gm_error *err) GM_NODISCARD;

/* gm_mask_drop_small - clear every component of fewer than min_share (0..1) of the largest one's
 * pixels: specks go, and with min_share 1 only the largest (and its equals) stays. *out, NULL
 * allowed, tells of what is left. Errors: as above. */
enum gm_status gm_mask_drop_small(uint8_t *mask, uint32_t h, uint32_t w, int connectivity,
                                  double min_share, struct gm_components *out,
                                  struct gm_error *err) GM_NODISCARD;

#endif
