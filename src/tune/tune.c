/* Tuning a stage, and what is told of it. */
#include "tune/gather.h"

#include "base/buf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum gm_status gm_tune_run_all(const struct gm_tune_opts *o, struct gm_tune_result *out,
                               struct gm_error *err)
{
    *out = (struct gm_tune_result){.n_posts = 0};
    gm_arena_init(&out->arena, 0);
    switch (o->stage) {
    case GM_TUNE_REFINE: return gm_tune_refine(o, out, err);
    case GM_TUNE_ENTAIL: return gm_tune_entail(o, out, err);
    case GM_TUNE_GROUND: break;
    }
    return gm_tune_ground(o, out, err);
}

void gm_tune_clear(struct gm_tune_result *r) { gm_arena_clear(&r->arena); }

double gm_tune_setting(const struct gm_tune_step *s, double t)
{
    return s->is_negative && t != 0 ? -t : t;
}

/* ---- a row of figures ---- */

/* A point under its name; the score is that of the oracle where `oracle`. */
struct row {
    const char *name;
    struct gm_tune_point point;
    bool oracle;
};

enum { ROWS = 5 };

static const struct gm_tune_point *last(const struct gm_tune_step *s)
{
    return &s->points[s->n_points - 1];
}

/* With an oracle only there is no other row of the kind. */
static size_t rows_of(const struct gm_tune_step *s, struct row rows[ROWS])
{
    bool o = s->rule.is_oracle_only;
    size_t n = 0;
    rows[n++] = (struct row){"nobody", s->points[0], o};
    rows[n++] = (struct row){"chosen, fitted on these posts", *s->chosen, o};
    rows[n++] = (struct row){"chosen, cross-fitted", s->crossed, o};
    if (!o)
        rows[n++] = (struct row){"chosen, an oracle's answers", *s->chosen, true};
    rows[n++] = (struct row){"everybody", *last(s), o};
    return n;
}

static struct gm_score score_of(const struct row *r)
{
    return r->oracle ? r->point.oracle : r->point.score;
}

static double share_of(const struct gm_tune_step *s, const struct gm_tune_point *p)
{
    size_t most = last(s)->calls;
    return most ? (double)p->calls / (double)most : 0;
}

/* ---- for people ---- */

static enum gm_status put_head(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                               const char *mark, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err,
                         "%s%zu entities of %zu posts (%zu with an error); %zu folds of posts by "
                         "their ids\n",
                         mark, r->n_entities, r->n_posts, r->n_failed, o->n_folds));
    for (size_t i = 0; i < r->n_warnings; i++)
        GM_TRY(gm_buf_printf(out, err, "%sbut: %s\n", mark, r->warnings[i]));
done:
    return st;
}

static enum gm_status put_sources(const struct gm_tune_result *r, const char *mark,
                                  struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (r->n_sources)
        GM_TRY(gm_buf_printf(out, err, "%s\n%s%-12s %9s  accuracy      f1     auc\n", mark, mark,
                             "in the image", "entities"));
    for (size_t i = 0; i < r->n_sources; i++) {
        const struct gm_tune_source *s = &r->sources[i];
        GM_TRY(gm_buf_printf(out, err, "%s%-12s %9zu    %.4f  %.4f  %.4f%s\n", mark, s->name, s->n,
                             s->accuracy, s->f1, s->auc, s->is_crossed ? "  cross-fitted" : ""));
    }
done:
    return st;
}

static enum gm_status put_row(const struct gm_tune_opts *o, const struct gm_tune_step *s,
                              const struct row *r, const char *mark, struct gm_buf *out,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_score score = score_of(r);
    char setting[32] = "-";
    if (isfinite(r->point.t))
        snprintf(setting, sizeof setting, "%.4g", gm_tune_setting(s, r->point.t));
    GM_TRY(gm_buf_printf(out, err, "%s%-30s %8s %8zu %8zu  %5.1f%%  %.4f  %.4f  %.4f", mark,
                         r->name, setting, r->point.units, r->point.calls,
                         100 * share_of(s, &r->point), gm_score_precision(score),
                         gm_score_recall(score), gm_score_f1(score)));
    if (o->call_cost > 0)
        GM_TRY(gm_buf_printf(out, err, "  %10.4f", o->call_cost * (double)r->point.calls));
    GM_TRY(gm_buf_add_c(out, "\n", err));
done:
    return st;
}

