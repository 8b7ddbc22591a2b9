/* stats_svg.c - bars only. */
#include "report/stats_svg.h"

#include "report/svg.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    WIDTH = 760,
    LEFT = 190,
    BAR_MAX = 480,
    ROW = 22,
    HEAD = 44,
    N_BINS = 20,
    CHART_H = 120,
    MAX_TYPES = 60
};

/* The most frequent types first. */
struct by_count {
    uint32_t type;
    size_t n;
};

static int more_first(const void *a, const void *b)
{
    const struct by_count *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : x->type > y->type ? 1 : -1;
}

static enum gm_status put_type(const struct gm_stats *s, struct by_count type, double most,
                               double y, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_type_stats t = gm_stats_type(s, type.type);
    double all = BAR_MAX * (double)t.n / most, in = BAR_MAX * (double)t.n_grounded / most;
    char label[64];
    GM_TRY(gm_svg_text(out, LEFT - 8, y + 15, " text-anchor=\"end\"",
                       gm_labels_at(&s->types, type.type), err));
    GM_TRY(gm_buf_printf(out, err,
                         "<rect class=\"all\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"16\"/>\n"
                         "<rect class=\"in\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"16\"/>\n",
                         LEFT, y + 3, all, LEFT, y + 3, in));
    snprintf(label, sizeof label, "%zu (%.0f %%)", t.n,
             t.n ? 100 * (double)t.n_grounded / (double)t.n : 0.0);
    GM_TRY(gm_svg_text(out, LEFT + all + 6, y + 15, "", gm_str(label), err));
done:
    return st;
}

/* Rows of types from *y, which moves below them. */
static enum gm_status put_types(const struct gm_stats *s, double *y, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct by_count types[MAX_TYPES];
    size_t n = 0;
    for (uint32_t i = 0; i < s->types.n; i++) {
        struct by_count t = {i, gm_stats_type(s, i).n};
        if (n < MAX_TYPES)
            types[n++] = t;
        else if (qsort(types, n, sizeof *types, more_first), types[n - 1].n < t.n)
            types[n - 1] = t;
    }
    if (n)
        qsort(types, n, sizeof *types, more_first);
    GM_TRY(gm_svg_text(out, 16, *y + 15, " class=\"h\"",
                       GM_STR("Entities a type (dark: in the image)"), err));
    *y += ROW + 4;
    for (size_t i = 0; i < n; i++, *y += ROW)
        GM_TRY(put_type(s, types[i], (double)types[0].n, *y, out, err));
    *y += ROW;
done:
    return st;
}

static enum gm_status put_chart(const struct gm_spread *s, const char *title, double width,
                                double *y, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t counts[N_BINS], most = 1;
    double bar = (double)(WIDTH - 32) / N_BINS;
    char label[32];
    gm_spread_histogram(s, width, counts, N_BINS);
    for (size_t i = 0; i < N_BINS; i++)
        most = counts[i] > most ? counts[i] : most;
    GM_TRY(gm_svg_text(out, 16, *y + 15, " class=\"h\"", gm_str(title), err));
    *y += ROW + 4;
    for (size_t i = 0; i < N_BINS; i++) {
        double h = CHART_H * (double)counts[i] / (double)most, x = 16 + bar * (double)i;
        GM_TRY(gm_buf_printf(out, err,
                             "<rect class=\"in\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                             "height=\"%.1f\"><title>%zu</title></rect>\n",
                             x, *y + CHART_H - h, bar - 2, h, counts[i]));
        if (i % 2)
            continue;
        snprintf(label, sizeof label, i + 2 >= N_BINS ? "%.4g…" : "%.4g", width * (double)i);
        GM_TRY(gm_svg_text(out, x, *y + CHART_H + 15, "", gm_str(label), err));
    }
    *y += CHART_H + 2 * ROW;
done:
    return st;
}

enum gm_status gm_stats_svg(struct gm_stats *s, const char *title, struct gm_buf *out,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_types = s->types.n < MAX_TYPES ? s->types.n : MAX_TYPES;
    size_t n_charts = s->n_sized ? 3 : 2;
    double y = HEAD;
    double height =
        HEAD + (double)(n_types + 2) * ROW + 4 + (double)n_charts * (CHART_H + 3 * ROW + 4);
    GM_TRY(gm_svg_begin(out, WIDTH, height, err));
    GM_TRY(gm_svg_text(out, 16, 28, " class=\"t\"", gm_str(title), err));
    GM_TRY(put_types(s, &y, out, err));
    GM_TRY(put_chart(&s->words, "Words a post", 3, &y, out, err));
    GM_TRY(put_chart(&s->entities, "Entities a post", 1, &y, out, err));
    if (s->n_sized)
        GM_TRY(put_chart(&s->box_shares, "Box side as a share of the image's", 0.05, &y, out, err));
    GM_TRY(gm_buf_add_c(out, "</svg>\n", err));
done:
    return st;
}
