/* each_picture.h - the loop over the posts of a batch that have a picture, a lane of a vision model each. Internal to
 * src/stages. */
#ifndef GM_STAGES_EACH_PICTURE_H
#define GM_STAGES_EACH_PICTURE_H

#include "base/stop.h"
#include "record/record.h"

/* Whose turn it is. */
struct gm_picture_turn {
    struct gm_post *post;         /* has an image and no error */
    size_t i;                     /* its place in the batch */
    size_t lane;                  /* below the number of lanes; no other turn has it meanwhile */
    const struct gm_limit *limit; /* of the thread that waits for the batch */
};

typedef enum gm_status gm_picture_fn(void *ctx, const struct gm_picture_turn *t,
                                     struct gm_error *err);

/* gm_each_picture - fn for each of the posts[n] that has an image and no error, as many at once as there are lanes. A
 * post that fn fails for gets that failure as its own, of `stage`, and the others go on; not so CANCEL and AGAIN, which
 * mean that the limit is over.
 * Errors: those two, once every turn has ended. */
enum gm_status gm_each_picture(struct gm_post **posts, size_t n, size_t lanes, const char *stage,
                               gm_picture_fn *fn, void *ctx, struct gm_error *err) GM_NODISCARD;

#endif
