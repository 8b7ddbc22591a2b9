#include "serve/aside.h"

#include "base/alloc.h"
#include "base/parallel.h"

#include <pthread.h>

enum { THREADS_MAX = 4, WAITING_MAX = 256 };

struct gm_aside {
    void (*answer)(void *user, struct gm_call *call);
    void *user;
    pthread_t threads[THREADS_MAX];
    size_t n_threads;
    pthread_mutex_t lock;
    pthread_cond_t news;
    /* Under the lock: a ring. */
    struct gm_call *waiting[WAITING_MAX];
    size_t first, n;
    bool ends;
};

static void *run(void *aside)
{
    struct gm_aside *a = aside;
    pthread_mutex_lock(&a->lock);
    while (a->n || !a->ends) {
        if (!a->n) {
            pthread_cond_wait(&a->news, &a->lock);
            continue;
        }
        struct gm_call *call = a->waiting[a->first];
        a->first = (a->first + 1) % WAITING_MAX;
        a->n--;
        pthread_mutex_unlock(&a->lock);
        a->answer(a->user, call);
        gm_call_release(call);
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

enum gm_status gm_aside_start(struct gm_aside **out, size_t threads,
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
        a->waiting[(a->first + a->n++) % WAITING_MAX] = call;
        pthread_cond_signal(&a->news);
    }
    pthread_mutex_unlock(&a->lock);
    return ok;
}

void gm_aside_stop(struct gm_aside *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->ends = true;
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->lock);
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
