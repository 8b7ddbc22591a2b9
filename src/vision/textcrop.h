/* textcrop.h - lines of text cut out of a picture and made straight, as the strips of a fixed height that
 * text models look at. Safe from any thread. */
#ifndef GM_VISION_TEXTCROP_H
#define GM_VISION_TEXTCROP_H

#include "base/status.h"
#include "image/image.h"
#include "vision/quad.h"

#include <stdbool.h>
#include <stddef.h>

/* The four-cornered part of a picture as a rectangle. Its pixels are made when they are needed. */
struct gm_text_crop {
    double map[8]; /* its perspective */
    uint32_t w, h; /* pixels, as it is seen */
    bool is_laid;  /* counterclockwise on its side: it was at least 1.5 times its width in height */
    bool is_turned; /* set by the caller: upside down */
};

/* gm_text_crop_init - the part in `q`, whose first corner becomes the top left; false when it has less
 * than a pixel. */
bool gm_text_crop_init(struct gm_text_crop *c, const struct gm_quad *q);

/* gm_text_strip - the whole of a crop of `im` as w x h pixels. Beyond the picture its edge goes on.
 *   out [3][h][stride] out   blue, green, red; (x / 255 - 0.5) / 0.5; the first w of each row are
 *                            written
 * Each is the blend of the two by two pixels of the crop around it, also where the crop gets smaller.
 * Errors: NOMEM (at most four times w x h pixels are made, however large the crop is). */
enum gm_status gm_text_strip(const struct gm_text_crop *c, const struct gm_image *im, size_t w,
                             size_t h, size_t stride, float *out,
                             struct gm_error *err) GM_NODISCARD;

/* gm_text_planes - the same of a whole picture: out [3][h][w]. */
enum gm_status gm_text_planes(const struct gm_image *im, size_t w, size_t h, float *out,
                              struct gm_error *err) GM_NODISCARD;

#endif
