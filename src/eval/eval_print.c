#include "eval/eval.h"

#include "base/json.h"
#include "base/utf8.h"

static enum gm_status table_row(struct gm_str name, size_t width, struct gm_score s,
                                struct gm_buf *out, struct gm_error *err)
{
    int pad = (int)(width - gm_utf8_count(name));
    return gm_buf_printf(out, err, "%.*s%*s  %9.4f  %9.4f  %9.4f  %8zu  %8zu  %8zu\n",
                         GM_STR_ARG(name), pad, "", gm_score_precision(s), gm_score_recall(s),
                         gm_score_f1(s), s.tp, s.n_pred, s.n_gold);
}

enum gm_status gm_eval_table(const struct gm_eval *e, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t width = 5;
    struct gm_str name;
    for (size_t i = 0; i < gm_eval_types(e); i++) {
        gm_eval_type(e, i, &name);
        width = gm_utf8_count(name) > width ? gm_utf8_count(name) : width;
    }
    GM_TRY(gm_buf_printf(out, err, "%*s  precision     recall         f1     right     found"
                         "      gold\n", (int)width, ""));
    for (size_t i = 0; i < gm_eval_types(e); i++) {
        struct gm_score s = gm_eval_type(e, i, &name);
        GM_TRY(table_row(name, width, s, out, err));
    }
    GM_TRY(table_row(GM_STR("micro"), width, gm_eval_total(e), out, err));
done:
    return st;
}

static bool set_score(struct gm_json *o, struct gm_score s)
{
    return gm_json_set(o, "tp", gm_json_new_int((long long)s.tp)) &&
           gm_json_set(o, "n_pred", gm_json_new_int((long long)s.n_pred)) &&
           gm_json_set(o, "n_gold", gm_json_new_int((long long)s.n_gold)) &&
           gm_json_set(o, "precision", gm_json_new_num(gm_score_precision(s))) &&
           gm_json_set(o, "recall", gm_json_new_num(gm_score_recall(s))) &&
           gm_json_set(o, "f1", gm_json_new_num(gm_score_f1(s)));
}

static bool set_types(struct gm_json *o, const struct gm_eval *e)
{
    bool ok = true;
    for (size_t i = 0; i < gm_eval_types(e) && ok; i++) {
        struct gm_str name;
        struct gm_score s = gm_eval_type(e, i, &name);
        struct gm_json *one = gm_json_new_object();
        ok = one && set_score(one, s);
        ok = gm_json_set(o, name.p, one) && ok;
    }
    return ok;
}

enum gm_status gm_eval_json(const struct gm_eval *e, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_eval_counts posts = gm_eval_posts(e);
    struct gm_json *o = gm_json_new_object(), *types = gm_json_new_object();
    bool ok = o && gm_json_set(o, "task", gm_json_new_str(gm_str(gm_task_name(gm_eval_task(e))))) &&
              gm_json_set(o, "rule", gm_json_new_str(GM_STR("exact"))) &&
              set_score(o, gm_eval_total(e)) && types && set_types(types, e);
    ok = gm_json_set(o, "per_type", types) && ok; /* takes it over whatever went before */
    ok = ok && gm_json_set(o, "posts", gm_json_new_int((long long)posts.posts)) &&
         gm_json_set(o, "failed_posts", gm_json_new_int((long long)posts.failed_posts));
    if (!ok) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for the result");
        goto done;
    }
    GM_TRY(gm_json_write(o, false, out, err));
    GM_TRY(gm_buf_add(out, "\n", 1, err));
done:
    gm_json_free(o);
    return st;
}
