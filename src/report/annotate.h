/* annotate.h - a post as one picture: its image with masks, boxes and names drawn in, and under it
 * the text with the entities marked. */
#ifndef GM_REPORT_ANNOTATE_H
#define GM_REPORT_ANNOTATE_H

#include "image/image.h"
#include "record/record.h"

/* gm_annotate - *out is yours, NULL for a post without an image. Long texts end with "…".
 * Errors: those of gm_image_load; IO (no font, see image/font.h); NOMEM. */
enum gm_status gm_annotate(const struct gm_post *post, struct gm_image **out,
                           struct gm_error *err) GM_NODISCARD;

#endif
