#include "base/parallel.h"

#include "base/alloc.h"
#include "base/host.h"
#include "base/log.h"

#include <omp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

enum { MOST_THREADS = 1024 };

void gm_threads_set(size_t n)
{
    n = n ? n : gm_threads(); /* which the environment may set to any number */
    omp_set_num_threads(n > MOST_THREADS ? MOST_THREADS : (int)n);
}

size_t gm_threads(void) { return (size_t)omp_get_max_threads(); }

size_t gm_cores(void) { return (size_t)omp_get_num_procs(); }

/* Threads that only wait, so that all of them are there at once. */
struct rehearsal {
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool is_over;
};

static void *wait_for_end(void *arg)
{
    struct rehearsal *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->is_over)
        pthread_cond_wait(&r->end, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* How many of n threads the system starts beside each other; *why is the errno of the one that it does not. */
static size_t startable(size_t n, int *why)
{
    struct rehearsal r = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    pthread_t threads[MOST_THREADS];
    size_t started = 0;
    *why = 0;
    while (started < n && (*why = pthread_create(&threads[started], NULL, wait_for_end, &r)) == 0)
        started++;
    pthread_mutex_lock(&r.lock);
    r.is_over = true;
    pthread_cond_broadcast(&r.end);
    pthread_mutex_unlock(&r.lock);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    return started;
}

void gm_threads_begin(void)
{
    int why;
    gm_threads_set(0);
    size_t n = gm_threads(), most = startable(n - 1, &why) + 1;
    if (most < n) {
        GM_LOG(GM_LOG_WARN, "threads", "%zu of %zu threads are used: cannot start more: %s", most,
               n, strerror(why));
        gm_threads_set(most);
    }
    size_t there = 0; /* OpenMP keeps the threads of its first region for all later ones */
#pragma omp parallel reduction(+ : there)
    there++;
}

/* What a new thread is to do; the thread frees it. */
struct start {
    void *(*fn)(void *);
    void *arg;
    size_t budget;
    const struct gm_host *host;
};

static void *begin_thread(void *arg)
{
    struct start start = *(struct start *)arg;
    gm_free(arg);
    gm_threads_set(start.budget);
    gm_host_set(start.host);
    return start.fn(start.arg);
}

/* All but what a thread's own fault raises: blocked, that would end the process without a word. */
static void set_of_signals(sigset_t *set)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigfillset(set);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(set, own[i]);
}

enum gm_status gm_thread_start(pthread_t *out, size_t budget, void *(*fn)(void *), void *arg,
                               struct gm_error *err)
{
    sigset_t blocked, old;
    struct start *start = gm_alloc(1, sizeof *start);
    if (!start)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *start = (struct start){fn, arg, budget, gm_host_get()};
    set_of_signals(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &old); /* the new thread has it from its first moment */
    int rc = pthread_create(out, NULL, begin_thread, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        return GM_OK;
    gm_free(start);
    return GM_FAIL(err, GM_EIO, "cannot start a thread (out of memory, or of threads): %s",
                   strerror(rc));
}

void gm_parallel_for(size_t n, void (*fn)(void *ctx, size_t i), void *ctx)
{
    const struct gm_host *host = gm_host_get();
#pragma omp parallel if (n > 1)
    {
        gm_host_set(host);
#pragma omp for schedule(static)
        for (size_t i = 0; i < n; i++)
            fn(ctx, i);
    }
}

/* One after the other. In a host's process OpenMP's threads spin where they wait for each other, for as long as its
 * own default says, and on a busy machine keep the core from the very thread that they wait for: work that is one
 * item is done by one thread there (measured: 15 times faster than by 2). */
static void run_here(size_t n, void (*fn)(void *ctx, size_t lane, size_t i), void *ctx)
{
    size_t budget = gm_threads();
    if (gm_host_get())
        gm_threads_set(1);
    for (size_t i = 0; i < n; i++)
        fn(ctx, 0, i);
    gm_threads_set(budget);
}

void gm_parallel_tasks(size_t n, size_t lanes, void (*fn)(void *ctx, size_t lane, size_t i),
                       void *ctx)
{
    if (lanes > gm_threads())
        lanes = gm_threads();
    if (n < 2 || lanes < 2) {
        run_here(n, fn, ctx);
        return;
    }
    const struct gm_host *host = gm_host_get();
#pragma omp parallel num_threads((int)lanes)
    {
        gm_host_set(host);
        omp_set_num_threads(1); /* of what fn calls: the setting ends with this region */
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < n; i++)
            fn(ctx, (size_t)omp_get_thread_num(), i);
    }
}