static enum gm_status put_step(const struct gm_tune_opts *o, const struct gm_tune_step *s,
                               const char *mark, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct row rows[ROWS];
    size_t n = rows_of(s, rows);
    char title[80];
    snprintf(title, sizeof title, "%s: %s", s->stage, s->setting);
    GM_TRY(gm_buf_printf(out, err, "%s\n%s%-30s %8s %8s %8s  %6s  precis.  recall      f1%s\n",
                         mark, mark, title, "setting", "asked", "calls", "share",
                         o->call_cost > 0 ? "        cost" : ""));
    for (size_t i = 0; i < n; i++)
        GM_TRY(put_row(o, s, &rows[i], mark, out, err));
    GM_TRY(gm_buf_printf(
        out, err, "%sscores: %s; asked about: %zu %s%s%s\n", mark, s->measure, s->n_units, s->unit,
        s->rule.is_oracle_only ? "; an oracle's answers, as there is no second run" : "",
        s->reached ? "" : "; THE TARGET IS NOT REACHED, this comes nearest"));
done:
    return st;
}

static enum gm_status put_all(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                              const char *mark, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(put_head(o, r, mark, out, err));
    GM_TRY(put_sources(r, mark, out, err));
    for (size_t i = 0; i < r->n_steps; i++)
        GM_TRY(put_step(o, &r->steps[i], mark, out, err));
done:
    return st;
}

enum gm_status gm_tune_table(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                             struct gm_buf *out, struct gm_error *err)
{
    return put_all(o, r, "", out, err);
}

/* ---- the settings file ---- */

static enum gm_status put_set(const struct gm_tune_opts *o, const struct gm_fusion_set *s,
                              struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *join = "    ";
    for (size_t i = 0; i < GM_EVIDENCE_SOURCES; i++)
        if (s->sources & 1U << i) {
            GM_TRY(gm_buf_printf(out, err, "%s%s", join, gm_evidence_source_names[i]));
            join = "+";
        }
    GM_TRY(gm_buf_printf(out, err, ": {bias: %.6g", s->bias));
    for (size_t i = 0; i < GM_EVIDENCE_X; i++)
        if ((gm_evidence_x[i].source & s->sources) && !o->unused[i])
            GM_TRY(gm_buf_printf(out, err, ", %s: %.6g", gm_evidence_x[i].name, s->w[i]));
    GM_TRY(gm_buf_add_c(out, "}\n", err));
done:
    return st;
}

static enum gm_status put_fusion(const struct gm_tune_opts *o, const struct gm_fusion *f,
                                 struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (f->n)
        GM_TRY(gm_buf_add_c(out, "  fusion:\n", err));
    for (size_t i = 0; i < f->n; i++)
        GM_TRY(put_set(o, &f->sets[i], out, err));
done:
    return st;
}

/* All that is set of one stage. */
static enum gm_status put_stage(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                                const char *stage, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool is_entail = strcmp(stage, "entail") == 0 && r->fusion.n > 0, any = is_entail;
    for (size_t i = 0; i < r->n_steps; i++)
        any = any || strcmp(r->steps[i].stage, stage) == 0;
    if (any)
        GM_TRY(gm_buf_printf(out, err, "%s:\n", stage));
    for (size_t i = 0; i < r->n_steps; i++) {
        const struct gm_tune_step *s = &r->steps[i];
        if (strcmp(s->stage, stage) == 0)
            GM_TRY(gm_buf_printf(out, err, "  %s: %.10g\n", s->setting,
                                 gm_tune_setting(s, s->chosen->t)));
    }
    if (is_entail)
        GM_TRY(put_fusion(o, &r->fusion, out, err));
done:
    return st;
}

enum gm_status gm_tune_settings(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                                struct gm_buf *out, struct gm_error *err)
{
    static const char *const stages[] = {"refine", "entail", "ground", "check"};
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(
        out, "# Settings found by gmner tune; a recipe takes them in with \"settings: FILE\".\n",
        err));
    GM_TRY(put_all(o, r, "# ", out, err));
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        GM_TRY(put_stage(o, r, stages[i], out, err));
done:
    return st;
}

/* ---- JSON ---- */

static bool set_num(struct gm_json *o, const char *key, double x)
{
    return gm_json_set(o, key, isfinite(x) ? gm_json_new_num(x) : gm_json_new_null());
}

