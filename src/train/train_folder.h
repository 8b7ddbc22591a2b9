/* train_folder.h - where a training run writes, so that neither a model nor another run is lost to it.
 *
 * A run works in MODEL itself, unless that holds a model already: then it works in MODEL/unfinished,
 * and its files take the old ones' place when it is done. Until then the old model is whole, with the
 * settings and the metrics of its own run. */
#ifndef GM_TRAIN_TRAIN_FOLDER_H
#define GM_TRAIN_TRAIN_FOLDER_H

#include "base/arena.h"
#include "base/status.h"

#include <stdbool.h>

/* gm_train_folder_pick - *dir: the folder that a run of `gmner train -o model` works in; in the arena.
 * Nothing is written yet, but the remains of a run that `overwrite` replaces are removed.
 * Errors: ARG (there is a model or a run, and neither `resume` nor `overwrite` says what to do with it;
 * `resume` where a model is that no run left), IO, NOMEM. */
enum gm_status gm_train_folder_pick(const char *model, bool resume, bool overwrite,
                                    struct gm_arena *a, const char **dir,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_train_folder_finish - move the files of a finished run from `dir` to `model` (model/folder.h); nothing to do where
 * they are the same. Cut short, `--resume` completes it. Errors: IO, NOMEM. */
enum gm_status gm_train_folder_finish(const char *dir, const char *model,
                                      struct gm_error *err) GM_NODISCARD;

#endif
