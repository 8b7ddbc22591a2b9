/* api_internal.h - what the files behind include/gmner/gmner.h share. Each has a part of that header:
 * api_error.c 1 and 2, api_model.c 3 and 7, api_post.c 4, api_session.c 5, 8 and 9, api_result.c and api_html.c 6. */
#ifndef GM_API_API_INTERNAL_H
#define GM_API_API_INTERNAL_H

#include "base/host.h"
#include "gmner/gmner.h"
#include "pipeline/pipeline.h"

#include <stdatomic.h>

struct gmner_model {
    atomic_size_t n_users; /* who opened it, and its sessions */
    struct gm_arena arena; /* the options' texts */
    struct gm_host host;
    struct gm_llm_opts llm;
    struct gm_pipeline_opts pipeline; /* of a session, without a run folder */
    const char *run;
    char *key; /* of the language model; wiped */
    size_t threads;
    gmner_log_fn *log;
    void *log_user;
    _Atomic(struct gm_llm *) client; /* lives as long as the registry; NULL = nobody asked yet */
};

/* ---- api_error.c ---- */

/* gm_api_done - the caller's error and number of what our own functions said: the one place where a
 * gm_status becomes a gmner_status. `error` may be NULL. gm_api_fail - the same for what is wrong with a call
 * itself. */
int gm_api_done(enum gm_status st, const struct gm_error *e, struct gmner_error *error);
int gm_api_fail(struct gmner_error *error, enum gmner_status status, const char *fmt, ...)
    GM_PRINTF(3, 4);

/* gm_api_copy - a structure of the caller, whose first member is its size, into ours [size], which may have more
 * members or fewer: those that it lacks are zero. `what` names it. Errors: ARG (no size, or members that are set and
 * not known here). */
enum gm_status gm_api_copy(void *ours, size_t size, const void *theirs, const char *what,
                           struct gm_error *err) GM_NODISCARD;

/* ---- api_model.c ---- */

/* The calling thread as it was before a call came in. */
struct gm_api_call {
    const struct gm_host *host;
    const atomic_bool *flag;
    size_t threads;
};

/* gm_api_enter - from here on the thread works for the model, with a budget of `threads` (0 = its own), until
 * gm_api_leave. `cancelled` ends it once it is set; NULL = nothing does. */
void gm_api_enter(struct gm_api_call *c, const struct gmner_model *m, size_t threads,
                  const atomic_bool *cancelled);
void gm_api_leave(const struct gm_api_call *c);

/* gm_api_model_drop - one user fewer. */
void gm_api_model_drop(struct gmner_model *m);

/* ---- api_post.c ---- */

/* gm_api_post - a post of ours out of the caller's, which is number `number` from 1. What can't be read
 * becomes a post with an error. Errors: NOMEM; *out is then empty. */
enum gm_status gm_api_post(struct gm_post *out, const struct gmner_post *in, size_t number,
                           struct gm_error *err) GM_NODISCARD;
/* gm_api_post_end - behind the stages: the picture's bytes go, its name comes back. */
void gm_api_post_end(struct gm_post *post);

/* ---- api_result.c ---- */

/* gm_api_result_new - for n posts at most. gm_api_result_add - take the post over, which is empty then.
 * Errors: NOMEM. */
enum gm_status gm_api_result_new(struct gmner_result **out, size_t n,
                                 struct gm_error *err) GM_NODISCARD;
enum gm_status gm_api_result_add(struct gmner_result *r, struct gm_post *post,
                                 struct gm_error *err) GM_NODISCARD;

#endif
