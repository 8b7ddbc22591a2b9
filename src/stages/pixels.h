/* pixels.h - the decoded picture of a post: read by the first stage that needs it, freed with the
 * post's arena. */
#ifndef GM_STAGES_PIXELS_H
#define GM_STAGES_PIXELS_H

#include "image/image.h"
#include "record/record.h"

/* gm_post_pixels - *out = the post's picture, decoding it at the first call; borrowed from the post
 * until the next one. A stage that needs no more than side_min pixels a side may get a smaller copy
 * (gm_image_load_small); 0 = the whole picture. Where only a copy is at hand that is too small, it is decoded
 * again. Sets
 * image_w and image_h to the whole picture's size. Memory: 3 bytes a pixel till the post is cleared.
 * Errors: ARG (the post has no image), and those of gm_image_load. Threads: a post a thread. */
enum gm_status gm_post_pixels(struct gm_post *p, uint32_t side_min, const struct gm_image **out,
                              struct gm_error *err) GM_NODISCARD;

/* gm_post_drop_pixels - free the decoded picture, if there is one; it is decoded again when a stage
 * asks for it. For posts that wait. */
void gm_post_drop_pixels(struct gm_post *p);

#endif
