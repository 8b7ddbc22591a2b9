/* matting.h - which pixels of a box are the person, or the thing: three models with one interface.
 *
 * selfie  MediaPipe's selfie segmentation, 256 x 256, 3 ms: the default. It sees the box alone, and
 *         a second time with its surroundings when it found less than 5% of the box.
 * pose    the mask output of MediaPipe's pose landmarks, 8 ms. It expects a whole body, so it sees a
 *         square 2.5 times the box's longer side, black where that reaches out of the picture.
 *
 * thing   U2-Netp, 320 x 320: the most salient object of the box and a tenth of its sides around it.
 *
 * The first two were trained on one person near the camera. Neither tells persons apart: where two overlap
 * in the box, both are in the mask. */
#ifndef GM_VISION_MATTING_H
#define GM_VISION_MATTING_H

#include "base/status.h"
#include "image/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gm_matting_kind { GM_MATTING_SELFIE, GM_MATTING_POSE, GM_MATTING_THING };

struct gm_matting_opts {
    float threshold; /* a pixel is in the mask when its probability is higher; (0,1) */
    float min_share; /* pieces smaller than this share of the largest are dropped; [0,1] */
};

/* gm_matting_opts_default - threshold 0.5, min_share 0.25. */
struct gm_matting_opts gm_matting_opts_default(void);

struct gm_matting;

/* gm_matting_kind_parse - "selfie", "pose", "u2netp". */
bool gm_matting_kind_parse(const char *name, enum gm_matting_kind *out);

/* gm_matting_load - path: the model file of that kind; opts NULL = default. *out is yours. Errors: as
 * gm_session_load. */
enum gm_status gm_matting_load(struct gm_matting **out, enum gm_matting_kind kind, const char *path,
                               const struct gm_matting_opts *opts,
                               struct gm_error *err) GM_NODISCARD;
void gm_matting_free(struct gm_matting *m); /* NULL-safe */

/* gm_matting_lanes - how many boxes may be looked at at once (vision/vision_session.h). */
size_t gm_matting_lanes(const struct gm_matting *m);

/* gm_matting_run - the person (or thing) of one box.
 *   lane        in [0, gm_matting_lanes)
 *   box         xyxy in pixels of `im`; parts outside are clipped
 *   mask        [im->h][im->w] out  1 = person, 0 elsewhere; nothing outside the box, whose sides
 *                                   are rounded outwards to whole pixels
 *   area        out                 pixels set; 0 when the model sees nobody (under 5% of the box)
 * Errors: ARG (box outside the picture), NOMEM, MODEL, SHAPE. Threads: one at a time for a lane. */
enum gm_status gm_matting_run(struct gm_matting *m, size_t lane, const struct gm_image *im,
                              const double box[4], uint8_t *mask, size_t *area,
                              struct gm_error *err) GM_NODISCARD;

#endif
