/* processor.h - a picture as the model of an export wants it, by its preprocessor_config.json: what the image
 * processors of transformers for OWL-ViT, OWLv2 and Grounding DINO do.
 *
 *   size h, w                  resized to that, the sides' ratio not kept; OWLv2: padded to a square first
 *   size shortest, longest     resized with its ratio: the shorter side to shortest, or the longer to
 *                              longest where that would be more
 *   x [3][h][w] = (value * rescale_factor - mean) / deviation
 *
 * Sources: transformers 5.23, the processors that work with Pillow (and SciPy, OWLv2's). */
#ifndef GM_VISION_PROCESSOR_H
#define GM_VISION_PROCESSOR_H

#include "base/json.h"
#include "base/status.h"
#include "image/image.h"

#include <stdbool.h>

enum { GM_PROCESSOR_SIDE_MAX = 4096 };

struct gm_processor {
    uint32_t w, h;              /* 0 = by the edges */
    uint32_t shortest, longest; /* edges */
    bool square;                /* padded to a square, as OWLv2's */
    bool bicubic;               /* else bilinear */
    struct gm_plane planes[3];
};

/* gm_processor_read - from the parsed file; `path` is for messages.
 *   square  as of OWLv2
 * What the file leaves out is as of transformers' class for its kind of size. Errors: MODEL (a setting that
 * isn't supported, naming it). */
enum gm_status gm_processor_read(struct gm_processor *p, const struct gm_json *json, bool square,
                                 const char *path, struct gm_error *err) GM_NODISCARD;

/* gm_processor_size - width and height that a picture of w x h pixels gets. */
void gm_processor_size(const struct gm_processor *p, uint32_t w, uint32_t h, uint32_t out[2]);

/* gm_processor_run - out [3][height][width], of gm_processor_size. Errors: NOMEM, ARG. */
enum gm_status gm_processor_run(const struct gm_processor *p, const struct gm_image *im, float *out,
                                struct gm_error *err) GM_NODISCARD;

#endif
