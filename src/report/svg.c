/* svg.c - no scripts and no fonts. */
#include "report/svg.h"

#include "report/html.h"

#include <stdio.h>

static const char style[] =
    "<style>.axis{stroke:#888;fill:none}text{font:13px system-ui,sans-serif;fill:#222}.h{font-weight:600}"
    ".t{font-size:17px;font-weight:600}.all{fill:#b9c9e8}.in{fill:#3a66b0}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.bg{fill:#16181d}.all{fill:#3b4a66}"
    ".in{fill:#7fa5e8}}</style>\n";

enum gm_status gm_svg_begin(struct gm_buf *out, double width, double height, struct gm_error *err)
{
    return gm_buf_printf(out, err,
                         "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                         "width=\"%.0f\" height=\"%.0f\">\n%s<rect class=\"bg\" width=\"100%%\" "
                         "height=\"100%%\" fill=\"#fff\"/>\n",
                         width, height, width, height, style);
}

enum gm_status gm_svg_text(struct gm_buf *out, double x, double y, const char *attributes,
                           struct gm_str text, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes));
    GM_TRY(gm_html_text(out, text, err));
    GM_TRY(gm_buf_add_c(out, "</text>\n", err));
done:
    return st;
}

enum gm_status gm_svg_axes(struct gm_buf *out, const struct gm_svg_plot *p, const char *title,
                           const char *note, const char *x_name, struct gm_error *err)
{
    enum { TICKS = 5 };
    enum gm_status st = GM_OK;
    char label[16];
    GM_TRY(gm_svg_text(out, p->x, p->y - 28, " class=\"h\"", gm_str(title), err));
    GM_TRY(gm_svg_text(out, p->x, p->y - 10, "", gm_str(note), err));
    GM_TRY(gm_buf_printf(out, err,
                         "<rect class=\"axis\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" "
                         "height=\"%d\"/>\n",
                         p->x, p->y, GM_SVG_SIDE, GM_SVG_SIDE));
    for (int i = 0; i <= TICKS; i++) {
        double at = (double)GM_SVG_SIDE * i / TICKS;
        snprintf(label, sizeof label, "%.1f", (double)i / TICKS);
        GM_TRY(gm_svg_text(out, p->x + at, p->y + GM_SVG_SIDE + 18, " text-anchor=\"middle\"",
                           gm_str(label), err));
        snprintf(label, sizeof label, "%.2g", p->low + (p->top - p->low) * i / TICKS);
        GM_TRY(gm_svg_text(out, p->x - 6, p->y + GM_SVG_SIDE - at + 5, " text-anchor=\"end\"",
                           gm_str(label), err));
    }
    GM_TRY(gm_svg_text(out, p->x + GM_SVG_SIDE / 2, p->y + GM_SVG_SIDE + 40,
                       " text-anchor=\"middle\"", gm_str(x_name), err));
done:
    return st;
}
