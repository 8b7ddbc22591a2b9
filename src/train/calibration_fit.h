/* calibration_fit.h - fitting what turns marginal probabilities into scores (model/calibration.h).
 * Internal to src/train. */
#ifndef GM_TRAIN_CALIBRATION_FIT_H
#define GM_TRAIN_CALIBRATION_FIT_H

#include "eval/reliability.h"
#include "model/calibration.h"

/* gm_calibration_fit - by maximum likelihood over n answers, `confidence` being the marginal, with
 * a normal prior of variance 1 around no change, which decides where the answers don't (few of
 * them, all right). Convex; Newton's method. Cost O(n). */
struct gm_calibration gm_calibration_fit(const struct gm_judged *j, size_t n);

#endif
