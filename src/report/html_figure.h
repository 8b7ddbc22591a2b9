/* html_figure.h - a post's picture in the page: scaled down, inside the page as JPEG, with masks
 * and boxes as SVG over it and the entities' names as labels. */
#ifndef GM_REPORT_HTML_FIGURE_H
#define GM_REPORT_HTML_FIGURE_H

#include "base/buf.h"
#include "record/record.h"

/* A picture that whoever shows the page has already, and puts into the figure's <img> itself; masks are
 * then left to it too. Nothing is opened. */
struct gm_html_shown {
    uint32_t w, h; /* pixels of the original picture; 0 = the post has none */
};

/* gm_html_figure - append <figure>…</figure>; a post without an image gets nothing, one whose image
 * can't be read gets the reason. `shown` NULL: the picture goes into the page. Errors: NOMEM. */
enum gm_status gm_html_figure(struct gm_buf *out, const struct gm_post *post,
                              const struct gm_html_shown *shown, struct gm_error *err) GM_NODISCARD;

#endif
