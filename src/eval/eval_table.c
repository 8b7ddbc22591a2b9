/* The result for people. */
#include "base/utf8.h"
#include "eval/eval.h"

static size_t widest(size_t width, struct gm_str name)
{
    size_t n = gm_utf8_count(name);
    return n > width ? n : width;
}

static enum gm_status row(struct gm_str name, size_t width, struct gm_score s, struct gm_buf *out,
                          struct gm_error *err)
{
    int pad = (int)(width - gm_utf8_count(name));
    return gm_buf_printf(out, err, "%.*s%*s  %9.4f  %9.4f  %9.4f  %8zu  %8zu  %8zu\n",
                         GM_STR_ARG(name), pad, "", gm_score_precision(s), gm_score_recall(s),
                         gm_score_f1(s), s.tp, s.n_pred, s.n_gold);
}

static enum gm_status scores(const struct gm_eval *e, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t width = 5;
    struct gm_str name;
    for (size_t i = 0; i < gm_eval_types(e); i++) {
        gm_eval_type(e, i, &name);
        width = widest(width, name);
    }
    GM_TRY(gm_buf_printf(out, err,
                         "%*s  precision     recall         f1     right     found"
                         "      gold\n",
                         (int)width, ""));
    for (size_t i = 0; i < gm_eval_types(e); i++) {
        struct gm_score s = gm_eval_type(e, i, &name);
        GM_TRY(row(name, width, s, out, err));
    }
    GM_TRY(row(GM_STR("micro"), width, gm_eval_total(e), out, err));
done:
    return st;
}

static enum gm_status steps(const struct gm_eval *e, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double before = 1;
    GM_TRY(gm_buf_add_c(out,
                        "\nf1 with all that follows taken as right, and what each step "
                        "loses\n",
                        err));
    for (size_t i = 0; i < gm_eval_steps(e); i++) {
        const char *what;
        double f1 = gm_score_f1(gm_eval_step(e, i, &what));
        GM_TRY(gm_buf_printf(out, err, "%-12s  %.4f  %+.4f\n", what, f1, f1 - before));
        before = f1;
    }
done:
    return st;
}

static enum gm_status curve(const struct gm_eval *e, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double sum = 0;
    GM_TRY(gm_buf_add_c(out, "\niou ", err));
    for (size_t i = 0; i < GM_CURVE; i++)
        GM_TRY(gm_buf_printf(out, err, "    %.2f", gm_eval_curve_iou(i)));
    GM_TRY(gm_buf_add_c(out, "    mean\nf1  ", err));
    for (size_t i = 0; i < GM_CURVE; i++) {
        double f1 = gm_score_f1(gm_eval_curve(e, i));
        sum += f1;
        GM_TRY(gm_buf_printf(out, err, "  %.4f", f1));
    }
    GM_TRY(gm_buf_printf(out, err, "  %.4f\n", sum / GM_CURVE));
done:
    return st;
}

static enum gm_status groups(const struct gm_eval *e, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *dim, *group;
    struct gm_score s;
    for (size_t d = 0; gm_eval_group(e, d, 0, &dim, &group, &s); d++) {
        GM_TRY(gm_buf_printf(out, err,
                             "\n%-16s  precision     recall         f1     right     "
                             "found      gold\n",
                             dim));
        for (size_t i = 0; gm_eval_group(e, d, i, &dim, &group, &s); i++)
            if (s.n_pred || s.n_gold)
                GM_TRY(row(gm_str(group), 16, s, out, err));
    }
done:
    return st;
}

/* How often gold entities of one type were found as another; an empty name = none. */
static size_t confused(const struct gm_eval *e, struct gm_str gold, struct gm_str pred)
{
    struct gm_str g, p;
    size_t n;
    for (size_t i = 0; gm_eval_confusion(e, i, &g, &p, &n); i++)
        if (gm_str_eq(g, gold) && gm_str_eq(p, pred))
            return n;
    return 0;
}

/* The name of row or column i: the types, then none. */
static struct gm_str side(const struct gm_eval *e, size_t i)
{
    struct gm_str name = GM_STR("");
    if (i < gm_eval_types(e))
        gm_eval_type(e, i, &name);
    return name;
}

static enum gm_status confusion_row(const struct gm_eval *e, size_t row, size_t width,
                                    struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str gold = side(e, row), shown = gold.n ? gold : GM_STR("(none)");
    GM_TRY(gm_buf_printf(out, err, "%.*s%*s", GM_STR_ARG(shown),
                         (int)(width - gm_utf8_count(shown)), ""));
    for (size_t k = 0; k <= gm_eval_types(e); k++)
        GM_TRY(gm_buf_printf(out, err, "  %*zu", (int)width, confused(e, gold, side(e, k))));
    GM_TRY(gm_buf_add_c(out, "\n", err));
done:
    return st;
}

/* A matrix, gold down and found across; with very many types it would fit no page, and the cells
 * that are not 0 are listed. */
static enum gm_status confusion(const struct gm_eval *e, struct gm_buf *out, struct gm_error *err)
{
    enum { MOST_COLUMNS = 12 };
    enum gm_status st = GM_OK;
    struct gm_str gold, pred;
    size_t n, width = 6, n_types = gm_eval_types(e);
    if (n_types == 0)
        return GM_OK;
    for (size_t i = 0; i < n_types; i++)
        width = widest(width, side(e, i));
    GM_TRY(gm_buf_printf(out, err, "\n%-*s", (int)width, "gold"));
    for (size_t k = 0; k <= n_types && n_types <= MOST_COLUMNS; k++) {
        pred = k < n_types ? side(e, k) : GM_STR("(none)");
        GM_TRY(gm_buf_printf(out, err, "  %*s%.*s", (int)(width - gm_utf8_count(pred)), "",
                             GM_STR_ARG(pred)));
    }
    GM_TRY(gm_buf_add_c(out, n_types <= MOST_COLUMNS ? "   (found as)\n" : "  count  found as\n",
                        err));
    for (size_t i = 0; i <= n_types && n_types <= MOST_COLUMNS; i++)
        GM_TRY(confusion_row(e, i, width, out, err));
    for (size_t i = 0; n_types > MOST_COLUMNS && gm_eval_confusion(e, i, &gold, &pred, &n); i++) {
        struct gm_str g = gold.n ? gold : GM_STR("(none)"), p = pred.n ? pred : GM_STR("(none)");
        GM_TRY(gm_buf_printf(out, err, "%.*s%*s  %5zu  %.*s\n", GM_STR_ARG(g),
                             (int)(width - gm_utf8_count(g)), "", n, GM_STR_ARG(p)));
    }
done:
    return st;
}

enum gm_status gm_eval_table(const struct gm_eval *e, bool details, struct gm_buf *out,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(scores(e, out, err));
    if (gm_eval_steps(e) > 1)
        GM_TRY(steps(e, out, err));
    if (gm_task_has_image(gm_eval_options(e)->task))
        GM_TRY(curve(e, out, err));
    if (details) {
        GM_TRY(groups(e, out, err));
        GM_TRY(confusion(e, out, err));
    }
done:
    return st;
}
