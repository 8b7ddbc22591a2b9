#include "base/shared.h"

#include "base/alloc.h"
#include "base/host.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

struct entry {
    struct entry *next;
    const struct gm_shared_kind *kind;
    char *name;
    size_t name_n;
    bool is_ready; /* else a thread makes it */
    void *thing;
    size_t n_held; /* of counted ones */
};

struct gm_shared {
    pthread_mutex_t lock;
    pthread_cond_t made;
    struct entry *entries; /* the last one first */
};

/* What is counted where there is no registry. */
static struct gm_shared counted = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL};

enum gm_status gm_shared_new(struct gm_shared **out, struct gm_error *err)
{
    *out = gm_alloc(1, sizeof **out);
    if (!*out)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    pthread_mutex_init(&(*out)->lock, NULL);
    pthread_cond_init(&(*out)->made, NULL);
    return GM_OK;
}

static void entry_free(struct entry *e)
{
    if (e)
        gm_free(e->name);
    gm_free(e);
}

void gm_shared_free(struct gm_shared *s)
{
    if (!s)
        return;
    for (struct entry *e = s->entries, *next; e; e = next) {
        next = e->next;
        e->kind->free(e->thing);
        entry_free(e);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->made);
    gm_free(s);
}

static struct entry *find(struct gm_shared *s, const struct gm_shared_kind *kind,
                          struct gm_str name)
{
    struct entry *e = s->entries;
    while (e && (e->kind != kind || !gm_str_eq((struct gm_str){e->name, e->name_n}, name)))
        e = e->next;
    return e;
}

static struct entry *add(struct gm_shared *s, const struct gm_shared_kind *kind, struct gm_str name)
{
    struct entry *e = gm_alloc(1, sizeof *e);
    if (!e || !(e->name = gm_alloc(name.n + 1, 1))) {
        entry_free(e);
        return NULL;
    }
    memcpy(e->name, name.p, name.n);
    e->name_n = name.n;
    e->kind = kind;
    e->next = s->entries;
    s->entries = e;
    return e;
}

static void take_out(struct gm_shared *s, struct entry *e)
{
    struct entry **at = &s->entries;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
}

/* Under the lock, which is free while the thing is made. What it got for itself meanwhile is older than it. */
static enum gm_status make(struct gm_shared *s, struct entry *e, const void *how,
                           struct gm_error *err)
{
    void *thing = NULL;
    pthread_mutex_unlock(&s->lock);
    enum gm_status st = e->kind->make(&thing, how, err);
    pthread_mutex_lock(&s->lock);
    e->thing = thing;
    e->is_ready = st == GM_OK;
    take_out(s, e);
    if (st == GM_OK) {
        e->next = s->entries;
        s->entries = e;
    } else {
        entry_free(e);
    }
    pthread_cond_broadcast(&s->made);
    return st;
}

enum gm_status gm_shared_get(struct gm_held *out, const struct gm_shared_kind *kind,
                             struct gm_str name, const void *how, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_host *host = gm_host_get();
    struct gm_shared *s = host && host->shared ? host->shared : kind->is_counted ? &counted : NULL;
    struct entry *e;
    *out = (struct gm_held){NULL, NULL};
    if (!s) {
        st = kind->make(&out->thing, how, err);
        out->own = st == GM_OK ? kind : NULL;
        return st;
    }
    pthread_mutex_lock(&s->lock);
    while ((e = find(s, kind, name)) && !e->is_ready)
        pthread_cond_wait(&s->made, &s->lock);
    if (!e) {
        e = add(s, kind, name);
        GM_TRY(e ? make(s, e, how, err) : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    }
    out->thing = e->thing;
    e->n_held++;
    out->own = s == &counted ? kind : NULL;
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* Whether it was the last who held it. */
static bool let_go(void *thing)
{
    pthread_mutex_lock(&counted.lock);
    struct entry *e = counted.entries;
    while (e->thing != thing)
        e = e->next;
    bool is_last = --e->n_held == 0;
    if (is_last) {
        take_out(&counted, e);
        entry_free(e);
    }
    pthread_mutex_unlock(&counted.lock);
    return is_last;
}

void gm_shared_drop(struct gm_held *h)
{
    if (h->own && (!h->own->is_counted || let_go(h->thing)))
        h->own->free(h->thing);
    *h = (struct gm_held){NULL, NULL};
}
