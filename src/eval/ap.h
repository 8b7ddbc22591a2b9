/* ap.h - average precision of boxes, as COCO defines it and pycocotools 2.0 computes it: detections
 * by falling score take the best free gold box of their type in their image, precision is made
 * monotone and read at 101 recalls, and the types' figures are averaged. All sizes, at most 100
 * detections an image and type. Types are the entities'; an image is a post.
 * Source: COCOeval.evaluateImg and accumulate. */
#ifndef GM_EVAL_AP_H
#define GM_EVAL_AP_H

#include "base/status.h"
#include "eval/eval.h"
#include "record/record.h"

struct gm_ap;

/* gm_ap_new - *out is yours. Memory grows with the number of predicted boxes, 16 bytes each, which
 * the definition needs: all are sorted by score. Errors: NOMEM. */
enum gm_status gm_ap_new(struct gm_ap **out, enum gm_task task, struct gm_error *err) GM_NODISCARD;
void gm_ap_free(struct gm_ap *a); /* NULL-safe */

/* gm_ap_add - the boxes of one post. Errors: NOMEM. */
enum gm_status gm_ap_add(struct gm_ap *a, const struct gm_post *gold, const struct gm_post *pred,
                         struct gm_error *err) GM_NODISCARD;

/* gm_ap_at - mean over the types that gold has boxes of at each of the overlaps 0.50 … 0.95; -1
 * where gold has no box at all (as pycocotools). Sorts what was added. */
void gm_ap_at(struct gm_ap *a, double out[GM_CURVE]);

#endif
