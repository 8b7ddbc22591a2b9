/* checkpoint.h - the whole state of a training run in one file, checkpoint.safetensors of the folder that
 * the run works in (train_folder.h), so that
 * a run that was killed goes on as if nothing had happened. Weights, Adam's moments and averaged
 * weights are its tensors (f32), the rest is JSON in its metadata. Random numbers come from the seed
 * and the step's number alone, so that they have no state. Private to src/train. */
#ifndef GM_TRAIN_CHECKPOINT_H
#define GM_TRAIN_CHECKPOINT_H

#include "base/buf.h"
#include "nn/ema.h"
#include "train/train.h"

/* Where a run stands. */
struct gm_train_state {
    const struct gm_json *run; /* gm_train_opts_identity; borrowed */
    size_t epoch;              /* the one that runs, from 1; 0 = before the first */
    size_t at;                 /* examples of it that are done */
    size_t step;               /* optimiser steps of the run */
    double loss;               /* sum of the epoch's losses so far */
    size_t best_epoch;         /* 0 = none yet */
    double best;               /* its dev score */
    struct gm_buf metrics;     /* lines of metrics.jsonl */
};

/* gm_checkpoint_write - of a run between two steps; whole or not at all. `average` may be zeroed.
 * Errors: IO, NOMEM. */
enum gm_status gm_checkpoint_write(const struct gm_train_opts *o, const struct gm_params *ps,
                                   const struct gm_ema *average, const struct gm_train_state *s,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_checkpoint_read - the reverse; *found is false, and nothing changed, where there is none.
 * Errors: IO, NOMEM, FORMAT, MODEL (not of this model), ARG (a setting or a file of the run is not what it
 * was, named); state and weights are then of no use. */
enum gm_status gm_checkpoint_read(const struct gm_train_opts *o, struct gm_params *ps,
                                  struct gm_ema *average, struct gm_train_state *s, bool *found,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_train_same_run - what shaped a run until now has to shape the rest: ARG, naming the first setting
 * or file that differs, unless both identities are the same. `path` is for the message. */
enum gm_status gm_train_same_run(const struct gm_json *was, const struct gm_json *now,
                                 const char *path, struct gm_error *err) GM_NODISCARD;

/* gm_checkpoint_remove - of a run that is finished, or is begun again; fine where there is
 * none. Errors: IO. */
enum gm_status gm_checkpoint_remove(const struct gm_train_opts *o,
                                    struct gm_error *err) GM_NODISCARD;

#endif
