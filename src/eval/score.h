/* score.h - counts of right, given and expected items, and the three ratios made of them. */
#ifndef GM_EVAL_SCORE_H
#define GM_EVAL_SCORE_H

#include <stddef.h>

struct gm_score {
    size_t tp, n_pred, n_gold;
};

/* gm_score_add - to += add, count by count. */
void gm_score_add(struct gm_score *to, struct gm_score add);

/* Fractions 0..1; 0 where nothing was predicted or expected (seqeval's zero_division=0). */
double gm_score_precision(struct gm_score s);
double gm_score_recall(struct gm_score s);
double gm_score_f1(struct gm_score s);

#endif
