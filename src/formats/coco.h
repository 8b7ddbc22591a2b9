/* coco.h - parts of the COCO format. Internal to src/formats. */
#ifndef GM_FORMATS_COCO_H
#define GM_FORMATS_COCO_H

#include "formats/format.h"

/* gm_coco_region - *r = box, mask and score of the annotation `j` of post p, whose image size must
 * be set; the mask is in p's arena, and what is not kept is counted in `lost`.
 * Errors: FORMAT, NOMEM. */
enum gm_status gm_coco_region(struct gm_region *r, struct gm_post *p, const struct gm_json *j,
                              struct gm_losses *lost, struct gm_error *err) GM_NODISCARD;

/* gm_coco_mask - *out = a segmentation: runs (an object), or a list of polygons and runs, which unite, in a
 * picture of h x w pixels (0: not known; polygons then are an error). No counts where it is neither.
 * Errors: FORMAT, NOMEM. */
enum gm_status gm_coco_mask(struct gm_rle *out, struct gm_arena *a, const struct gm_json *seg,
                            uint32_t h, uint32_t w, struct gm_error *err) GM_NODISCARD;

/* Writing: the functions of the format's row (format.h). */
enum gm_status gm_coco_create(void **state, const struct gm_target *to,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_coco_add(void *state, struct gm_post *p, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_coco_commit(void *state, struct gm_error *err) GM_NODISCARD;
void gm_coco_abort(void *state);

#endif
