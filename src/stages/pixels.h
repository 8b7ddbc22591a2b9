/* pixels.h - the decoded picture of a post: read by the first stage that needs it, freed with the
 * post's arena. */
#ifndef GM_STAGES_PIXELS_H
#define GM_STAGES_PIXELS_H

#include "data/record.h"
#include "image/image.h"

/* gm_post_pixels - *out = the post's picture, decoding it at the first call; borrowed from the post.
 * Sets image_w and image_h. Errors: ARG (the post has no image), and those of gm_image_load. */
enum gm_status gm_post_pixels(struct gm_post *p, const struct gm_image **out,
                              struct gm_error *err) GM_NODISCARD;

/* gm_post_drop_pixels - free the decoded picture, if there is one; it is decoded again when a stage
 * asks for it. For posts that wait. */
void gm_post_drop_pixels(struct gm_post *p);

/* gm_posts_decode - the pictures of n posts, side by side on the thread budget. Posts without an
 * image or with an error are passed over; one that can't be decoded gets gm_post_fail(stage).
 * Memory: 3 bytes a pixel of every post until the post is cleared. */
void gm_posts_decode(struct gm_post **posts, size_t n, const char *stage);

#endif
