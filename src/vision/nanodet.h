/* nanodet.h - from the raw outputs of NanoDet-g to boxes. Pure arithmetic, no model needed.
 * Source: Li et al., Generalized Focal Loss, NeurIPS 2020 (a box side is the expectation of a
 * distribution over 11 bins); NanoDet (github.com/RangiLyu/nanodet), v0.x head with class scores
 * that already went through the sigmoid. */
#ifndef GM_VISION_NANODET_H
#define GM_VISION_NANODET_H

#include <stddef.h>
#include <stdint.h>

enum {
    GM_NANODET_SIDE = 416, /* input pixels */
    GM_NANODET_CLASSES = 80,
    GM_NANODET_BINS = 11,
    GM_NANODET_LEVELS = 3 /* strides 8, 16, 32 */
};

struct gm_detection {
    double box[4]; /* xmin, ymin, xmax, ymax */
    float score;   /* 0..1 */
    uint32_t class_id;
};

/* One level of the head: n x n cells, n = GM_NANODET_SIDE / stride, row by row. */
struct gm_nanodet_level {
    size_t stride;    /* input pixels a cell */
    const float *cls; /* [n*n][GM_NANODET_CLASSES] scores */
    const float *dis; /* [n*n][4][GM_NANODET_BINS] left, top, right, bottom; before the softmax */
};

/* gm_nanodet_decode - every (cell, best class of the cell) with a score of at least score_min, in
 * input pixels, best first (ties: the earlier cell). At most `max` are kept: the best.
 *   out [max] out; returns how many. Cost O(cells * classes). */
size_t gm_nanodet_decode(const struct gm_nanodet_level *levels, size_t n_levels, float score_min,
                         struct gm_detection *out, size_t max);

/* gm_detection_insert - put *d among the n best of `out`, best first, equals in order of coming; the worst
 * falls out where max are there. Returns how many there are now. Cost O(max). */
size_t gm_detection_insert(struct gm_detection *out, size_t n, size_t max,
                           const struct gm_detection *d);

/* gm_nms - non-maximum suppression within each class: keeps, of the n detections sorted best first,
 * those whose IoU with every kept one of their class is at most iou_max. In place; returns how many
 * stay, in order. Cost O(n^2) at worst. */
size_t gm_nms(struct gm_detection *d, size_t n, float iou_max);

#endif
