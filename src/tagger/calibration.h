/* calibration.h - from the CRF's probability of an entity to how often such entities are right.
 *
 *   score = 1 / (1 + exp(-(a log m - b log(1 - m) + c))),  a, b >= 0
 *
 * keeps the order of the marginals m. a = b = 1, c = 0 is no change, a = b = 1/T, c = 0 a
 * temperature. Source: Kull, Silva Filho, Flach, AISTATS 2017 (beta calibration).
 * Private to src/tagger. */
#ifndef GM_TAGGER_CALIBRATION_H
#define GM_TAGGER_CALIBRATION_H

#include "base/json.h"
#include "eval/reliability.h"

struct gm_calibration {
    bool fitted; /* false: the score is the marginal */
    double a, b, c;
};

double gm_calibrated(const struct gm_calibration *c, double marginal);

/* gm_calibration_fit - by maximum likelihood over n answers, `confidence` being the marginal, with
 * a normal prior of variance 1 around no change, which decides where the answers don't (few of
 * them, all right). Convex; Newton's method. Cost O(n). */
struct gm_calibration gm_calibration_fit(const struct gm_judged *j, size_t n);

/* gm_calibration_read - from "calibration" of a model's settings; not fitted where there is none.
 * Errors: MODEL naming `dir` (a, b or c is missing or out of range). */
enum gm_status gm_calibration_read(struct gm_calibration *out, const struct gm_json *settings,
                                   const char *dir, struct gm_error *err) GM_NODISCARD;

#endif
