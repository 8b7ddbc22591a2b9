/* tune_svg.h - the curves of gmner tune as one drawing. */
#ifndef GM_REPORT_TUNE_SVG_H
#define GM_REPORT_TUNE_SVG_H

#include "tune/tune.h"

/* gm_tune_svg - append an SVG document: for each step the score by the share of calls, with the answers of
 * the run and with an oracle's, and what was chosen. Errors: NOMEM. */
enum gm_status gm_tune_svg(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                           const char *title, struct gm_buf *out,
                           struct gm_error *err) GM_NODISCARD;

#endif
