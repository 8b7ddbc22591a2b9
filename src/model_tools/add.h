/* add.h - a model of the user's own under a name, as those that come with the program have one. */
#ifndef GM_MODEL_TOOLS_ADD_H
#define GM_MODEL_TOOLS_ADD_H

#include "base/status.h"

/* gm_model_add - copy a folder (and folders in it, but no pickles and no hidden files) or one file into the
 * folder for models (gm_models_own_dir) as NAME, and write its manifest, which comes last: a killed run leaves
 * nothing that counts. Errors: ARG (a name that cannot be one, or is taken), IO, FORMAT, NOMEM. */
enum gm_status gm_model_add(const char *from, const char *name, struct gm_error *err) GM_NODISCARD;

#endif
