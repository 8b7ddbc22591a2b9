/* svg.h - what the drawings share: the head of the document with colours for light and dark pages,
 * and text. All functions append to the buffer and fail with NOMEM only. */
#ifndef GM_REPORT_SVG_H
#define GM_REPORT_SVG_H

#include "base/buf.h"
#include "base/status.h"

/* gm_svg_begin - head, styles and background of a drawing of this size in pixels; end it with
 * "</svg>\n". Classes of shapes: "in" and "all" (dark and light fill); of texts: "t" (title),
 * "h" (heading). */
enum gm_status gm_svg_begin(struct gm_buf *out, double width, double height,
                            struct gm_error *err) GM_NODISCARD;

/* gm_svg_text - one line of text, escaped, its baseline at y; attributes: "" or begins with a
 * space. */
enum gm_status gm_svg_text(struct gm_buf *out, double x, double y, const char *attributes,
                           struct gm_str text, struct gm_error *err) GM_NODISCARD;

#endif
