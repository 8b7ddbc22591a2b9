/* low_rank.h - the nearest matrix of a lower rank to a product of two thin factors. Private to src/model_tools. */
#ifndef GM_MODEL_TOOLS_LOW_RANK_H
#define GM_MODEL_TOOLS_LOW_RANK_H

#include "base/status.h"

#include <stddef.h>

/* gm_low_rank_cut - in place of B [rows,rank] and A [rank,cols], row after row, factors of rank `to` < rank whose
 * product is the nearest to B A in the Frobenius norm: B [rows,to] at the front of b, A [to,cols] at that of a. Both
 * factors get the square roots of the singular values. Errors: NOMEM. Threads: any.
 * Source: Eckart and Young, Psychometrika 1936. */
enum gm_status gm_low_rank_cut(float *b, size_t rows, float *a, size_t cols, size_t rank, size_t to,
                               struct gm_error *err) GM_NODISCARD;

#endif
