/* score.c - precision = tp / predicted, recall = tp / gold, F1 = 2 P R / (P + R); 0 / 0 is 0.
 * Reference: seqeval and scikit-learn, tests/unit/test_eval_seqeval.c. */
#include "eval/score.h"

void gm_score_add(struct gm_score *to, struct gm_score add)
{
    to->tp += add.tp;
    to->n_pred += add.n_pred;
    to->n_gold += add.n_gold;
}

static double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

double gm_score_precision(struct gm_score s) { return ratio((double)s.tp, (double)s.n_pred); }

double gm_score_recall(struct gm_score s) { return ratio((double)s.tp, (double)s.n_gold); }

/* From precision and recall, as scikit-learn and seqeval round it. */
double gm_score_f1(struct gm_score s)
{
    double p = gm_score_precision(s), r = gm_score_recall(s);
    return ratio(2 * p * r, p + r);
}
