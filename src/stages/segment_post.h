/* segment_post.h - what every backend of the stage segment does alike: which regions of a post get a mask,
 * and how it goes into the record. Internal to src/stages. */
#ifndef GM_STAGES_SEGMENT_POST_H
#define GM_STAGES_SEGMENT_POST_H

#include "base/stop.h"
#include "image/image.h"
#include "record/record.h"

/* Room for the mask of a picture, which grows. */
struct gm_mask_room {
    uint8_t *mask; /* [cap] */
    size_t cap;
};

/* gm_mask_room_for - room->mask has a byte for every pixel of `im`. Errors: NOMEM. gm_mask_room_clear -
 * free it. */
enum gm_status gm_mask_room_for(struct gm_mask_room *room, const struct gm_image *im,
                                struct gm_error *err) GM_NODISCARD;
void gm_mask_room_clear(struct gm_mask_room *room);

/* Give region r of entity e of post p a mask (gm_region_put_mask), or a note that says why it has none. */
typedef enum gm_status gm_segment_fn(void *ctx, size_t lane, struct gm_post *p,
                                     const struct gm_entity *e, struct gm_region *r,
                                     struct gm_error *err);

/* gm_segment_post - call `fn` for every region of the post that has no mask yet; of those with the same box
 * and label (without one, of entities of the same type) once, and the others get what it got. Errors: those of fn; CANCEL and AGAIN where the limit
 * is over. */
enum gm_status gm_segment_post(struct gm_post *p, size_t lane, const struct gm_limit *limit,
                               gm_segment_fn *fn, void *ctx, struct gm_error *err) GM_NODISCARD;

/* gm_region_put_mask - encode mask [im->h][im->w]. Errors: NOMEM. */
enum gm_status gm_region_put_mask(struct gm_post *p, struct gm_region *r, const uint8_t *mask,
                                  const struct gm_image *im, struct gm_error *err) GM_NODISCARD;

/* gm_segment_is_due - whether the post has an image and no error. */
bool gm_segment_is_due(const struct gm_post *p);

#endif
