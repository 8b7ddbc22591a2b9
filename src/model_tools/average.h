/* average.h - one model from the weights of several. Source: Wortsman et al., Model soups, ICML 2022
 * ("uniform soup"). */
#ifndef GM_MODEL_TOOLS_AVERAGE_H
#define GM_MODEL_TOOLS_AVERAGE_H

#include "base/status.h"

#include <stddef.h>

/* gm_models_average - write to the directory `out`, which holds no other (model/folder.h), the model whose weights are the means of those
 * of n model directories. They are of one kind: the same task, scheme, types and tensors, from the
 * same encoder, all or none with knowledge (trained, say, with different seeds). What else the model
 * needs is copied from the first; of adapters the mean is one of n times the rank (average_adapter.h) or, `rank` not 0,
 * the nearest one of that rank; a calibration is dropped, as it is not that of the new weights.
 * Memory: the new weights as f32, and the largest tensor once more. n > 0.
 * Errors: MODEL (what differs, naming both; a rank, and no adapters of a higher one), IO, FORMAT, NOMEM. */
enum gm_status gm_models_average(const char *const *dirs, size_t n, size_t rank, const char *out,
                                 struct gm_error *err) GM_NODISCARD;

#endif
