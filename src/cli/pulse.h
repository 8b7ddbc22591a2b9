/* pulse.h - the progress of gmner predict, with a sign of life while one stage is long at the same posts: a post of
 * many words, or a batch of large pictures. Where nothing has been shown for as long as progress is due, a
 * thread of its own shows what is done and the stage that works. */
#ifndef GM_CLI_PULSE_H
#define GM_CLI_PULSE_H

#include "base/progress.h"
#include "pipeline/pipeline.h"

#include <pthread.h>

struct gm_pulse {
    struct gm_progress progress; /* under the lock, as is_over */
    const struct gm_pipeline *pipeline;
    size_t n_done;
    pthread_mutex_t lock;
    pthread_cond_t end;
    pthread_t thread;
    bool is_on, has_thread, is_over;
};

/* gm_pulse_start - begin. `total` posts, 0 = unknown; the pipeline must outlive the pulse. Without a thread, which
 * the system may refuse, there is only what gm_pulse_tick shows. */
void gm_pulse_start(struct gm_pulse *p, const struct gm_pipeline *pipeline, size_t total);
/* gm_pulse_is_due, gm_pulse_tick - as gm_progress_due and gm_progress_update, from the thread that started it. */
bool gm_pulse_is_due(struct gm_pulse *p);
void gm_pulse_tick(struct gm_pulse *p, size_t n_done, const struct gm_log_field *extra, size_t n);
/* gm_pulse_end - remove the bar. Nothing where it was not started; may be called twice. */
void gm_pulse_end(struct gm_pulse *p);

#endif
