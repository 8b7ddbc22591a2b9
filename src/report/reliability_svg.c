#include "report/reliability_svg.h"

#include "report/svg.h"

#include <math.h>
#include <stdio.h>

enum { SIDE = GM_SVG_SIDE, PANEL = 350, LEFT = 56, TOP = 92, HEIGHT = TOP + SIDE + 60 };

static const char style[] =
    "<style>.d{stroke:#888;stroke-dasharray:4 4}"
    ".line{fill:none;stroke-width:2}.s0{stroke:#3a66b0}.s1{stroke:#c2571a}.s2{stroke:#2c8a57}"
    ".s3{stroke:#9a4fb0}</style>\n";

static enum gm_status put_bins(const struct gm_svg_plot *p, const struct gm_reliability *r,
                               struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char title[64], note[64];
    double width = (double)SIDE / GM_ECE_BINS;
    snprintf(title, sizeof title, "%s: share that is right", r->name);
    snprintf(note, sizeof note, "%zu entities, ECE %.4f", r->n, r->ece);
    GM_TRY(gm_svg_axes(out, p, title, note, "confidence", err));
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
static enum gm_status put_curve(const struct gm_svg_plot *p, const struct gm_reliability *r,
                                size_t m, size_t row, struct gm_buf *out, struct gm_error *err)
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
    struct gm_svg_plot p = {LEFT, TOP, 0, 1};
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
    GM_TRY(gm_svg_axes(out, &p, "Risk: share that is wrong", "among the surest entities",
                       "coverage", err));
    for (enum gm_measure m = 0; m < GM_N_MEASURES; m++)
        if (gm_confidences_result(c, m, &r))
            GM_TRY(put_curve(&p, &r, m, row++, out, err));
    GM_TRY(gm_buf_add_c(out, "</svg>\n", err));
done:
    return st;
}
