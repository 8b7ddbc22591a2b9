#include "serve/worker.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "serve/clock.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* Milliseconds that a post waits for company, where those before it had some: clients that have just been
 * answered ask again together, but a client that is alone waits for nobody. */
enum { GATHER_MS = 5 };

/* A post that the pipeline has, known by its parsed JSON, which goes along with it. */
struct ticket {
    const struct gm_json *source;
    struct gm_job *job;
    size_t i;
};

struct gm_worker {
    const struct gm_pipeline_opts *opts;
    struct gm_metrics *metrics;
    size_t max_waiting;
    pthread_t thread;
    bool has_thread;
    int event;                    /* there is a post, or the end */
    struct gm_pipeline *pipeline; /* of the thread, as llm_opts */
    struct gm_llm_opts llm_opts;
    struct gm_post_source source;
    bool uses_llm;
    pthread_mutex_t lock;
    /* Under the lock: */
    struct gm_job *jobs;                  /* all */
    struct gm_job *waiting, *waiting_end; /* those with posts that the pipeline has not had */
    size_t n_waiting;                     /* posts of those */
    struct ticket *tickets;
    size_t n_tickets, cap_tickets;
    size_t n_batch; /* posts of a stage's last batches: the most, which fades */
    struct gm_llm_stats llm, llm_before; /* of all pipelines; of those before this one */
    bool is_closing;
};

/* ---- jobs, under the lock ---- */

static void put_waiting(struct gm_worker *w, struct gm_job *job)
{
    job->next_waiting = NULL;
    if (w->waiting)
        w->waiting_end->next_waiting = job;
    else
        w->waiting = job;
    w->waiting_end = job;
}

static struct gm_job *take_waiting(struct gm_worker *w)
{
    struct gm_job *job = w->waiting;
    w->waiting = job->next_waiting;
    return job;
}

static bool is_finished(const struct gm_job *job)
{
    return job->is_over && job->n_out == 0 && job->n_taken == job->n;
}

static void remove_finished(struct gm_worker *w)
{
    for (struct gm_job **at = &w->jobs; *at;) {
        struct gm_job *job = *at;
        if (!is_finished(job)) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        gm_job_free(job);
    }
}

/* Jobs that are over have no more posts to do. */
static void drop_waiting(struct gm_worker *w)
{
    struct gm_job *all = w->waiting;
    w->waiting = NULL;
    while (all) {
        struct gm_job *job = all;
        all = job->next_waiting;
        if (!job->is_over) {
            put_waiting(w, job);
            continue;
        }
        w->n_waiting -= job->n - job->n_taken;
        job->n_taken = job->n;
    }
}

static void fail_all(struct gm_worker *w, enum gm_problem p, const char *detail)
{
    for (struct gm_job *job = w->jobs; job; job = job->next)
        gm_job_fail(job, p, detail);
    drop_waiting(w);
}

static void wake(struct gm_worker *w)
{
    const uint64_t one = 1;
    ssize_t n = write(w->event, &one, sizeof one);
    (void)n; /* it is full only when there is news already */
}

bool gm_worker_submit(struct gm_worker *w, struct gm_job *job)
{
    pthread_mutex_lock(&w->lock);
    bool ok = !w->is_closing && job->n <= w->max_waiting - w->n_waiting;
    if (ok) {
        job->next = w->jobs;
        w->jobs = job;
        w->n_waiting += job->n;
        if (job->is_stream)
            gm_call_stream(job->call, 200, "application/jsonl");
        put_waiting(w, job);
        wake(w);
    }
    pthread_mutex_unlock(&w->lock);
    return ok;
}

void gm_worker_tick(struct gm_worker *w)
{
    long long now = gm_now_ns();
    pthread_mutex_lock(&w->lock);
    for (struct gm_job *job = w->jobs; job; job = job->next)
        if (!job->is_over && now >= job->end_ns)
            gm_job_fail(
                job, GM_PROBLEM_TIMEOUT,
                "the request took longer than the server allows; send fewer posts, or later");
    drop_waiting(w);
    remove_finished(w);
    pthread_mutex_unlock(&w->lock);
}

void gm_worker_stats(struct gm_worker *w, struct gm_worker_stats *out)
{
    pthread_mutex_lock(&w->lock);
    *out = (struct gm_worker_stats){w->n_waiting, w->n_tickets, w->llm};
    pthread_mutex_unlock(&w->lock);
}

/* ---- the pipeline's side ---- */

