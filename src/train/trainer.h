/* trainer.h - the training loop that all tasks share: shuffled batches, learning-rate schedule,
 * optimiser, progress, and keeping the best epoch. Private to src/train. */
#ifndef GM_TRAIN_TRAINER_H
#define GM_TRAIN_TRAINER_H

#include "nn/lanes.h"
#include "train/train.h"

/* What a task gives the loop. */
struct gm_trainable {
    void *self;
    struct gm_lanes *lanes;
    size_t n_examples;
    /* tokens of example i, for batches under --batch-tokens, their parts, and the rate shown */
    size_t (*cost)(void *self, size_t i);
    /* take n examples as the batch under way; `seed` drives what is random about its input */
    enum gm_status (*pack)(void *self, const size_t *items, size_t n, uint64_t seed,
                           struct gm_error *err);
    /* forward and backward of the batch's examples [from, to) in a graph that was begun; loss and
     * gradient are ADDED, sums over the examples times `share`. Runs on several threads at once */
    enum gm_status (*part)(void *self, struct gm_graph *g, size_t from, size_t to, double share,
                           double *loss, struct gm_error *err);
    /* score of the current weights on dev, higher is better; `text` (cap bytes) for the log line;
     * numbers for metrics.jsonl are added to `metrics`. NULL = no dev */
    enum gm_status (*evaluate)(void *self, double *score, char *text, size_t cap,
                               struct gm_json *metrics, struct gm_error *err);
    /* write the model directory; `training` is to be recorded */
    enum gm_status (*save)(void *self, const struct gm_json *training, struct gm_error *err);
};

/* gm_train_batch - add loss and gradient of n examples, sums times `share`; `seed` drives dropout and
 * what pack draws. Errors: NOMEM, the task's. */
enum gm_status gm_train_batch(const struct gm_trainable *t, const size_t *items, size_t n,
                              double share, uint64_t seed, double *loss,
                              struct gm_error *err) GM_NODISCARD;

/* gm_trainer_run - train for o->epochs, or until o->patience of them brought nothing better; the
 * weights (averaged ones with o->average) of the best epoch are saved each time one is found. Errors: as
 * gm_train_ner, and the task's. */
enum gm_status gm_trainer_run(const struct gm_trainable *t, const struct gm_train_opts *o,
                              struct gm_error *err) GM_NODISCARD;

#endif
