/* html_figure.h - a post's picture in the page: scaled down, inside the page as JPEG, with masks
 * and boxes as SVG over it and the entities' names as labels. */
#ifndef GM_REPORT_HTML_FIGURE_H
#define GM_REPORT_HTML_FIGURE_H

#include "base/buf.h"
#include "record/record.h"

/* gm_html_figure - append <figure>…</figure>; a post without an image gets nothing, one whose image
 * can't be read gets the reason. Errors: NOMEM. */
enum gm_status gm_html_figure(struct gm_buf *out, const struct gm_post *post,
                              struct gm_error *err) GM_NODISCARD;

#endif
