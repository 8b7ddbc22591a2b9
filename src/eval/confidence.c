/* confidence.c - each predicted entity as a pair (confidence, right or wrong), for four
 * confidences: score, marginal, -entropy, margin. What is made of the pairs is computed in
 * reliability.c; here they are collected and the figures written as a table and as JSON. Tests:
 * tests/e2e/test_eval_calibration.py. */
#include "eval/confidence.h"

#include "base/alloc.h"
#include "base/json.h"

#include <math.h>

struct gm_confidences {
    struct gm_buf judged[GM_N_MEASURES]; /* struct gm_judged */
    bool has_scores;                     /* one that is not 1 */
};

static const char *const names[] = {"score", "marginal", "entropy", "margin"};

enum gm_status gm_confidences_new(struct gm_confidences **out, struct gm_error *err)
{
    struct gm_confidences *c = *out = gm_alloc(1, sizeof *c);
    if (!c)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t m = 0; m < GM_N_MEASURES; m++)
        gm_buf_init(&c->judged[m], SIZE_MAX - 1);
    return GM_OK;
}

void gm_confidences_free(struct gm_confidences *c)
{
    for (size_t m = 0; c && m < GM_N_MEASURES; m++)
        gm_buf_clear(&c->judged[m]);
    gm_free(c);
}

enum gm_status gm_confidences_add(struct gm_confidences *c, const struct gm_eval *e,
                                  const struct gm_post *pred, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < pred->n_entities; i++) {
        const struct gm_entity *x = &pred->entities[i];
        const struct gm_uncertainty *u = &x->uncertainty;
        const double sure[] = {x->score, u->has ? u->marginal : NAN, u->has ? -u->entropy : NAN,
                               u->has ? u->margin : NAN};
        enum gm_verdict v = gm_eval_verdict(e, false, i);
        for (size_t m = 0; m < GM_N_MEASURES && v != GM_VERDICT_COPY; m++) {
            struct gm_judged j = {sure[m], v == GM_VERDICT_RIGHT};
            if (!isnan(sure[m]))
                GM_TRY(gm_buf_add(&c->judged[m], &j, sizeof j, err));
        }
        c->has_scores = c->has_scores || x->score < 1;
    }
done:
    return st;
}

bool gm_confidences_result(struct gm_confidences *c, enum gm_measure m, struct gm_reliability *out)
{
    struct gm_judged *j = (void *)c->judged[m].p;
    struct gm_bin mass[GM_ECE_BINS];
    *out = (struct gm_reliability){.name = names[m],
                                   .n = c->judged[m].n / sizeof *j,
                                   .is_probability = m == GM_BY_SCORE || m == GM_BY_MARGINAL};
    if (out->n == 0 || (m == GM_BY_SCORE && !c->has_scores))
        return false;
    for (size_t i = 0; i < out->n; i++)
        out->n_right += j[i].right;
    gm_judged_sort(j, out->n);
    if (out->is_probability) {
        out->ece = gm_ece(j, out->n, false, out->bins);
        out->ece_mass = gm_ece(j, out->n, true, mass);
    }
    out->aurc = gm_aurc(j, out->n, out->risk);
    out->aurc_best = gm_aurc_best(out->n, out->n_right);
    return true;
}

static enum gm_status fail_empty(struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT,
                   "no predicted entity has a score below 1 or an uncertainty: "
                   "there are no confidences to judge");
}

enum gm_status gm_confidences_table(struct gm_confidences *c, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    static const char head[] = "\nconfidence        n     ece    mass    aurc  e-aurc   risk at 50%"
                               "     80%    100%\n";
    struct gm_reliability r;
    size_t found = 0;
    for (enum gm_measure m = 0; m < GM_N_MEASURES; m++) {
        if (!gm_confidences_result(c, m, &r))
            continue;
        GM_TRY(gm_buf_printf(out, err, "%s%-11s %7zu  ", found++ ? "" : head, r.name, r.n));
        GM_TRY(r.is_probability ? gm_buf_printf(out, err, "%.4f  %.4f", r.ece, r.ece_mass)
                                : gm_buf_printf(out, err, "%6s  %6s", "-", "-"));
        GM_TRY(gm_buf_printf(out, err, "  %.4f  %.4f        %.4f  %.4f  %.4f\n", r.aurc,
                             r.aurc - r.aurc_best, r.risk[49], r.risk[79], r.risk[99]));
    }
    if (!found)
        st = fail_empty(err);
done:
    return st;
}

static bool add_bins(struct gm_json *o, const struct gm_reliability *r)
{
    struct gm_json *bins = gm_json_new_array();
    bool ok = bins;
    for (size_t i = 0; i < GM_ECE_BINS && ok; i++) {
        const struct gm_bin *b = &r->bins[i];
        double n = b->n ? (double)b->n : 1;
        struct gm_json *bin = gm_json_new_object();
        ok = bin && gm_json_set(bin, "n", gm_json_new_int((long long)b->n)) &&
             gm_json_set(bin, "confidence", gm_json_new_num(b->confidence / n)) &&
             gm_json_set(bin, "accuracy", gm_json_new_num((double)b->right / n));
        ok = gm_json_add(bins, bin) && ok;
    }
    return gm_json_set(o, "bins", bins) && ok;
}

static struct gm_json *as_json(const struct gm_reliability *r)
{
    struct gm_json *o = gm_json_new_object(), *risk = gm_json_new_array();
    bool ok = o && risk && gm_json_set(o, "n", gm_json_new_int((long long)r->n)) &&
              gm_json_set(o, "right", gm_json_new_int((long long)r->n_right));
    if (r->is_probability)
        ok = ok && gm_json_set(o, "ece", gm_json_new_num(r->ece)) &&
             gm_json_set(o, "ece_mass", gm_json_new_num(r->ece_mass)) && add_bins(o, r);
    ok = ok && gm_json_set(o, "aurc", gm_json_new_num(r->aurc)) &&
         gm_json_set(o, "e_aurc", gm_json_new_num(r->aurc - r->aurc_best));
    for (size_t i = 0; i < GM_COVERAGES && ok; i++)
        ok = gm_json_add(risk, gm_json_new_num(r->risk[i]));
    ok = gm_json_set(o, "risk", risk) && ok;
    if (ok)
        return o;
    gm_json_free(o);
    return NULL;
}

enum gm_status gm_confidences_json(struct gm_confidences *c, struct gm_json **out,
                                   struct gm_error *err)
{
    struct gm_reliability r;
    struct gm_json *o = *out = gm_json_new_object();
    bool ok = o;
    for (enum gm_measure m = 0; m < GM_N_MEASURES && ok; m++)
        if (gm_confidences_result(c, m, &r))
            ok = gm_json_set(o, r.name, as_json(&r));
    if (ok && gm_json_count(o))
        return GM_OK;
    gm_json_free(o);
    *out = NULL;
    return ok ? fail_empty(err) : GM_FAIL(err, GM_ENOMEM, "out of memory for the result");
}