static struct ticket *find_ticket(struct gm_worker *w, const struct gm_json *source)
{
    for (size_t i = 0; i < w->n_tickets; i++)
        if (w->tickets[i].source == source)
            return &w->tickets[i];
    return NULL;
}

/* The next post of the job whose turn it is, which then goes to the end. */
static enum gm_status take_post(struct gm_worker *w, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(GM_GROW(w->tickets, w->n_tickets, w->cap_tickets, err));
    struct gm_job *job = take_waiting(w);
    struct gm_job_post *p = &job->posts[job->n_taken];
    w->tickets[w->n_tickets++] = (struct ticket){p->post.source, job, job->n_taken};
    *post = p->post;
    gm_post_init(&p->post);
    job->n_taken++;
    job->n_out++;
    w->n_waiting--;
    if (job->n_taken < job->n)
        put_waiting(w, job);
done:
    return st;
}

/* gm_post_source.next */
static enum gm_status next_post(void *user, struct gm_post *post, bool *has, gm_wait_fn *wait,
                                void *wait_user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_worker *w = user;
    uint64_t news;
    pthread_mutex_lock(&w->lock);
    while (!w->waiting && !w->is_closing) {
        w->source.idle_ms = w->n_batch > 1 ? GATHER_MS : 0;
        pthread_mutex_unlock(&w->lock);
        st = wait(wait_user, w->event, err);
        if (st != GM_OK)
            return st;
        ssize_t n = read(w->event, &news, sizeof news);
        (void)n;
        pthread_mutex_lock(&w->lock);
    }
    *has = w->waiting != NULL;
    if (*has)
        st = take_post(w, post, err);
    pthread_mutex_unlock(&w->lock);
    return st;
}

/* gm_stream_sink.post */
static enum gm_status on_post(void *user, struct gm_post *post, struct gm_error *err)
{
    struct gm_worker *w = user;
    (void)err;
    w->metrics->posts++;
    w->metrics->posts_failed += post->error.stage.n > 0;
    pthread_mutex_lock(&w->lock);
    struct ticket *t = find_ticket(w, post->source);
    struct gm_job *job = t->job;
    size_t i = t->i;
    *t = w->tickets[--w->n_tickets];
    job->n_out--;
    gm_job_put(job, i, post);
    if (is_finished(job))
        remove_finished(w);
    pthread_mutex_unlock(&w->lock);
    return GM_OK;
}

/* gm_stream_sink.timed, from any thread */
static void on_timed(void *user, const char *stage, struct gm_post *const *posts, size_t n,
                     double seconds)
{
    struct gm_worker *w = user;
    gm_metrics_stage(w->metrics, stage, n, seconds);
    pthread_mutex_lock(&w->lock);
    w->n_batch = n > w->n_batch / 2 ? n : w->n_batch / 2;
    for (size_t i = 0; i < n; i++) {
        const struct ticket *t = find_ticket(w, posts[i]->source);
        if (!t || !t->job->has_times)
            continue;
        struct gm_job_post *p = &t->job->posts[t->i];
        if (p->n_times < GM_JOB_STAGES)
            p->times[p->n_times++] = (struct gm_job_time){stage, n, seconds};
    }
    pthread_mutex_unlock(&w->lock);
}

static void add_stats(struct gm_llm_stats *to, const struct gm_llm_stats *s)
{
    to->submitted += s->submitted;
    to->cached += s->cached;
    to->failed += s->failed;
    to->sent += s->sent;
    to->retries += s->retries;
    to->prompt_tokens += s->prompt_tokens;
    to->completion_tokens += s->completion_tokens;
    to->cost += s->cost;
}

/* gm_stream_sink.tick */
static void on_tick(void *user, size_t n_done)
{
    struct gm_worker *w = user;
    struct gm_llm *llm = gm_pipeline_llm(w->pipeline);
    struct gm_llm_stats now;
    (void)n_done;
    if (!llm)
        return;
    gm_llm_stats(llm, &now);
    pthread_mutex_lock(&w->lock);
    w->llm = w->llm_before;
    add_stats(&w->llm, &now);
    pthread_mutex_unlock(&w->lock);
}

static bool should_stop(void *user)
{
    (void)user;
    return gm_stop_requested();
}

/* A new client of language models has what the ones before it have left of the budget. */
static enum gm_status open_pipeline(struct gm_worker *w, struct gm_error *err)
{
    struct gm_pipeline_opts opts = *w->opts;
    if (opts.llm && opts.llm->budget > 0) {
        w->llm_opts = *opts.llm;
        w->llm_opts.budget -= w->llm_before.cost;
        if (w->llm_opts.budget <= 0)
            return GM_FAIL(err, GM_ECANCEL, "the budget of --budget is spent");
        opts.llm = &w->llm_opts;
    }
    return gm_pipeline_open(&w->pipeline, &opts, err);
}

