/* folder.h - where a model is written, so that neither a model nor a run of training is lost to it, and nothing of an
 * old model is read with a new one. A new model is written to MODEL/unfinished, and its files take the old ones' place
 * when it is done; until then the old one is whole. */
#ifndef GM_MODEL_FOLDER_H
#define GM_MODEL_FOLDER_H

#include "base/arena.h"
#include "base/status.h"

#include <stdbool.h>

#define GM_MODEL_CHECKPOINT "checkpoint.safetensors" /* of a run that is not finished, */
#define GM_MODEL_RUN "config.yaml"                   /* and the settings of any run */

struct gm_model_folder {
    const char *aside; /* MODEL/unfinished */
    bool model; /* there is a model, ours or others', whole or an adapter; or a part of one */
    bool checkpoint, run;
    bool aside_run;  /* there is a run in the folder aside, */
    bool aside_used; /* or anything of a model */
};

/* gm_model_folder_look - what there is; `aside` lives in the arena. Errors: IO, NOMEM. */
enum gm_status gm_model_folder_look(struct gm_model_folder *f, const char *model,
                                    struct gm_arena *a, struct gm_error *err) GM_NODISCARD;

/* gm_model_folder_refuse - OK where there is neither a model nor a run; `hint` says what to do else. Errors: ARG. */
enum gm_status gm_model_folder_refuse(const struct gm_model_folder *f, const char *model,
                                      const char *hint, struct gm_error *err) GM_NODISCARD;

/* gm_model_folder_begin - make the folder aside, empty of any model; without `overwrite` it is refused as above, with
 * that option as what to do. Errors: ARG, IO, NOMEM. */
enum gm_status gm_model_folder_begin(const struct gm_model_folder *f, const char *model,
                                     bool overwrite, struct gm_error *err) GM_NODISCARD;

/* gm_model_folder_spare - that what is read in folder `read`, which is `what`, is not what -o MODEL would replace. Errors:
 * ARG. */
enum gm_status gm_model_folder_spare(const char *read, const char *what, const char *model,
                                     struct gm_error *err) GM_NODISCARD;

/* gm_model_folder_clear - remove a model's and a run's files, and the folder where nothing else is in it. Fine when
 * they aren't there. Errors: IO, NOMEM. */
enum gm_status gm_model_folder_clear(const char *dir, struct gm_error *err) GM_NODISCARD;

/* gm_model_folder_move - the files of the model in `from` take the place of those in `to`, of whatever kind they are, and
 * `from` goes. Cut short at any moment it leaves either the old model or a folder that is no model, never a mixture
 * that can be loaded; done again it is completed. Errors: IO, NOMEM. */
enum gm_status gm_model_folder_move(const char *from, const char *to,
                                    struct gm_error *err) GM_NODISCARD;

#endif