static bool set_score(struct gm_json *o, const char *key, struct gm_score s)
{
    struct gm_json *j = gm_json_new_object();
    bool ok = j && gm_json_set(j, "tp", gm_json_new_int((long long)s.tp)) &&
              gm_json_set(j, "pred", gm_json_new_int((long long)s.n_pred)) &&
              gm_json_set(j, "gold", gm_json_new_int((long long)s.n_gold)) &&
              set_num(j, "precision", gm_score_precision(s)) &&
              set_num(j, "recall", gm_score_recall(s)) && set_num(j, "f1", gm_score_f1(s));
    return gm_json_set(o, key, j) && ok;
}

static struct gm_json *point_json(const struct gm_tune_opts *o, const struct gm_tune_step *s,
                                  const struct gm_tune_point *p)
{
    struct gm_json *j = gm_json_new_object();
    bool ok = j && set_num(j, "setting", gm_tune_setting(s, p->t)) &&
              gm_json_set(j, "asked", gm_json_new_int((long long)p->units)) &&
              gm_json_set(j, "calls", gm_json_new_int((long long)p->calls)) &&
              set_num(j, "share", share_of(s, p)) && set_score(j, "oracle", p->oracle);
    if (ok && !s->rule.is_oracle_only)
        ok = set_score(j, "score", p->score);
    if (ok && o->call_cost > 0)
        ok = set_num(j, "cost", o->call_cost * (double)p->calls);
    if (ok)
        return j;
    gm_json_free(j);
    return NULL;
}

static struct gm_json *step_json(const struct gm_tune_opts *o, const struct gm_tune_step *s)
{
    struct gm_json *j = gm_json_new_object(), *curve = gm_json_new_array();
    bool ok = j && gm_json_set(j, "stage", gm_json_new_str(gm_str(s->stage))) &&
              gm_json_set(j, "setting", gm_json_new_str(gm_str(s->setting))) &&
              gm_json_set(j, "measure", gm_json_new_str(gm_str(s->measure))) &&
              gm_json_set(j, "reached", gm_json_new_bool(s->reached)) &&
              gm_json_set(j, "chosen", point_json(o, s, s->chosen)) &&
              gm_json_set(j, "cross_fitted", point_json(o, s, &s->crossed));
    for (size_t i = 0; i < s->n_points && ok && curve; i++)
        ok = gm_json_add(curve, point_json(o, s, &s->points[i]));
    if (j && gm_json_set(j, "curve", curve) && ok)
        return j;
    if (!j)
        gm_json_free(curve);
    gm_json_free(j);
    return NULL;
}

static struct gm_json *source_json(const struct gm_tune_source *s)
{
    struct gm_json *j = gm_json_new_object();
    if (j && gm_json_set(j, "source", gm_json_new_str(gm_str(s->name))) &&
        gm_json_set(j, "entities", gm_json_new_int((long long)s->n)) &&
        set_num(j, "accuracy", s->accuracy) && set_num(j, "f1", s->f1) &&
        set_num(j, "auc", s->auc) &&
        gm_json_set(j, "cross_fitted", gm_json_new_bool(s->is_crossed)))
        return j;
    gm_json_free(j);
    return NULL;
}

enum gm_status gm_tune_json(const struct gm_tune_opts *o, const struct gm_tune_result *r,
                            struct gm_json **out, struct gm_error *err)
{
    static const char *const stages[] = {"refine", "entail", "ground"};
    struct gm_json *j = *out = gm_json_new_object();
    struct gm_json *steps = gm_json_new_array(), *sources = gm_json_new_array();
    bool ok = j && steps && sources &&
              gm_json_set(j, "stage", gm_json_new_str(gm_str(stages[o->stage]))) &&
              gm_json_set(j, "posts", gm_json_new_int((long long)r->n_posts)) &&
              gm_json_set(j, "failed_posts", gm_json_new_int((long long)r->n_failed)) &&
              gm_json_set(j, "entities", gm_json_new_int((long long)r->n_entities)) &&
              gm_json_set(j, "folds", gm_json_new_int((long long)o->n_folds));
    for (size_t i = 0; i < r->n_steps && ok; i++)
        ok = gm_json_add(steps, step_json(o, &r->steps[i]));
    for (size_t i = 0; i < r->n_sources && ok; i++)
        ok = gm_json_add(sources, source_json(&r->sources[i]));
    if (ok)
        ok = gm_json_set(j, "sources", gm_json_ref(sources)) &&
             gm_json_set(j, "steps", gm_json_ref(steps));
    gm_json_free(steps);
    gm_json_free(sources);
    if (ok)
        return GM_OK;
    gm_json_free(j);
    *out = NULL;
    return GM_FAIL(err, GM_ENOMEM, "out of memory for the result");
}
