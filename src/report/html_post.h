/* html_post.h - one post as a card of the page. */
#ifndef GM_REPORT_HTML_POST_H
#define GM_REPORT_HTML_POST_H

#include "base/buf.h"
#include "record/record.h"
#include "report/html_figure.h"

/* gm_html_post - append the card of a post, the `number`th of the page from 1, with the names of its
 * marks [n], by which the page's script chooses posts; `shown` as for gm_html_figure. Errors: NOMEM. */
enum gm_status gm_html_post(struct gm_buf *out, const struct gm_post *post, size_t number,
                            const struct gm_str *marks, size_t n, const struct gm_html_shown *shown,
                            struct gm_error *err) GM_NODISCARD;

#endif
