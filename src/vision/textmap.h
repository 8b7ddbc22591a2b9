/* textmap.h - from a text detector's map of probabilities to boxes around lines: the second half of
 * differentiable binarization (DBNet). Pure, safe from any thread. */
#ifndef GM_VISION_TEXTMAP_H
#define GM_VISION_TEXTMAP_H

#include "base/status.h"
#include "vision/quad.h"

#include <stddef.h>
#include <stdint.h>

/* A box must have at least this many pixels of the map on its shorter side, before it is widened. */
enum { GM_TEXTMAP_SIDE_MIN = 3 };

struct gm_textmap {
    const float *p; /* [h][w], probabilities */
    size_t h, w;
};

struct gm_textmap_opts {
    double threshold; /* a pixel over it is text */
    double box_min;   /* least mean probability in a box */
    double unclip;    /* a box is widened by its area x this / its length */
};

struct gm_textmap_opts gm_textmap_opts_default(void); /* RapidOCR's: 0.3, 0.5, 1.6 */

struct gm_text_box {
    struct gm_quad quad; /* whole pixels of the picture, in it */
    double score;        /* mean probability in it */
};

/* gm_textmap_boxes - boxes around the pieces of `map` and around the holes in them, as OpenCV's
 * contours; from top to bottom, those of about one height from left to right.
 *   w, h         the picture's size in pixels, which the map shows all of
 *   out [max] out;  *n  how many (at most max: the first found)
 * Errors: NOMEM (10 bytes a pixel of the map are needed). Cost: linear in the map. */
enum gm_status gm_textmap_boxes(const struct gm_textmap *map, const struct gm_textmap_opts *opts,
                                uint32_t w, uint32_t h, struct gm_text_box *out, size_t max,
                                size_t *n, struct gm_error *err) GM_NODISCARD;

#endif
