/* run_internal.h - the insides of a run folder that is being worked in: run.c opens, looks up and
 * ends it, run_put.c writes results and outputs. */
#ifndef GM_PIPELINE_RUN_INTERNAL_H
#define GM_PIPELINE_RUN_INTERNAL_H

#include "pipeline/run.h"
#include "pipeline/run_schema.h"

#include <pthread.h>

enum { GM_RUN_OUTPUTS_MAX = 100, GM_RUN_STAGES_MAX = 16 };

struct gm_run_put;

struct gm_run {
    pthread_mutex_t lock; /* of all but the next three */
    pthread_mutex_t put_lock;
    struct gm_run_put *puts; /* calls of gm_run_put that wait to be written */
    bool is_putting;         /* a thread writes those that waited before */
    struct gm_arena arena;
    int lock_fd;
    struct gm_store *store;
    struct gm_stmt *get, *last, *put, *output;
    long long session;
    long long reused[GM_RUN_STAGES_MAX]; /* since they were last written, by place in the recipe */
    long long config[GM_RUN_STAGES_MAX];
    size_t n_stages;
    struct gm_arena waiting_arena; /* outputs that are not stored yet */
    struct gm_run_output waiting[GM_RUN_OUTPUTS_MAX];
    size_t n_waiting;
};

/* gm_run_write_outputs - store what gm_run_output has kept. Under the lock. */
enum gm_status gm_run_write_outputs(struct gm_run *r, struct gm_error *err) GM_NODISCARD;

#endif
