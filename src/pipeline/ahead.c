#include "pipeline/ahead.h"

#include "base/alloc.h"
#include "base/parallel.h"

enum progress { WAITS, OPENS, IS_OPEN, IS_TAKEN };

struct opening {
    const struct gm_stage *stage;
    enum progress progress;
    void *self; /* once it is open; NULL = that failed */
};

struct gm_ahead {
    struct opening openings[GM_AHEAD_MAX];
    size_t n;
    pthread_t threads[GM_AHEAD_MAX];
    size_t n_threads, lanes;
    pthread_mutex_t lock; /* of the openings */
    pthread_cond_t news;  /* one is open */
};

static struct opening *next_waiting(struct gm_ahead *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->openings[i].progress == WAITS)
            return &a->openings[i];
    return NULL;
}

/* Under the lock, which is free while the stage opens. */
static void open_one(struct gm_ahead *a, struct opening *o)
{
    const struct gm_stage *s = o->stage;
    void *self = NULL;
    o->progress = OPENS;
    pthread_mutex_unlock(&a->lock);
    if (s->backend->open(&self, s->backend, s->settings, NULL) != GM_OK)
        self = NULL;
    pthread_mutex_lock(&a->lock);
    o->self = self;
    o->progress = IS_OPEN;
    pthread_cond_broadcast(&a->news);
}

/* A thread: one stage after the other, in the order in which they are needed. */
static void *open_all(void *arg)
{
    struct gm_ahead *a = arg;
    pthread_mutex_lock(&a->lock);
    for (struct opening *o; (o = next_waiting(a));)
        open_one(a, o);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

void gm_ahead_start(struct gm_pipeline *p, size_t place, size_t lanes)
{
    size_t threads = gm_threads();
    if (p->ahead || threads < 2 || !(p->ahead = gm_alloc(1, sizeof *p->ahead)))
        return;
    struct gm_ahead *a = p->ahead;
    a->lanes = lanes;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->news, NULL);
    for (size_t i = place; i < p->n_stages && a->n < GM_AHEAD_MAX; i++) {
        const struct gm_backend *b = p->stages[i].backend;
        bool is_alone = lanes == 1 || !b->native; /* native ones open with all their threads */
        if (b->opens_ahead && is_alone && !p->stages[i].is_open)
            a->openings[a->n++].stage = &p->stages[i];
    }
    /* The caller has work, so one less than there are cores: more of them would only delay the stage that is
     * waited for first. */
    for (size_t i = 0; i < a->n && i + 1 < threads; i++)
        a->n_threads +=
            gm_thread_start(&a->threads[a->n_threads], lanes, open_all, a, NULL) == GM_OK;
}

/* Until it is open; who waits opens others meanwhile. Under the lock. */
static void wait_for(struct gm_ahead *a, const struct opening *o)
{
    size_t threads = gm_threads();
    while (o->progress == OPENS) {
        struct opening *other = next_waiting(a);
        gm_threads_set(other ? a->lanes : threads);
        if (other)
            open_one(a, other);
        else
            pthread_cond_wait(&a->news, &a->lock);
    }
    gm_threads_set(threads);
}

void *gm_ahead_take(struct gm_pipeline *p, const struct gm_stage *s)
{
    struct gm_ahead *a = p->ahead;
    void *self = NULL;
    for (size_t i = 0; a && i < a->n; i++) {
        struct opening *o = &a->openings[i];
        if (o->stage != s)
            continue;
        pthread_mutex_lock(&a->lock);
        wait_for(a, o);
        o->progress = IS_TAKEN;
        self = o->self;
        o->self = NULL;
        pthread_mutex_unlock(&a->lock);
    }
    return self;
}

void gm_ahead_end(struct gm_ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    for (struct opening *o; (o = next_waiting(a));)
        o->progress = IS_TAKEN;
    pthread_mutex_unlock(&a->lock);
    for (size_t i = 0; i < a->n_threads; i++)
        pthread_join(a->threads[i], NULL);
    for (size_t i = 0; i < a->n; i++)
        if (a->openings[i].self)
            a->openings[i].stage->backend->close(a->openings[i].self);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->news);
    gm_free(a);
}
