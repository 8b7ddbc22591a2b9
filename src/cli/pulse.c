#include "cli/pulse.h"

#include "base/parallel.h"

#include <stdio.h>
#include <time.h>

enum { LOOK_MS = 250 }; /* as often as a bar is drawn anew */

static struct timespec soon(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += LOOK_MS * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/* With the stage in the label: what a tick shows comes from between the stages. */
static void show(struct gm_pulse *p)
{
    char label[64];
    const char *usual = p->progress.label, *stage = gm_pipeline_at(p->pipeline);
    if (!stage || !gm_progress_due(&p->progress))
        return;
    snprintf(label, sizeof label, "%s, in stage %s", usual, stage);
    p->progress.label = label;
    gm_progress_update(&p->progress, p->n_done, NULL, 0);
    p->progress.label = usual;
}

static void *watch(void *arg)
{
    struct gm_pulse *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->is_over) {
        const struct timespec at = soon();
        pthread_cond_timedwait(&p->end, &p->lock, &at);
        if (!p->is_over)
            show(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void gm_pulse_start(struct gm_pulse *p, const struct gm_pipeline *pipeline, size_t total)
{
    *p = (struct gm_pulse){.pipeline = pipeline, .is_on = true};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->end, NULL);
    gm_progress_init(&p->progress, "predict", total, "posts");
    p->has_thread = gm_thread_start(&p->thread, 1, watch, p, NULL) == GM_OK;
}

bool gm_pulse_is_due(struct gm_pulse *p)
{
    if (!p->is_on)
        return false;
    pthread_mutex_lock(&p->lock);
    bool due = gm_progress_due(&p->progress);
    pthread_mutex_unlock(&p->lock);
    return due;
}

void gm_pulse_tick(struct gm_pulse *p, size_t n_done, const struct gm_log_field *extra, size_t n)
{
    pthread_mutex_lock(&p->lock);
    p->n_done = n_done;
    gm_progress_update(&p->progress, n_done, extra, n);
    pthread_mutex_unlock(&p->lock);
}

void gm_pulse_end(struct gm_pulse *p)
{
    if (!p->is_on)
        return;
    pthread_mutex_lock(&p->lock);
    p->is_over = true;
    pthread_cond_signal(&p->end);
    pthread_mutex_unlock(&p->lock);
    if (p->has_thread)
        pthread_join(p->thread, NULL);
    gm_progress_end(&p->progress);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->end);
    p->is_on = false;
}
