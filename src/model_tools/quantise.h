/* quantise.h - a model directory whose linear layers are int8. */
#ifndef GM_MODEL_TOOLS_QUANTISE_H
#define GM_MODEL_TOOLS_QUANTISE_H

#include "base/status.h"

/* gm_model_quantise - write to the directory `out`, which holds no other (model/folder.h), the model of the directory `dir` with each
 * matrix of its encoder's linear layers as int8 and the scales of its rows (nn/int8.h), which is
 * what int8 products round it to; everything else as it is stored. Errors: MODEL (nothing left to
 * round), IO, FORMAT, NOMEM. Memory: the new matrices. */
enum gm_status gm_model_quantise(const char *dir, const char *out,
                                 struct gm_error *err) GM_NODISCARD;

#endif
