/* calibration.h - from a model's probability to how often what it says so surely is right: of an entity
 * from the CRF (src/ner), of an answer from the classifier (src/entail).
 *
 *   score = 1 / (1 + exp(-(a log m - b log(1 - m) + c))),  a, b >= 0
 *
 * keeps the order of the marginals m. a = b = 1, c = 0 is no change, a = b = 1/T, c = 0 a
 * temperature. Source: Kull, Silva Filho, Flach, AISTATS 2017 (beta calibration).
 * src/train fits it. */
#ifndef GM_MODEL_CALIBRATION_H
#define GM_MODEL_CALIBRATION_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>

struct gm_calibration {
    bool fitted; /* false: the score is the probability itself */
    double a, b, c;
};

double gm_calibrated(const struct gm_calibration *c, double marginal);

/* gm_calibration_features - x = log m, -log(1 - m), 1: what a, b and c weigh; m is held off 0 and 1
 * by 1e-6. */
enum { GM_CALIBRATION_WEIGHTS = 3 };
void gm_calibration_features(double marginal, double x[GM_CALIBRATION_WEIGHTS]);

/* gm_calibration_read - from "calibration" of a model's settings, or a member of it; `j` NULL, there is none:
 * not fitted. Errors: MODEL naming `dir` (a, b or c is missing or out of range). */
enum gm_status gm_calibration_read(struct gm_calibration *out, const struct gm_json *j,
                                   const char *dir, struct gm_error *err) GM_NODISCARD;

#endif
