#include "serve/aside.h"

#include "base/alloc.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "serve/clock.h"
#include "serve/problem.h"

#include <pthread.h>
#include <string.h>

enum { THREADS_MAX = 4, WAITING_MAX = 256 };

/* Who sends a request and closes that side at once looks like one who has gone. Where nobody is before it, it is
 * answered all the same. */
static const long long patience_ns = 100000000;

struct waiting {
    struct gm_call *call;
    long long since_ns;
};

struct gm_aside {
    void (*answer)(void *user, struct gm_call *call);
    void *user;
    double seconds;
    pthread_t threads[THREADS_MAX];
    size_t n_threads;
    pthread_mutex_t lock;
    pthread_cond_t news;
    /* Under the lock: those who wait, the first one first. */
    struct waiting waiting[WAITING_MAX];
    size_t n, n_working;
    bool ends;
};

static double seconds_since(long long ns) { return 1e-9 * (double)(gm_now_ns() - ns); }

/* Whether nothing is to be done for a call any more; it is then answered. */
static bool is_over(const struct gm_aside *a, const struct waiting *w)
{
    bool is_late = seconds_since(w->since_ns) >= a->seconds;
    bool changes_nothing =
        !gm_str_eq_c(w->call->method, "POST"); /* what is saved is wanted all the same */
    if (gm_stop_requested())
        gm_problem_answer(w->call, GM_PROBLEM_UNAVAILABLE,
                          "the server has stopped before it was done", NULL);
    else if (is_late)
        gm_problem_answer(w->call, GM_PROBLEM_TIMEOUT,
                          "others were before it for longer than the server allows", NULL);
    else if (changes_nothing && gm_now_ns() - w->since_ns > patience_ns &&
             gm_call_is_alone(w->call))
        gm_problem_answer(w->call, GM_PROBLEM_BUSY,
                          "the client has closed the connection while others were before it", NULL);
    else
        return false;
    return true;
}

/* Under the lock: what is over waits no more. */
static void drop_over(struct gm_aside *a)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->n; i++)
        if (is_over(a, &a->waiting[i]))
            gm_call_release(a->waiting[i].call);
        else
            a->waiting[kept++] = a->waiting[i];
    a->n = kept;
}

static void *run(void *aside)
{
    struct gm_aside *a = aside;
    pthread_mutex_lock(&a->lock);
    for (;;) {
        drop_over(a);
        if (!a->n && a->ends)
            break;
        if (!a->n) {
            pthread_cond_wait(&a->news, &a->lock);
            continue;
        }
        struct waiting w = a->waiting[0];
        memmove(a->waiting, a->waiting + 1, --a->n * sizeof *a->waiting);
        a->n_working++;
        pthread_mutex_unlock(&a->lock);
        double left = a->seconds - seconds_since(w.since_ns);
        gm_limit_begin(left > 0 ? left : 1e-9);
        a->answer(a->user, w.call);
        gm_limit_end();
        gm_call_release(w.call);
        pthread_mutex_lock(&a->lock);
        a->n_working--;
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

enum gm_status gm_aside_start(struct gm_aside **out, size_t threads, double seconds,
                              void (*answer)(void *user, struct gm_call *call), void *user,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_aside *a = gm_alloc(1, sizeof *a);
    *out = a;
    if (!a)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    a->answer = answer;
    a->user = user;
    a->seconds = seconds;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->news, NULL);
    for (; a->n_threads < threads && st == GM_OK; a->n_threads += st == GM_OK)
        st = gm_thread_start(&a->threads[a->n_threads], 1, run, a, err);
    if (st != GM_OK) {
        gm_aside_free(a);
        *out = NULL;
    }
    return st;
}

bool gm_aside_put(struct gm_aside *a, struct gm_call *call)
{
    pthread_mutex_lock(&a->lock);
    bool ok = !a->ends && a->n < WAITING_MAX;
    if (ok) {
        gm_call_hold(call);
        a->waiting[a->n++] = (struct waiting){call, gm_now_ns()};
        pthread_cond_signal(&a->news);
    }
    pthread_mutex_unlock(&a->lock);
    return ok;
}

void gm_aside_tick(struct gm_aside *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    drop_over(a);
    pthread_mutex_unlock(&a->lock);
}

size_t gm_aside_count(struct gm_aside *a)
{
    if (!a)
        return 0;
    pthread_mutex_lock(&a->lock);
    size_t n = a->n + a->n_working;
    pthread_mutex_unlock(&a->lock);
    return n;
}

void gm_aside_close(struct gm_aside *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->ends = true;
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->lock);
}

void gm_aside_stop(struct gm_aside *a)
{
    if (!a)
        return;
    gm_aside_close(a);
    for (; a->n_threads; a->n_threads--)
        pthread_join(a->threads[a->n_threads - 1], NULL);
}

void gm_aside_free(struct gm_aside *a)
{
    if (!a)
        return;
    gm_aside_stop(a);
    pthread_cond_destroy(&a->news);
    pthread_mutex_destroy(&a->lock);
    gm_free(a);
}
