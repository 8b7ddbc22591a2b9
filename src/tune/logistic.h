/* logistic.h - logistic regression with an L2 penalty, as scikit-learn's LogisticRegression(C=c)
 * computes it: the minimum over w and b of
 *
 *   L(w, b) = |w|^2 / 2 + c sum over i of log(1 + exp(-y_i (w . x_i + b))),  y_i = 1 or -1
 *
 * The bias b is not penalised. */
#ifndef GM_TUNE_LOGISTIC_H
#define GM_TUNE_LOGISTIC_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { GM_LOGISTIC_MAX = 16 }; /* the most numbers of an example */

struct gm_logistic {
    double bias, w[GM_LOGISTIC_MAX];
};

/* gm_logistic_fit - n examples of d numbers, x [n, d], y [n]. Needs an example of each answer (else there
 * is no minimum: ARG). The minimum is one, as L is convex, and is found to a
 * gradient of 1e-10 (1 + c n), or as near as doubles tell. Cost O(n d^2) a step, some ten steps, 100 at most.
 * Errors: ARG (also: numbers that are not finite, d over GM_LOGISTIC_MAX). Pure. */
enum gm_status gm_logistic_fit(struct gm_logistic *out, const double *x, const bool *y, size_t n,
                               size_t d, double c, struct gm_error *err) GM_NODISCARD;

/* gm_logistic_logit - bias + w . x. */
double gm_logistic_logit(const struct gm_logistic *l, const double *x, size_t d);

#endif
