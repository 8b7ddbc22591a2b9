/* picture.h - a picture as it is sent to a model: resized to what the model takes as it is, as a
 * JPEG. */
#ifndef GM_LLM_PICTURE_H
#define GM_LLM_PICTURE_H

#include "base/buf.h"
#include "image/image.h"

/* How large pictures are sent. Multimodal models cut pictures into patches: one whose sides are
 * multiples of `grid` is not resized again behind our back, so that boxes in its pixels mean what
 * they say. */
struct gm_picture_rule {
    uint32_t longest;    /* pixels of the longer side, at most (a grid cell at least) */
    uint32_t grid;       /* both sides are multiples of it; 1 = any */
    uint32_t min_pixels; /* smaller pictures are enlarged to so many, within `longest`; 0 = never */
};

/* How a picture was sent; boxes come back through it. */
struct gm_picture {
    struct gm_buf jpeg;      /* owned: gm_picture_clear */
    uint32_t w, h;           /* pixels as sent */
    uint32_t full_w, full_h; /* pixels of the original */
};

/* How a picture is shown, where not as it is; NULL for what it doesn't change. */
struct gm_picture_view {
    const double *part; /* [4] the box in pixels of the original that alone is shown */
    /* What is drawn over it, once it has the size that is sent. */
    enum gm_status (*paint)(void *user, struct gm_image *im, const struct gm_picture *picture,
                            struct gm_error *err);
    void *user;
};

/* gm_picture_size - out [2] = the width and height that a picture of w x h pixels is sent with: one
 * scale for both sides, by which it gets at most `longest` and else at least min_pixels, and then
 * each side to a multiple of the grid: up where it was enlarged, else to the nearest. w, h >= 1. */
void gm_picture_size(const struct gm_picture_rule *rule, uint32_t w, uint32_t h, uint32_t out[2]);

/* gm_picture_make - resize to gm_picture_size and encode at the given JPEG quality; view NULL = as it is. Of a part
 * that has no pixel of the picture there is nothing to send: OK, with out->w = 0. Errors: ARG (longest or grid 0, an
 * image of no pixels), NOMEM, those of view->paint. */
enum gm_status gm_picture_make(struct gm_picture *out, const struct gm_image *im,
                               const struct gm_picture_view *view,
                               const struct gm_picture_rule *rule, int quality,
                               struct gm_error *err) GM_NODISCARD;
void gm_picture_clear(struct gm_picture *p);

#endif
