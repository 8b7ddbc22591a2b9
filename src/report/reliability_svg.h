/* reliability_svg.h - confidences against being right, as one drawing. */
#ifndef GM_REPORT_RELIABILITY_SVG_H
#define GM_REPORT_RELIABILITY_SVG_H

#include "eval/confidence.h"

/* gm_reliability_svg - append an SVG document: a reliability diagram of each measure that is a
 * probability (share of right entities by confidence; on the diagonal = calibrated), and the
 * risk-coverage curves of all measures that are there. Errors: NOMEM. */
enum gm_status gm_reliability_svg(struct gm_confidences *c, const char *title, struct gm_buf *out,
                                  struct gm_error *err) GM_NODISCARD;

#endif
