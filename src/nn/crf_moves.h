/* crf_moves.h - steps of a chain in which every move that is allowed weighs nothing (a token classifier's, whose
 * words are independent): what comes before a label is the same for all labels that the same labels may stand before,
 * so that a word costs the labels and not their square. Internal to src/nn; the struct is in crf.h. */
#ifndef GM_NN_CRF_MOVES_H
#define GM_NN_CRF_MOVES_H

#include "nn/crf.h"

/* How two scores of the same place are put together: the larger (best paths), or log(exp x + exp y). */
typedef double gm_join(double x, double y);
gm_join gm_join_larger, gm_join_sum;

/* gm_crf_moves_work - doubles of working memory that the functions below need. */
size_t gm_crf_moves_work(const struct gm_crf_moves *m, size_t k);

/* gm_crf_moves_before - out[j] = what `join` makes of in[i] over the labels i that may stand before j. _after -
 * over the labels that may stand behind j. in and out [k], out is another array; -INFINITY where there is none.
 * Cost O(k + ranges that are inside). */
void gm_crf_moves_before(const struct gm_crf_moves *m, size_t k, const double *in, gm_join *join,
                         double *work, double *out);
void gm_crf_moves_after(const struct gm_crf_moves *m, size_t k, const double *in, gm_join *join,
                        double *work, double *out);

/* gm_crf_moves_may - whether label j may stand behind i. */
bool gm_crf_moves_may(const struct gm_crf_moves *m, size_t i, size_t j);

#endif
