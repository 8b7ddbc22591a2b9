/* run.h - the run folder: every stage result of every post, so that work that ended early goes on
 * where it was and a changed setting repeats no more than it must (docs/runs.md).
 *
 * DIR/lock keeps two processes apart, DIR/store.sqlite holds one row a post, stage, configuration
 * hash and input hash. A row is in the file when gm_run_put returns. Only good results are used
 * again; a failure is kept to be shown, and tried again.
 * Functions are safe from any thread. */
#ifndef GM_PIPELINE_RUN_H
#define GM_PIPELINE_RUN_H

#include "base/buf.h"
#include "base/sha256.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_run;

/* Every n-th post, from number i on, both from 1; n == 0 or 1 = all posts. */
struct gm_shard {
    size_t i, n;
};

/* gm_run_open - open or make the folder, lock it and begin a session. *out is yours.
 * Errors: AGAIN (another process works on it), ARG (it is another shard's), IO, FORMAT, NOMEM. */
enum gm_status gm_run_open(struct gm_run **out, const char *dir, const char *recipe,
                           struct gm_shard shard, struct gm_error *err) GM_NODISCARD;
/* gm_run_close - NULL-safe; a session that was not ended is shown as killed. */
void gm_run_close(struct gm_run *r);

/* gm_run_config - the number of a stage's configuration: `text` is its backend, settings and
 * fingerprint, one "name=value" a line. The session is noted to use it, for the stage at place `order` of the
 * pipeline. Errors: ARG (over 16 stages), IO, NOMEM; those of the functions below IO and NOMEM. */
enum gm_status gm_run_config(struct gm_run *r, size_t order, const char *stage, struct gm_str text,
                             long long *config, struct gm_error *err) GM_NODISCARD;

struct gm_run_key {
    struct gm_str post; /* its id */
    const char *stage;
    long long config;
    const char *input; /* SHA-256 of what the stage sees */
};

/* gm_run_get - append the stored state diff to `out`; *found is false when there is none, or only a
 * failure. */
enum gm_status gm_run_get(struct gm_run *r, const struct gm_run_key *key, struct gm_buf *out,
                          bool *found, struct gm_error *err) GM_NODISCARD;

struct gm_run_result {
    struct gm_run_key key;
    struct gm_str state; /* gm_state_diff */
    struct gm_str error; /* .p NULL = done; else why the post failed, and `state` is ignored */
};
/* gm_run_put - store n results in one transaction. */
enum gm_status gm_run_put(struct gm_run *r, const struct gm_run_result *results, size_t n,
                          struct gm_error *err) GM_NODISCARD;

/* The final record of a post, for `gmner runs merge`. */
struct gm_run_output {
    size_t pos; /* 1-based number in the input */
    struct gm_str post;
    struct gm_str record; /* one line of JSON; .p NULL: the input could not be read, see `error` */
    struct gm_str image;  /* absolute path, where the record's is relative; .p NULL = none */
    struct gm_str error;  /* .p NULL = none */
};
/* gm_run_output - keep one; stored a hundred at a time, or by gm_run_end. */
enum gm_status gm_run_output(struct gm_run *r, const struct gm_run_output *o,
                             struct gm_error *err) GM_NODISCARD;

/* gm_run_end - the session ends as `how` ("complete", "stopped", "failed"); n_input is the number
 * of posts of the whole input when complete. */
enum gm_status gm_run_end(struct gm_run *r, const char *how, size_t n_input,
                          struct gm_error *err) GM_NODISCARD;

/* gm_run_show - append a text for people: what the folder holds, which stages ran in the last
 * sessions and why. Holds the lock for no longer than it takes to see whether it is free. Errors: IO (no run folder), FORMAT. */
enum gm_status gm_run_show(const char *dir, struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

#endif
