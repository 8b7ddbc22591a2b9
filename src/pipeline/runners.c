/* The threads that take posts through the stages that ask a language model, a post each, so that
 * --in-flight requests are under way while the caller's thread works. */
#include "base/alloc.h"
#include "base/host.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "pipeline/stream_internal.h"

#include <math.h>
#include <time.h>

enum { ASK_MS = 100 }; /* how often somebody is asked whether to stop */

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum gm_status gm_stream_run_stage(struct gm_stream *s, struct gm_stage *stage,
                                   struct gm_post **posts, size_t n, struct gm_error *err)
{
    struct gm_error e = {0};
    double from = now_s();
    gm_limit_begin(s->p->post_seconds);
    enum gm_status st = stage->backend->run(stage->self, posts, n, &e);
    const struct gm_limit limit = gm_limit_get();
    gm_limit_end();
    if (s->sink->timed)
        s->sink->timed(s->sink->user, stage->backend->stage, posts, n, now_s() - from);
    if (st == GM_EAGAIN && gm_limit_is_over(&limit)) {
        st = GM_OK;
        if (n == 1)
            gm_post_fail(posts[0], stage->backend->stage, &e);
        for (size_t i = 0; n > 1 && i < n && st == GM_OK; i++)
            st = gm_stream_run_stage(s, stage, &posts[i], 1, err);
        return st;
    }
    if (st != GM_OK && err) {
        *err = e;
        gm_error_prefix(err, "stage %s", stage->backend->stage);
    }
    return st;
}

static enum gm_status ask(struct gm_stream *s, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stage *stage = &s->p->stages[item->place];
    struct gm_post *post = &item->post;
    GM_TRY(gm_stream_run_stage(s, stage, &post, 1, err));
    GM_TRY(gm_items_store(s->p, &item, 1, err));
    GM_TRY(gm_window_go_on(s, item, err));
done:
    return st;
}

static void *run_asks(void *arg)
{
    struct gm_stream *s = arg;
    const size_t none = s->p->n_stages;
    gm_stop_watch(&s->abandon);
    pthread_mutex_lock(&s->lock);
    while (!s->quit) {
        struct gm_error e = {0};
        size_t place = gm_window_pick(s, true, false);
        if (place == none) {
            pthread_cond_wait(&s->work, &s->lock);
            continue;
        }
        struct gm_item *item = gm_window_pop(s, place);
        s->n_running++;
        pthread_mutex_unlock(&s->lock);
        enum gm_status st = ask(s, item, &e);
        pthread_mutex_lock(&s->lock);
        s->n_running--;
        if (st != GM_OK && s->st == GM_OK) {
            s->st = st;
            s->err = e;
        }
        pthread_cond_signal(&s->news);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

enum gm_status gm_runners_start(struct gm_stream *s, struct gm_error *err)
{
    /* More than requests: while some read and store an answer, the others' requests wait in the
     * client, so that a slot of the server is never idle. */
    size_t n = s->p->llm_opts->in_flight + s->p->llm_opts->in_flight / 2 + 1;
    n = n < s->window ? n : s->window;
    s->runners = gm_alloc(n, sizeof *s->runners);
    if (!s->runners)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (enum gm_status st = GM_OK; s->n_runners < n; s->n_runners++)
        if ((st = gm_thread_start(&s->runners[s->n_runners], 1, run_asks, s, err)) != GM_OK) {
            gm_error_prefix(err, "%zu threads are too many; give a smaller %s", n,
                            gm_option("--in-flight"));
            return st;
        }
    return GM_OK;
}

/* A client that other sessions use goes on; who waits for it here gives up. */
static void hurry(struct gm_stream *s, bool patient)
{
    if (gm_pipeline_shares_llm(s->p))
        atomic_store(&s->abandon, !patient);
    else if (s->p->llm)
        gm_llm_drain(s->p->llm, patient ? INFINITY : GM_LLM_GRACE_S);
}

static bool is_in_haste(void) { return gm_stop_requested() || gm_stop_asked(); }

/* Until no runner has a post; the user may lose patience meanwhile. */
static void wait_for_all(struct gm_stream *s, bool patient)
{
    pthread_mutex_lock(&s->lock);
    while (s->n_running) {
        hurry(s, patient);
        while (s->n_running && !(patient && is_in_haste()))
            gm_window_wait(s, ASK_MS);
        patient = false;
    }
    pthread_mutex_unlock(&s->lock);
}

void gm_runners_stop(struct gm_stream *s, bool patient)
{
    pthread_mutex_lock(&s->lock);
    s->quit = true;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    wait_for_all(s, patient && !is_in_haste());
    for (size_t i = 0; i < s->n_runners; i++)
        pthread_join(s->runners[i], NULL);
    gm_free(s->runners);
}

enum gm_status gm_runners_failed(struct gm_stream *s, struct gm_error *err)
{
    pthread_mutex_lock(&s->lock);
    enum gm_status st = s->st;
    if (st != GM_OK && err)
        *err = s->err;
    pthread_mutex_unlock(&s->lock);
    return st;
}
