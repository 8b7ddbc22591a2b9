/* overlap.h - how far two regions of an image cover each other: |A and B| / |A or B|, the one
 * intersection over union of the program. In double precision, so that overlaps that equal a
 * threshold are decided as the field's scripts decide them. */
#ifndef GM_IMAGE_OVERLAP_H
#define GM_IMAGE_OVERLAP_H

#include <stddef.h>
#include <stdint.h>

/* gm_box_iou - of two boxes xmin, ymin, xmax, ymax; an area is (xmax - xmin) (ymax - ymin), without
 * the +1 of whole pixels. 0 for boxes that do not meet, and where the union is empty. */
double gm_box_iou(const double a[4], const double b[4]);

/* gm_box_cover - the share of box a that b covers: |A and B| / |A|; 0 where a is empty. */
double gm_box_cover(const double a[4], const double b[4]);

/* gm_runs_iou - of two masks of one size given as runs [n], zeros first (gm_rle_to_runs): exact, and
 * equal to pycocotools' mask.iou. 0 where the union is empty. Cost: the number of runs. */
double gm_runs_iou(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b);

#endif
