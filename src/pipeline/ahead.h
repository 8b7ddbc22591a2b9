/* ahead.h - stages opened on threads of their own while others work: the start of a run waits for the
 * longer of both and not for their sum. Internal to src/pipeline.
 *
 * It holds for backends that say so (opens_ahead of stages/stage.h). What can't be opened ahead is opened once
 * more when its turn comes, and says then why not. */
#ifndef GM_PIPELINE_AHEAD_H
#define GM_PIPELINE_AHEAD_H

#include "pipeline/pipeline_internal.h"

/* gm_ahead_start - at the first call open the stages at `place` and behind it that are not open, in their order, on one
 * thread less than the caller's budget, each with a budget of `lanes` threads (what it loads is to be used by
 * so many at once). By the thread of
 * the caller of the pipeline, before any of those stages is needed. A thread that can't be started is done
 * without. */
void gm_ahead_start(struct gm_pipeline *p, size_t place, size_t lanes);

/* gm_ahead_take - the stage's state, after waiting for it where it is being opened; NULL when it isn't opened ahead,
 * or its turn has not come: it is the caller's to open then. Once for a stage.
 * Threads: one at a time for a pipeline. */
void *gm_ahead_take(struct gm_pipeline *p, const struct gm_stage *s);

/* gm_ahead_end - wait for the threads, and close what nobody took. NULL-safe. */
void gm_ahead_end(struct gm_ahead *a);

#endif
