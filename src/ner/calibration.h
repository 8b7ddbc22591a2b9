/* calibration.h - from the CRF's probability of an entity to how often such entities are right.
 *
 *   score = 1 / (1 + exp(-(a log m - b log(1 - m) + c))),  a, b >= 0
 *
 * keeps the order of the marginals m. a = b = 1, c = 0 is no change, a = b = 1/T, c = 0 a
 * temperature. Source: Kull, Silva Filho, Flach, AISTATS 2017 (beta calibration).
 * For src/ner and src/train, which fits it. */
#ifndef GM_NER_CALIBRATION_H
#define GM_NER_CALIBRATION_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>

struct gm_calibration {
    bool fitted; /* false: the score is the marginal */
    double a, b, c;
};

double gm_calibrated(const struct gm_calibration *c, double marginal);

/* gm_calibration_features - x = log m, -log(1 - m), 1: what a, b and c weigh; m is held off 0 and 1
 * by 1e-6. */
enum { GM_CALIBRATION_WEIGHTS = 3 };
void gm_calibration_features(double marginal, double x[GM_CALIBRATION_WEIGHTS]);

/* gm_calibration_read - from "calibration" of a model's settings; not fitted where there is none.
 * Errors: MODEL naming `dir` (a, b or c is missing or out of range). */
enum gm_status gm_calibration_read(struct gm_calibration *out, const struct gm_json *settings,
                                   const char *dir, struct gm_error *err) GM_NODISCARD;

#endif
