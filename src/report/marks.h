/* marks.h - where a post's text is marked: its entities as byte ranges, in order, none on another.
 * And the other views on a post that all its pictures and tables share. */
#ifndef GM_REPORT_MARKS_H
#define GM_REPORT_MARKS_H

#include "base/arena.h"
#include "image/image.h"
#include "record/record.h"

struct gm_mark {
    size_t from, to; /* bytes of the post's text */
    size_t entity;   /* index in post->entities */
};

/* gm_marks_of - marks of the post's entities, sorted; of two that overlap, the one that begins
 * first (the longer one, when both do) is marked. *out lives in the arena. Errors: NOMEM. */
enum gm_status gm_marks_of(struct gm_arena *a, const struct gm_post *post, struct gm_mark **out,
                           size_t *n, struct gm_error *err) GM_NODISCARD;

/* gm_region_mask - decode a region's mask to w x h pixels, scaling it where it has another size.
 * *out is yours (gm_free), NULL when the region has none. Errors: FORMAT, NOMEM. */
enum gm_status gm_region_mask(const struct gm_region *region, uint32_t w, uint32_t h, uint8_t **out,
                              struct gm_error *err) GM_NODISCARD;

/* gm_post_picture - the post's picture: *im is borrowed from the post where it has been decoded,
 * else loaded into *owned, which is yours. Both are NULL for a post without one. What is borrowed may be a
 * copy of fewer pixels (gm_post.pixels), of the same view.
 *   size [2] out  width and height of the whole picture, in whose pixels boxes are; untouched without one
 * Errors: those of gm_image_load. */
enum gm_status gm_post_picture(const struct gm_post *post, const struct gm_image **im,
                               struct gm_image **owned, uint32_t size[2],
                               struct gm_error *err) GM_NODISCARD;

#endif
