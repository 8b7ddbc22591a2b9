/* average_adapter.h - the mean of adapters. Private to src/model_tools. */
#ifndef GM_MODEL_TOOLS_AVERAGE_ADAPTER_H
#define GM_MODEL_TOOLS_AVERAGE_ADAPTER_H

#include "nn/safetensors.h"

/* gm_average_is_factor - whether a tensor of an adapter is one of the two factors A and B. */
bool gm_average_is_factor(const char *name);

/* gm_average_factor - those of n files side by side: A below each other, B beside each other, in a new block that
 * out->data points to. Errors: MODEL (not the same in shape and type, not finite), NOMEM. */
enum gm_status gm_average_factor(struct gm_safetensors *const *files, size_t n, const char *name,
                                 struct gm_tensor *out, struct gm_error *err) GM_NODISCARD;

/* gm_average_cut - the factors among the n_tensors tensors of the mean of n adapters (the first is in `dir`), each in a block
 * of its own, become those of the nearest adapter of this rank, below that of every layer; the mean's 1/n is in them then, and
 * those in F16 become F32. Errors: NOMEM, MODEL, IO, FORMAT. */
enum gm_status gm_average_cut(const char *dir, struct gm_tensor *tensors, const char *const *names,
                              size_t n_tensors, size_t n, size_t rank,
                              struct gm_error *err) GM_NODISCARD;

/* gm_average_adapter_config - adapter_config.json of the mean, of the sum of the ranks or (rank not 0) cut to `rank`,
 * into `out`. Errors: MODEL (the adapters are not of one rank, alpha and kind, or have no higher rank), IO, FORMAT, NOMEM. */
enum gm_status gm_average_adapter_config(const char *const *dirs, size_t n, size_t rank,
                                         const char *out, struct gm_error *err) GM_NODISCARD;

#endif
