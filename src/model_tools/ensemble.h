/* ensemble.h - one tagger of several (model/members.h). */
#ifndef GM_MODEL_TOOLS_ENSEMBLE_H
#define GM_MODEL_TOOLS_ENSEMBLE_H

#include "base/status.h"

#include <stddef.h>

/* gm_model_ensemble - write to the directory `out` (model/folder.h) the ensemble of n taggers, models' names or
 * folders, in their order, and open it once. weights [n], above 0: how much each counts; NULL = all alike. n from 2 to
 * GM_MEMBERS_MAX. Errors: MODEL (one that is no tagger of gmner's, an
 * ensemble, there twice, or of other types or another scheme than the first), IO, FORMAT, NOMEM. */
enum gm_status gm_model_ensemble(const char *const *models, const double *weights, size_t n,
                                 const char *out, struct gm_error *err) GM_NODISCARD;

#endif
