/* calibration_report.c - see calibration_report.h; the formula is in calibration_fit.c, the expected
 * calibration error in eval/reliability.c. */
#include "train/calibration_report.h"

#include "base/alloc.h"
#include "model/settings.h"

static void apply(const struct gm_calibration *c, const struct gm_judged *from, size_t n,
                  struct gm_judged *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (struct gm_judged){gm_calibrated(c, from[i].confidence), from[i].right};
}

static double ece_of(struct gm_judged *j, size_t n)
{
    struct gm_bin bins[GM_ECE_BINS];
    gm_judged_sort(j, n);
    return gm_ece(j, n, false, bins);
}

static double accuracy_of(const struct gm_judged *j, size_t n)
{
    size_t hits = 0;
    for (size_t i = 0; i < n; i++)
        hits += (j[i].confidence >= 0.5) == j[i].right;
    return n ? (double)hits / (double)n : 0;
}

enum gm_status gm_calibration_report(struct gm_calibration_report *out,
                                     const struct gm_buf halves[2], struct gm_error *err)
{
    const struct gm_judged *part[2] = {(const void *)halves[0].p, (const void *)halves[1].p};
    const size_t n[2] = {halves[0].n / sizeof **part, halves[1].n / sizeof **part};
    *out = (struct gm_calibration_report){.n = n[0] + n[1]};
    struct gm_judged *all = gm_alloc(2 * out->n, sizeof *all), *scored = all + out->n;
    if (!all)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu answers", out->n);
    for (size_t h = 0; h < 2; h++) {
        struct gm_calibration other = gm_calibration_fit(part[!h], n[!h]);
        apply(&(struct gm_calibration){.fitted = false}, part[h], n[h], all + h * n[0]);
        apply(&other, part[h], n[h], scored + h * n[0]);
    }
    out->ece_cross = ece_of(scored, out->n);
    out->accuracy_cross = accuracy_of(scored, out->n);
    out->c = gm_calibration_fit(all, out->n);
    apply(&out->c, all, out->n, scored);
    out->ece = ece_of(scored, out->n);
    out->ece_before = ece_of(all, out->n);
    out->accuracy_before = accuracy_of(all, out->n);
    for (size_t i = 0; i < out->n; i++)
        out->n_right += all[i].right;
    gm_free(all);
    return GM_OK;
}

struct gm_json *gm_calibration_json(const struct gm_calibration_report *r)
{
    const struct {
        const char *key;
        double x;
    } values[] = {{"a", r->c.a},   {"b", r->c.b},
                  {"c", r->c.c},   {"ece_before", r->ece_before},
                  {"ece", r->ece}, {"ece_cross", r->ece_cross}};
    struct gm_json *j = gm_json_new_object();
    bool ok = j && gm_json_set(j, "entities", gm_json_new_int((long long)r->n));
    for (size_t i = 0; i < sizeof values / sizeof *values && ok; i++)
        ok = gm_json_set(j, values[i].key, gm_json_new_num(values[i].x));
    if (ok)
        return j;
    gm_json_free(j);
    return NULL;
}

enum gm_status gm_calibration_due(const char *dir, bool *due, struct gm_error *err)
{
    struct gm_json *settings;
    enum gm_status st = gm_model_settings_load(&settings, dir, err);
    *due = settings && !gm_json_get(settings, "calibration");
    gm_json_free(settings);
    return st;
}
