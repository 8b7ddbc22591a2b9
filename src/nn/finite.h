/* finite.h - weights that are NaN or infinite: a file that a transfer or a diverged training damaged.
 * Used, they would make every score NaN and every answer silently empty. */
#ifndef GM_NN_FINITE_H
#define GM_NN_FINITE_H

#include "nn/params.h"

/* gm_tensor_not_finite - the first of elements [from, from+n) that is NaN or infinite; SIZE_MAX = none.
 * Integers are always finite. Cost: one read of the memory. */
size_t gm_tensor_not_finite(const struct gm_tensor *t, size_t from, size_t n);

/* gm_tensor_check_finite - the same for a whole tensor, as an error: MODEL, naming the file `path`,
 * the tensor `name`, and the element. */
enum gm_status gm_tensor_check_finite(const struct gm_tensor *t, const char *name, const char *path,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_params_check_finite - the same for all parameters that have values. Without `embeddings` their tables are left
 * out, which are large and of which a text needs few rows: gm_op_embed looks at those. */
enum gm_status gm_params_check_finite(const struct gm_params *ps, bool embeddings,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_param_check_row - the same for row i of an embedding. */
enum gm_status gm_param_check_row(const struct gm_param *p, size_t i,
                                  struct gm_error *err) GM_NODISCARD;

#endif
