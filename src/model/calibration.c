/* calibration.c - score = 1 / (1 + exp(-(a log m - b log(1 - m) + c))) for a marginal m; see
 * calibration.h. Naive reference: `formula` in tests/unit/test_train_calibration.c. */
#include "model/calibration.h"

#include <math.h>

void gm_calibration_features(double m, double x[GM_CALIBRATION_WEIGHTS])
{
    m = m < 1e-6 ? 1e-6 : m > 1 - 1e-6 ? 1 - 1e-6 : m;
    x[0] = log(m);
    x[1] = -log1p(-m);
    x[2] = 1;
}

double gm_calibrated(const struct gm_calibration *c, double marginal)
{
    double x[GM_CALIBRATION_WEIGHTS];
    if (!c->fitted)
        return marginal;
    gm_calibration_features(marginal, x);
    return 1 / (1 + exp(-(c->a * x[0] + c->b * x[1] + c->c * x[2])));
}

enum gm_status gm_calibration_read(struct gm_calibration *out, const struct gm_json *j,
                                   const char *dir, struct gm_error *err)
{
    *out = (struct gm_calibration){.fitted = j != NULL};
    if (j &&
        (!gm_json_num(gm_json_get(j, "a"), &out->a) || !gm_json_num(gm_json_get(j, "b"), &out->b) ||
         !gm_json_num(gm_json_get(j, "c"), &out->c) || out->a < 0 || out->b < 0))
        return GM_FAIL(err, GM_EMODEL,
                       "%s/gmner.json: \"calibration\" needs numbers \"a\" and "
                       "\"b\" of at least 0 and \"c\"; `gmner models calibrate` writes it",
                       dir);
    return GM_OK;
}
