#include "report/tune_svg.h"

#include "report/svg.h"

#include <math.h>
#include <stdio.h>

enum { PANEL = 380, LEFT = 60, TOP = 92, HEIGHT = TOP + GM_SVG_SIDE + 76 };

static const char style[] = "<style>.line{fill:none;stroke-width:2}.s0{stroke:#3a66b0}"
                            ".s1{stroke:#2c8a57;stroke-dasharray:6 4}.at{fill:#c2571a}</style>\n";

static double share(const struct gm_tune_step *s, const struct gm_tune_point *p)
{
    size_t most = s->points[s->n_points - 1].calls;
    return most ? (double)p->calls / (double)most : 0;
}

static double x_of(const struct gm_svg_plot *plot, const struct gm_tune_step *s,
                   const struct gm_tune_point *p)
{
    return plot->x + GM_SVG_SIDE * share(s, p);
}

static double y_of(const struct gm_svg_plot *plot, double value)
{
    return plot->y + GM_SVG_SIDE * (1 - (value - plot->low) / (plot->top - plot->low));
}

/* The twentieths around what the curves go through, so that they fill the plot. */
static void find_range(const struct gm_tune_step *s, struct gm_svg_plot *plot)
{
    double low = 1, top = 0;
    for (size_t i = 0; i < s->n_points; i++) {
        double oracle = gm_score_f1(s->points[i].oracle);
        double own = s->rule.is_oracle_only ? oracle : gm_score_f1(s->points[i].score);
        low = fmin(low, fmin(own, oracle));
        top = fmax(top, fmax(own, oracle));
    }
    plot->low = floor(low * 20) / 20;
    plot->top = fmax(ceil(top * 20) / 20, plot->low + 0.05);
}

/* Points nearer than half a pixel to the last are left out. */
static enum gm_status put_curve(const struct gm_svg_plot *plot, const struct gm_tune_step *s,
                                bool oracle, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double last_x = -1;
    GM_TRY(gm_buf_printf(out, err, "<polyline class=\"line s%d\" points=\"", oracle));
    for (size_t i = 0; i < s->n_points; i++) {
        const struct gm_tune_point *p = &s->points[i];
        double x = x_of(plot, s, p);
        if (i + 1 < s->n_points && x - last_x < 0.5)
            continue;
        GM_TRY(gm_buf_printf(out, err, "%.1f,%.1f ", x,
                             y_of(plot, gm_score_f1(oracle ? p->oracle : p->score))));
        last_x = x;
    }
    GM_TRY(gm_buf_add_c(out, "\"/>\n", err));
done:
    return st;
}

static enum gm_status put_legend(const struct gm_svg_plot *plot, int row, const char *text,
                                 struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double y = plot->y + GM_SVG_SIDE - 30 + 18 * row;
    GM_TRY(gm_buf_printf(out, err, "<path class=\"line s%d\" d=\"M%.1f %.1fh20\"/>\n", row,
                         plot->x + 120, y - 4));
    GM_TRY(gm_svg_text(out, plot->x + 146, y, "", gm_str(text), err));
done:
    return st;
}

static enum gm_status put_chosen(const struct gm_tune_opts *o, const struct gm_svg_plot *plot,
                                 const struct gm_tune_step *s, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char text[120];
    const struct gm_score now = gm_tune_point_score(&s->rule, s->chosen);
    const struct gm_score crossed = gm_tune_point_score(&s->rule, &s->crossed);
    snprintf(text, sizeof text, "chosen %.4g: %.4f, cross-fitted %.4f",
             gm_tune_setting(s, s->chosen->t), gm_score_f1(now), gm_score_f1(crossed));
    GM_TRY(gm_buf_printf(out, err,
                         "<circle class=\"at\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>%s</title>"
                         "</circle>\n",
                         x_of(plot, s, s->chosen), y_of(plot, gm_score_f1(now)), text));
    GM_TRY(gm_svg_text(out, plot->x, plot->y - 10, "", gm_str(text), err));
    if (o->call_cost > 0) {
        snprintf(text, sizeof text, "all calls cost %.4g, those chosen %.4g",
                 o->call_cost * (double)s->points[s->n_points - 1].calls,
                 o->call_cost * (double)s->chosen->calls);
        GM_TRY(gm_svg_text(out, plot->x, plot->y + GM_SVG_SIDE + 60, "", gm_str(text), err));
    }
done:
    return st;
}

static enum gm_status put_step(const struct gm_tune_opts *o, struct gm_svg_plot plot,
                               const struct gm_tune_step *s, struct gm_buf *out,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char title[120], calls[80];
    find_range(s, &plot);
    snprintf(title, sizeof title, "%s: %s, %s", s->stage, s->setting, s->measure);
    snprintf(calls, sizeof calls, "share of the %zu calls", s->points[s->n_points - 1].calls);
    GM_TRY(gm_svg_axes(out, &plot, title, "", calls, err));
    GM_TRY(put_curve(&plot, s, true, out, err));
    GM_TRY(put_legend(&plot, 1, "an oracle's answers", out, err));
    if (!s->rule.is_oracle_only) {
        GM_TRY(put_curve(&plot, s, false, out, err));
        GM_TRY(put_legend(&plot, 0, "the run's answers", out, err));
    }
    GM_TRY(put_chosen(o, &plot, s, out, err));
done:
    return st;
}

enum gm_status gm_tune_svg(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                           const char *title, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_svg_plot plot = {LEFT, TOP, 0, 1};
    GM_TRY(gm_svg_begin(out, (double)(PANEL * (r->n_steps ? r->n_steps : 1)), HEIGHT, err));
    GM_TRY(gm_buf_add_c(out, style, err));
    GM_TRY(gm_svg_text(out, 16, 28, " class=\"t\"", gm_str(title), err));
    for (size_t i = 0; i < r->n_steps; i++) {
        GM_TRY(put_step(o, plot, &r->steps[i], out, err));
        plot.x += PANEL;
    }
    if (r->n_steps == 0)
        GM_TRY(gm_svg_text(out, LEFT, TOP, "", GM_STR("no threshold was tuned: no curve"), err));
    GM_TRY(gm_buf_add_c(out, "</svg>\n", err));
done:
    return st;
}
