/* picture.h - a picture as it is sent to a model: made smaller, as a JPEG. */
#ifndef GM_LLM_PICTURE_H
#define GM_LLM_PICTURE_H

#include "base/buf.h"
#include "image/image.h"

/* How a picture was sent; boxes come back through it. */
struct gm_picture {
    struct gm_buf jpeg;      /* owned: gm_picture_clear */
    uint32_t w, h;           /* pixels as sent */
    uint32_t full_w, full_h; /* pixels of the original */
};

/* gm_picture_make - resize to at most `longest` pixels on the longer side (never larger than it is)
 * and encode at the given JPEG quality. Errors: ARG (longest 0, no pixels), NOMEM. */
enum gm_status gm_picture_make(struct gm_picture *out, const struct gm_image *im, uint32_t longest,
                               int quality, struct gm_error *err) GM_NODISCARD;
void gm_picture_clear(struct gm_picture *p);

#endif
