/* worker.h - one recipe that is served: a thread that owns its pipeline, and the queue of posts before it.
 *
 * Posts of all requests go through the stages together, so that the models work on batches; of several
 * requests each has its turn, so that a long one doesn't keep a short one waiting. The pipeline is opened
 * when the first post needs it, and anew after it has failed. */
#ifndef GM_SERVE_WORKER_H
#define GM_SERVE_WORKER_H

#include "pipeline/pipeline.h"
#include "serve/job.h"
#include "serve/metrics.h"

struct gm_worker;

struct gm_worker_stats {
    size_t n_waiting, n_working; /* posts */
    struct gm_llm_stats llm;
};

/* gm_worker_start - *out is yours. opts and what it points to, and metrics, are borrowed. `max_waiting` posts may
 * wait. Errors: NOMEM, IO (no more threads). */
enum gm_status gm_worker_start(struct gm_worker **out, const struct gm_pipeline_opts *opts,
                               size_t max_waiting, struct gm_metrics *metrics,
                               struct gm_error *err) GM_NODISCARD;

/* gm_worker_submit - take over a job whose posts are set; false where the queue has no room for them, or the
 * worker is being closed: the job is then still the caller's. Any thread. */
bool gm_worker_submit(struct gm_worker *w, struct gm_job *job);

/* gm_worker_tick - answer the jobs whose time is over; some times a second. gm_worker_stats - any thread. */
void gm_worker_tick(struct gm_worker *w);
void gm_worker_stats(struct gm_worker *w, struct gm_worker_stats *out);

/* gm_worker_close - take nothing more; what is there is finished. gm_worker_stop - close it and wait for
 * that, where gm_stop_requested not for long; jobs that are left are answered with a problem. Other threads may
 * still ask for its numbers. gm_worker_free - after gm_worker_stop, when none does. All NULL-safe. */
void gm_worker_close(struct gm_worker *w);
void gm_worker_stop(struct gm_worker *w);
void gm_worker_free(struct gm_worker *w);

#endif
