/* detector.h - finds the 80 kinds of COCO objects in pictures with NanoDet-g (3.8 million weights,
 * 25 ms a picture on two cores). A closed set: it knows that there is a person, never who it is. */
#ifndef GM_VISION_DETECTOR_H
#define GM_VISION_DETECTOR_H

#include "base/status.h"
#include "image/image.h"
#include "vision/nanodet.h"

#include <stddef.h>

struct gm_detector_opts {
    float score_min; /* weaker objects are dropped; (0,1) */
    float iou_max;   /* of two boxes of a class that overlap more, the weaker is dropped */
};

struct gm_detector_opts gm_detector_opts_default(void);

struct gm_detector;

/* gm_detector_load - path: nanodet.onnx as tools/tfjs_to_onnx.py makes it. opts NULL = default.
 * *out is yours. Errors: MODEL, NOMEM. */
enum gm_status gm_detector_load(struct gm_detector **out, const char *path,
                                const struct gm_detector_opts *opts,
                                struct gm_error *err) GM_NODISCARD;
void gm_detector_free(struct gm_detector *d); /* NULL-safe */

/* gm_detector_run - objects of one picture, best first, boxes in its pixels and clipped to it.
 *   out [max] out;  *n  how many were found (at most max: the best)
 * Errors: NOMEM, MODEL, SHAPE. Threads: one at a time for a detector. */
enum gm_status gm_detector_run(struct gm_detector *d, const struct gm_image *im,
                               struct gm_detection *out, size_t max, size_t *n,
                               struct gm_error *err) GM_NODISCARD;

#endif
