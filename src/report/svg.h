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

/* A square plot, GM_SVG_SIDE pixels wide: its place, and what bottom and top of its y axis mean; the x axis
 * goes from 0 to 1. */
enum { GM_SVG_SIDE = 270 };
struct gm_svg_plot {
    double x, y, low, top;
};

/* gm_svg_axes - frame, ticks, a title and a line below it, and what the x axis is. */
enum gm_status gm_svg_axes(struct gm_buf *out, const struct gm_svg_plot *p, const char *title,
                           const char *note, const char *x_name, struct gm_error *err) GM_NODISCARD;

#endif
