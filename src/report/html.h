/* html.h - the pieces that HTML is written of. Nothing of a post gets into a page but through
 * gm_html_text. All functions append to the buffer and fail with NOMEM only. */
#ifndef GM_REPORT_HTML_H
#define GM_REPORT_HTML_H

#include "base/buf.h"
#include "base/status.h"
#include "image/palette.h"

/* gm_html_text - s, valid UTF-8, with & < > " ' escaped and control characters (which HTML has no
 * way to write) as U+FFFD: fit for text and for quoted attribute values. */
enum gm_status gm_html_text(struct gm_buf *out, struct gm_str s, struct gm_error *err) GM_NODISCARD;

/* gm_html_color - ` style="--c:R,G,B"`, which the style sheet takes an entity's colours from. */
enum gm_status gm_html_color(struct gm_buf *out, struct gm_color c,
                             struct gm_error *err) GM_NODISCARD;

#endif
