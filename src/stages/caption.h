/* caption.h - a caption from the labels of what was found in a picture. */
#ifndef GM_STAGES_CAPTION_H
#define GM_STAGES_CAPTION_H

#include "record/record.h"

/* gm_caption_of_objects - "two people, a dog and three cars": persons first, then the kinds in the
 * order of their best score (objects are sorted best first); at most five kinds. Empty when there
 * are no objects. *out lives in the arena. Errors: NOMEM. */
enum gm_status gm_caption_of_objects(struct gm_arena *a, const struct gm_object *objects, size_t n,
                                     struct gm_str *out, struct gm_error *err) GM_NODISCARD;

#endif
