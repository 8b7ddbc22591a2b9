/* binary.h - metrics of yes/no answers with a score: visual entailment.
 * Source of the AUC: Mann and Whitney 1947 (ties count one half), as scikit-learn's. */
#ifndef GM_EVAL_BINARY_H
#define GM_EVAL_BINARY_H

#include "base/status.h"
#include "eval/score.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_binary {
    size_t tp, fp, tn, fn;
};

/* gm_binary_count - answers at a threshold: score >= threshold means yes. [n] each. */
struct gm_binary gm_binary_count(const double *scores, const bool *labels, size_t n,
                                 double threshold);
double gm_binary_accuracy(struct gm_binary b); /* 0 for n = 0 */
/* gm_binary_score - of the yes answers: precision, recall and F1 through score.h. */
struct gm_score gm_binary_score(struct gm_binary b);

/* gm_auc - area under the ROC curve: the chance that a random yes scores above a random no, ties
 * one half; exact. NaN when one of the classes is absent or a score is NaN. Cost O(n log n).
 * Errors: NOMEM. */
enum gm_status gm_auc(const double *scores, const bool *labels, size_t n, double *auc,
                      struct gm_error *err) GM_NODISCARD;

#endif
