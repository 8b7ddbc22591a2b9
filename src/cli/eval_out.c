/* What gmner eval prints, draws and puts on its page. */
#include "base/file.h"
#include "base/json.h"
#include "cli/eval_work.h"
#include "report/reliability_svg.h"

#include <stdio.h>

static double mean_ap(const struct gm_eval_work *w)
{
    double sum = 0;
    for (size_t i = 0; i < GM_CURVE; i++)
        sum += w->ap_at[i];
    return sum / GM_CURVE;
}

static enum gm_status table(struct gm_eval_work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_bootstrap *b = &w->bootstrap;
    GM_TRY(gm_eval_table(w->eval, w->o->details, &w->out, err));
    if (w->ap)
        GM_TRY(gm_buf_printf(&w->out, err, "\nbox AP %.4f, at 0.50 %.4f, at 0.75 %.4f\n",
                             mean_ap(w), w->ap_at[0], w->ap_at[5]));
    if (w->confidences)
        GM_TRY(gm_confidences_table(w->confidences, &w->out, err));
    if (b->n)
        GM_TRY(gm_buf_printf(&w->out, err,
                             "\n95%% intervals over %zu resamplings: precision %.4f "
                             "to %.4f, recall %.4f to %.4f, f1 %.4f to %.4f\n",
                             b->n, b->precision.low, b->precision.high, b->recall.low,
                             b->recall.high, b->f1.low, b->f1.high));
    if (w->vs)
        GM_TRY(gm_buf_printf(&w->out, err,
                             "f1 %.4f against %.4f of %s: %+.4f (%+.4f to %+.4f), "
                             "p = %.4f\n",
                             gm_score_f1(gm_eval_total(w->eval)), gm_score_f1(gm_eval_total(w->vs)),
                             w->o->vs, b->diff, b->diff_in.low, b->diff_in.high, b->p_value));
done:
    return st;
}

static bool set_interval(struct gm_json *o, const char *key, struct gm_interval x)
{
    struct gm_json *pair = gm_json_new_array();
    bool ok = pair && gm_json_add(pair, gm_json_new_num(x.low)) &&
              gm_json_add(pair, gm_json_new_num(x.high));
    return gm_json_set(o, key, pair) && ok;
}

static bool set_ap(struct gm_json *o, const struct gm_eval_work *w)
{
    struct gm_json *ap = gm_json_new_object(), *curve = gm_json_new_array();
    bool ok = ap && curve && gm_json_set(ap, "ap", gm_json_new_num(mean_ap(w))) &&
              gm_json_set(ap, "ap50", gm_json_new_num(w->ap_at[0])) &&
              gm_json_set(ap, "ap75", gm_json_new_num(w->ap_at[5]));
    for (size_t i = 0; i < GM_CURVE && ok; i++)
        ok = gm_json_add(curve, gm_json_new_num(w->ap_at[i]));
    ok = gm_json_set(ap, "curve", curve) && ok;
    return gm_json_set(o, "ap", ap) && ok;
}

static bool set_bootstrap(struct gm_json *o, const struct gm_eval_work *w)
{
    const struct gm_bootstrap *b = &w->bootstrap;
    struct gm_json *x = gm_json_new_object();
    bool ok = x && gm_json_set(x, "n", gm_json_new_int((long long)b->n)) &&
              gm_json_set(x, "seed", gm_json_new_int(w->seed)) &&
              set_interval(x, "precision", b->precision) && set_interval(x, "recall", b->recall) &&
              set_interval(x, "f1", b->f1);
    return gm_json_set(o, "bootstrap", x) && ok;
}

/* The second system: its whole result, and the difference. */
static enum gm_status set_vs(struct gm_json *o, const struct gm_eval_work *w, struct gm_error *err)
{
    struct gm_json *x = NULL;
    enum gm_status st = gm_eval_json(w->vs, &x, err);
    if (st != GM_OK)
        return st;
    bool ok = gm_json_set(x, "diff", gm_json_new_num(w->bootstrap.diff)) &&
              set_interval(x, "diff_interval", w->bootstrap.diff_in) &&
              gm_json_set(x, "p_value", gm_json_new_num(w->bootstrap.p_value));
    ok = gm_json_set(o, "vs", x) && ok;
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for the result");
}

static enum gm_status json(struct gm_eval_work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *o = NULL, *calibration;
    bool ok = true;
    GM_TRY(gm_eval_json(w->eval, &o, err));
    if (w->confidences) {
        GM_TRY(gm_confidences_json(w->confidences, &calibration, err));
        ok = gm_json_set(o, "calibration", calibration);
    }
    if (!ok || (w->ap && !set_ap(o, w)) || (w->bootstrap.n && !set_bootstrap(o, w))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for the result");
        goto done;
    }
    if (w->vs)
        GM_TRY(set_vs(o, w, err));
    GM_TRY(gm_json_write(o, false, &w->out, err));
    GM_TRY(gm_buf_add(&w->out, "\n", 1, err));
done:
    gm_json_free(o);
    return st;
}

static enum gm_status entail(struct gm_eval_work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_visible_result r;
    struct gm_json *o = NULL;
    GM_TRY(gm_visible_result(w->entail, &r, err));
    gm_eval_warn(r.posts, r.failed_posts, w->o->gold, w->o->pred);
    if (w->o->json) {
        GM_TRY(gm_visible_json(&r, &o, err));
        GM_TRY(gm_json_write(o, false, &w->out, err));
        GM_TRY(gm_buf_add(&w->out, "\n", 1, err));
    } else {
        GM_TRY(gm_visible_table(&r, &w->out, err));
    }
done:
    gm_json_free(o);
    return st;
}

enum gm_status gm_eval_page(struct gm_eval_work *w, struct gm_report **report, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_report *r = *report;
    char title[64];
    snprintf(title, sizeof title, "%s, rule %s", w->o->task, gm_rule_name(w->counting.rule));
    gm_buf_reset(&w->out);
    GM_TRY(gm_eval_table(w->eval, true, &w->out, err));
    GM_TRY(gm_report_add_text(r, title, gm_buf_str(&w->out), err));
    *report = NULL;
    GM_TRY(gm_report_commit(r, err));
done:
    return st;
}

enum gm_status gm_eval_draw(const struct gm_eval_work *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf svg;
    gm_buf_init(&svg, (size_t)1 << 20);
    GM_TRY(gm_reliability_svg(w->confidences, w->o->pred, &svg, err));
    GM_TRY(gm_file_write(w->o->svg, gm_buf_str(&svg), err));
done:
    gm_buf_clear(&svg);
    return st;
}

enum gm_status gm_eval_print(struct gm_eval_work *w, struct gm_error *err)
{
    gm_buf_reset(&w->out);
    return w->entail ? entail(w, err) : w->o->json ? json(w, err) : table(w, err);
}
