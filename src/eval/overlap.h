/* overlap.h - how well two regions of an image cover each other: boxes and masks. */
#ifndef GM_EVAL_OVERLAP_H
#define GM_EVAL_OVERLAP_H

#include "data/record.h"

#include <stddef.h>

/* What a region is compared by. All pointers are borrowed. */
struct gm_shape {
    const float *box;    /* [4] xmin, ymin, xmax, ymax in pixels */
    const uint64_t *runs; /* [n_runs] of the mask, see gm_rle_to_runs; NULL = no mask */
    size_t n_runs;
};

/* gm_shape_box_iou - intersection over union in double precision, areas without +1; 0 for boxes
 * that do not meet and where the union is empty. */
double gm_shape_box_iou(const float a[GM_BOX_XYXY], const float b[GM_BOX_XYXY]);

/* gm_shape_runs_iou - the same of two masks of one size, as runs: exact, and equal to what
 * pycocotools' mask.iou gives; 0 when the union is empty. Cost: the number of runs. */
double gm_shape_runs_iou(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b);

/* gm_shape_iou - by masks or by boxes. A shape without a mask overlaps no mask. */
double gm_shape_iou(const struct gm_shape *a, const struct gm_shape *b, bool masks);

#endif
