/* The result for machines: the object that docs/metrics.md describes. */
#include "base/json.h"
#include "eval/eval.h"

#include <stdio.h>

static bool set_score(struct gm_json *o, struct gm_score s)
{
    return o && gm_json_set(o, "tp", gm_json_new_int((long long)s.tp)) &&
           gm_json_set(o, "n_pred", gm_json_new_int((long long)s.n_pred)) &&
           gm_json_set(o, "n_gold", gm_json_new_int((long long)s.n_gold)) &&
           gm_json_set(o, "precision", gm_json_new_num(gm_score_precision(s))) &&
           gm_json_set(o, "recall", gm_json_new_num(gm_score_recall(s))) &&
           gm_json_set(o, "f1", gm_json_new_num(gm_score_f1(s)));
}

/* o[key] = a score of its own. */
static bool set_named(struct gm_json *o, const char *key, struct gm_score s)
{
    struct gm_json *one = gm_json_new_object();
    bool ok = set_score(one, s);
    return gm_json_set(o, key, one) && ok; /* takes it over whatever went before */
}

static bool set_types(struct gm_json *o, const struct gm_eval *e)
{
    bool ok = true;
    struct gm_json *types = gm_json_new_object();
    for (size_t i = 0; i < gm_eval_types(e) && ok; i++) {
        struct gm_str name;
        struct gm_score s = gm_eval_type(e, i, &name);
        ok = types && set_named(types, name.p, s);
    }
    return gm_json_set(o, "per_type", types) && ok;
}

static bool set_curve(struct gm_json *o, const struct gm_eval *e)
{
    bool ok = true;
    double sum = 0;
    struct gm_json *curve = gm_json_new_object();
    for (size_t i = 0; i < GM_CURVE && ok; i++) {
        char iou[8];
        double f1 = gm_score_f1(gm_eval_curve(e, i));
        snprintf(iou, sizeof iou, "%.2f", gm_eval_curve_iou(i));
        sum += f1;
        ok = curve && gm_json_set(curve, iou, gm_json_new_num(f1));
    }
    ok = ok && gm_json_set(curve, "mean", gm_json_new_num(sum / GM_CURVE));
    return gm_json_set(o, "curve", curve) && ok;
}

static bool set_steps(struct gm_json *o, const struct gm_eval *e)
{
    bool ok = true;
    double before = 1;
    struct gm_json *steps = gm_json_new_array();
    for (size_t i = 0; i < gm_eval_steps(e) && ok; i++) {
        const char *what;
        struct gm_score s = gm_eval_step(e, i, &what);
        struct gm_json *step = gm_json_new_object();
        ok = step && gm_json_set(step, "step", gm_json_new_str(gm_str(what))) &&
             set_score(step, s) &&
             gm_json_set(step, "lost", gm_json_new_num(before - gm_score_f1(s)));
        ok = gm_json_add(steps, step) && ok;
        before = gm_score_f1(s);
    }
    return gm_json_set(o, "steps", steps) && ok;
}

static bool set_groups(struct gm_json *o, const struct gm_eval *e)
{
    bool ok = true;
    const char *dim, *group;
    struct gm_score s;
    struct gm_json *groups = gm_json_new_object();
    for (size_t d = 0; ok && gm_eval_group(e, d, 0, &dim, &group, &s); d++) {
        struct gm_json *one = gm_json_new_object();
        for (size_t i = 0; ok && gm_eval_group(e, d, i, &dim, &group, &s); i++)
            ok = one && set_named(one, group, s);
        ok = gm_json_set(groups, dim, one) && ok;
    }
    return gm_json_set(o, "groups", groups) && ok;
}

/* [{"gold", "pred", "n"}]; null = no entity on that side. */
static bool set_confusion(struct gm_json *o, const struct gm_eval *e)
{
    bool ok = true;
    struct gm_str gold, pred;
    size_t n;
    struct gm_json *cells = gm_json_new_array();
    for (size_t i = 0; ok && gm_eval_confusion(e, i, &gold, &pred, &n); i++) {
        struct gm_json *cell = gm_json_new_object();
        ok = cell &&
             gm_json_set(cell, "gold", gold.n ? gm_json_new_str(gold) : gm_json_new_null()) &&
             gm_json_set(cell, "pred", pred.n ? gm_json_new_str(pred) : gm_json_new_null()) &&
             gm_json_set(cell, "n", gm_json_new_int((long long)n));
        ok = gm_json_add(cells, cell) && ok;
    }
    return gm_json_set(o, "confusion", cells) && ok;
}

enum gm_status gm_eval_json(const struct gm_eval *e, struct gm_json **out, struct gm_error *err)
{
    const struct gm_eval_opts *opts = gm_eval_options(e);
    struct gm_eval_counts posts = gm_eval_posts(e);
    struct gm_json *o = *out = gm_json_new_object();
    bool image = gm_task_has_image(opts->task);
    bool ok = o && gm_json_set(o, "task", gm_json_new_str(gm_str(gm_task_name(opts->task)))) &&
              gm_json_set(o, "rule", gm_json_new_str(gm_str(gm_rule_name(opts->rule))));
    if (image)
        ok = ok && gm_json_set(o, "iou", gm_json_new_num(opts->iou)) &&
             gm_json_set(o, "iou_strict", gm_json_new_bool(opts->iou_strict));
    ok = ok && set_score(o, gm_eval_total(e)) && set_types(o, e) &&
         gm_json_set(o, "posts", gm_json_new_int((long long)posts.posts)) &&
         gm_json_set(o, "failed_posts", gm_json_new_int((long long)posts.failed_posts)) &&
         (!image || set_curve(o, e)) && set_steps(o, e) && set_groups(o, e) && set_confusion(o, e);
    if (ok)
        return GM_OK;
    gm_json_free(o);
    *out = NULL;
    return GM_FAIL(err, GM_ENOMEM, "out of memory for the result");
}
