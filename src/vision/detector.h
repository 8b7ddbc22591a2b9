/* detector.h - finds the 80 kinds of COCO objects in pictures with NanoDet-g (3.8 million weights,
 * 7 ms a picture on a core with AMX, 42 ms in f32 there). A closed set: it knows that there is a
 * person, never who it is. */
#ifndef GM_VISION_DETECTOR_H
#define GM_VISION_DETECTOR_H

#include "base/status.h"
#include "image/image.h"
#include "vision/nanodet.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_detector_opts {
    float score_min; /* weaker objects are dropped; (0,1) */
    float iou_max;   /* of two boxes of a class that overlap more, the weaker is dropped */
    bool bf16;       /* compute in bf16 where the CPU multiplies it */
};

/* gm_detector_opts_default - score_min 0.35, iou_max 0.5, f32. */
struct gm_detector_opts gm_detector_opts_default(void);

struct gm_detector;

/* gm_detector_load - path: nanodet.onnx as tools/tfjs_to_onnx.py makes it. opts NULL = default.
 * *out is yours. Errors: as gm_session_load. */
enum gm_status gm_detector_load(struct gm_detector **out, const char *path,
                                const struct gm_detector_opts *opts,
                                struct gm_error *err) GM_NODISCARD;
void gm_detector_free(struct gm_detector *d); /* NULL-safe */

/* gm_detector_lanes - how many pictures may be looked at at once (vision/vision_session.h). */
size_t gm_detector_lanes(const struct gm_detector *d);

/* gm_detector_run - objects of one picture, best first, clipped to it.
 *   lane         in [0, gm_detector_lanes)
 *   im           the picture, or a smaller copy of it
 *   w, h         its size: boxes are in pixels of that
 *   out [max] out;  *n  how many were found (at most max: the best)
 * Errors: NOMEM, MODEL, SHAPE. Threads: one at a time for a lane. */
enum gm_status gm_detector_run(struct gm_detector *d, size_t lane, const struct gm_image *im,
                               uint32_t w, uint32_t h, struct gm_detection *out, size_t max,
                               size_t *n, struct gm_error *err) GM_NODISCARD;

#endif
