#include "pipeline/ahead.h"

#include "base/alloc.h"
#include "base/parallel.h"

struct opening {
    const struct gm_stage *stage;
    pthread_t thread;
    bool is_open; /* the thread has ended */
    void *self;   /* then; NULL = could not be opened, or was taken */
};

struct gm_ahead {
    struct opening openings[GM_AHEAD_MAX];
    size_t n;
};

static void *open_one(void *arg)
{
    struct opening *o = arg;
    const struct gm_stage *s = o->stage;
    if (s->backend->open(&o->self, s->backend, s->settings, NULL) != GM_OK)
        o->self = NULL;
    return NULL;
}

void gm_ahead_start(struct gm_pipeline *p, size_t place, size_t lanes)
{
    if (p->ahead || gm_threads() < 2 || !(p->ahead = gm_alloc(1, sizeof *p->ahead)))
        return;
    struct gm_ahead *a = p->ahead;
    for (size_t i = place; i < p->n_stages && a->n < GM_AHEAD_MAX; i++) {
        struct opening *o = &a->openings[a->n];
        if (!p->stages[i].backend->opens_ahead || p->stages[i].is_open)
            continue;
        o->stage = &p->stages[i];
        a->n += gm_thread_start(&o->thread, lanes, open_one, o, NULL) == GM_OK;
    }
}

static void *wait_for(struct opening *o)
{
    void *self;
    if (!o->is_open)
        pthread_join(o->thread, NULL);
    o->is_open = true;
    self = o->self;
    o->self = NULL;
    return self;
}

void *gm_ahead_take(struct gm_pipeline *p, const struct gm_stage *s)
{
    for (size_t i = 0; p->ahead && i < p->ahead->n; i++)
        if (p->ahead->openings[i].stage == s)
            return wait_for(&p->ahead->openings[i]);
    return NULL;
}

void gm_ahead_end(struct gm_ahead *a)
{
    for (size_t i = 0; a && i < a->n; i++) {
        void *self = wait_for(&a->openings[i]);
        if (self)
            a->openings[i].stage->backend->close(self);
    }
    gm_free(a);
}
