#include "report/reliability_svg.h"

#include "report/svg.h"

#include <math.h>
#include <stdio.h>

enum { SIDE = 270, PANEL = 350, LEFT = 56, TOP = 92, HEIGHT = TOP + SIDE + 60, TICKS = 5 };

static const char style[] =
    "<style>.axis{stroke:#888;fill:none}.d{stroke:#888;stroke-dasharray:4 4}"
    ".line{fill:none;stroke-width:2}.s0{stroke:#3a66b0}.s1{stroke:#c2571a}.s2{stroke:#2c8a57}"
    ".s3{stroke:#9a4fb0}</style>\n";

/* One square plot: its place, and what the top of its y axis means. */
struct plot {
    double x, y, top;
};

static enum gm_status put_axes(const struct plot *p, const char *title, const char *note,
                               const char *x_name, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char label[16];
    GM_TRY(gm_svg_text(out, p->x, p->y - 28, " class=\"h\"", gm_str(title), err));
    GM_TRY(gm_svg_text(out, p->x, p->y - 10, "", gm_str(note), err));
    GM_TRY(gm_buf_printf(out, err,
                         "<rect class=\"axis\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" "
                         "height=\"%d\"/>\n",
                         p->x, p->y, SIDE, SIDE));
    for (int i = 0; i <= TICKS; i++) {
        double at = (double)SIDE * i / TICKS;
        snprintf(label, sizeof label, "%.1f", (double)i / TICKS);
        GM_TRY(gm_svg_text(out, p->x + at, p->y + SIDE + 18, " text-anchor=\"middle\"",
                           gm_str(label), err));
        snprintf(label, sizeof label, "%.2g", p->top * i / TICKS);
        GM_TRY(gm_svg_text(out, p->x - 6, p->y + SIDE - at + 5, " text-anchor=\"end\"",
                           gm_str(label), err));
    }
    GM_TRY(gm_svg_text(out, p->x + SIDE / 2, p->y + SIDE + 40, " text-anchor=\"middle\"",
                       gm_str(x_name), err));
done:
    return st;
}

static enum gm_status put_bins(const struct plot *p, const struct gm_reliability *r,
                               struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char title[64], note[64];
    double width = (double)SIDE / GM_ECE_BINS;
    snprintf(title, sizeof title, "%s: share that is right", r->name);
    snprintf(note, sizeof note, "%zu entities, ECE %.4f", r->n, r->ece);
    GM_TRY(put_axes(p, title, note, "confidence", out, err));
    for (size_t i = 0; i < GM_ECE_BINS; i++) {
        const struct gm_bin *b = &r->bins[i];
        double share = b->n ? (double)b->right / (double)b->n : 0;
        if (b->n == 0)
            continue;
        GM_TRY(gm_buf_printf(out, err,
                             "<rect class=\"in\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                             "height=\"%.1f\"><title>%zu entities: confidence %.3f, right %.3f"
                             "</title></rect>\n",
                             p->x + width * (double)i + 1, p->y + SIDE * (1 - share), width - 2,
                             SIDE * share, b->n, b->confidence / (double)b->n, share));
    }
    GM_TRY(gm_buf_printf(out, err, "<path class=\"d\" d=\"M%.1f %.1fl%d %d\"/>\n", p->x,
                         p->y + SIDE, SIDE, -SIDE));
done:
    return st;
}

/* One curve of number `m`, and its line in the legend, which is number `row`. */
static enum gm_status put_curve(const struct plot *p, const struct gm_reliability *r, size_t m,
                                size_t row, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char label[64];
    double y = p->y + 16 + 18 * (double)row;
    GM_TRY(gm_buf_printf(out, err, "<polyline class=\"line s%zu\" points=\"", m));
    for (size_t i = 0; i < GM_COVERAGES; i++)
        GM_TRY(gm_buf_printf(out, err, "%.1f,%.1f ", p->x + SIDE * (double)(i + 1) / GM_COVERAGES,
                             p->y + SIDE * (1 - r->risk[i] / p->top)));
    GM_TRY(gm_buf_printf(out, err, "\"/>\n<path class=\"line s%zu\" d=\"M%.1f %.1fh20\"/>\n", m,
                         p->x + 8, y - 4));
    snprintf(label, sizeof label, "%s: AURC %.4f", r->name, r->aurc);
    GM_TRY(gm_svg_text(out, p->x + 34, y, "", gm_str(label), err));
done:
    return st;
}

/* The tick above the largest risk of all curves, so that they fill the plot. */
static double highest(struct gm_confidences *c)
{
    struct gm_reliability r;
    double most = 0.05;
    for (enum gm_measure m = 0; m < GM_N_MEASURES; m++) {
        bool has = gm_confidences_result(c, m, &r);
        for (size_t i = 0; has && i < GM_COVERAGES; i++)
            most = fmax(most, r.risk[i]);
    }
    return ceil(most * 20) / 20;
}

enum gm_status gm_reliability_svg(struct gm_confidences *c, const char *title, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reliability r;
    struct plot p = {LEFT, TOP, 1};
    size_t n_plots = 1, row = 0;
    for (enum gm_measure m = 0; m < GM_N_MEASURES; m++)
        n_plots += gm_confidences_result(c, m, &r) && r.is_probability;
    GM_TRY(gm_svg_begin(out, (double)(n_plots * PANEL), HEIGHT, err));
    GM_TRY(gm_buf_add_c(out, style, err));
    GM_TRY(gm_svg_text(out, 16, 28, " class=\"t\"", gm_str(title), err));
    for (enum gm_measure m = 0; m < GM_N_MEASURES; m++)
        if (gm_confidences_result(c, m, &r) && r.is_probability) {
            GM_TRY(put_bins(&p, &r, out, err));
            p.x += PANEL;
        }
    p.top = highest(c);
    GM_TRY(put_axes(&p, "Risk: share that is wrong", "among the surest entities", "coverage", out,
                    err));
    for (enum gm_measure m = 0; m < GM_N_MEASURES; m++)
        if (gm_confidences_result(c, m, &r))
            GM_TRY(put_curve(&p, &r, m, row++, out, err));
    GM_TRY(gm_buf_add_c(out, "</svg>\n", err));
done:
    return st;
}