/* Posts through the pipeline until the worker is closed or the pipeline fails. */
static enum gm_status serve(struct gm_worker *w, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_stream_sink sink = {.user = w,
                                        .post = on_post,
                                        .tick = on_tick,
                                        .should_stop = should_stop,
                                        .timed = on_timed,
                                        .any_order = true};
    GM_TRY(open_pipeline(w, err));
    w->uses_llm = gm_pipeline_uses_llm(w->pipeline);
    GM_TRY(gm_pipeline_serve(w->pipeline, &w->source, &sink, err));
done:
    if (w->pipeline)
        on_tick(w, 0); /* what was asked and spent to the end */
    gm_pipeline_free(w->pipeline);
    w->pipeline = NULL;
    return st;
}

/* Whether it was a language model's server that failed: it is dead, refuses the key, or the money is spent. */
static bool is_backend(const struct gm_worker *w, enum gm_status st)
{
    return w->uses_llm && (st == GM_ENET || st == GM_ECANCEL || st == GM_EARG);
}

/* The pipeline is gone, and the posts that it had with it. */
static void after(struct gm_worker *w, enum gm_status st, const struct gm_error *e)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->n_tickets; i++)
        w->tickets[i].job->n_out--;
    w->n_tickets = 0;
    w->llm_before = w->llm;
    if (st == GM_ECANCEL && gm_stop_requested()) {
        fail_all(w, GM_PROBLEM_UNAVAILABLE, "the server has stopped before it was done");
    } else if (st != GM_OK) {
        GM_LOG(GM_LOG_ERROR, "serve", "recipe %s: %s", w->opts->recipe, e->msg);
        fail_all(w, is_backend(w, st) ? GM_PROBLEM_BACKEND : GM_PROBLEM_INTERNAL,
                 "the recipe does not work at the moment; the server's log says why");
    }
    remove_finished(w);
    pthread_mutex_unlock(&w->lock);
}

/* Until there is a job; false = the worker is closed. */
static bool wait_for_job(struct gm_worker *w)
{
    uint64_t news;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        bool has = w->waiting != NULL, ends = w->is_closing;
        pthread_mutex_unlock(&w->lock);
        if (has || ends)
            return has;
        ssize_t n = read(w->event, &news, sizeof news); /* blocks: it is no polled descriptor */
        (void)n;
    }
}

static void *run(void *arg)
{
    struct gm_worker *w = arg;
    while (wait_for_job(w)) {
        struct gm_error e = {0};
        enum gm_status st = serve(w, &e);
        after(w, st, &e);
    }
    return NULL;
}

/* ---- */

enum gm_status gm_worker_start(struct gm_worker **out, const struct gm_pipeline_opts *opts,
                               size_t max_waiting, struct gm_metrics *metrics, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_worker *w = gm_alloc(1, sizeof *w);
    if (!w)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    w->opts = opts;
    w->metrics = metrics;
    w->max_waiting = max_waiting;
    w->source = (struct gm_post_source){.user = w, .next = next_post};
    pthread_mutex_init(&w->lock, NULL);
    w->event = eventfd(0, EFD_CLOEXEC);
    if (w->event < 0) {
        st = GM_FAIL(err, GM_EIO, "cannot make an eventfd: too many open files");
        goto done;
    }
    GM_TRY(gm_thread_start(&w->thread, gm_threads(), run, w, err));
    w->has_thread = true;
    *out = w;
    w = NULL;
done:
    gm_worker_free(w);
    return st;
}

void gm_worker_close(struct gm_worker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->is_closing = true;
    wake(w);
    pthread_mutex_unlock(&w->lock);
}

void gm_worker_stop(struct gm_worker *w)
{
    if (!w || !w->has_thread)
        return;
    gm_worker_close(w);
    pthread_join(w->thread, NULL);
    w->has_thread = false;
    pthread_mutex_lock(&w->lock);
    fail_all(w, GM_PROBLEM_UNAVAILABLE, "the server has stopped before it was done");
    remove_finished(w);
    pthread_mutex_unlock(&w->lock);
}

void gm_worker_free(struct gm_worker *w)
{
    if (!w)
        return;
    gm_worker_stop(w);
    if (w->event >= 0)
        close(w->event);
    gm_free(w->tickets);
    pthread_mutex_destroy(&w->lock);
    gm_free(w);
}
