/* stats_svg.h - a data set's counts as one drawing. */
#ifndef GM_REPORT_STATS_SVG_H
#define GM_REPORT_STATS_SVG_H

#include "corpus/stats.h"

/* gm_stats_svg - append an SVG document: entities a type with the share that is in the image, and the
 * distributions of words and entities a post and of box sizes. Errors: NOMEM. */
enum gm_status gm_stats_svg(struct gm_stats *s, const char *title, struct gm_buf *out,
                            struct gm_error *err) GM_NODISCARD;

#endif
