#include "base/arena.h"

#include "base/alloc.h"
#include "base/clocale.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MIN_BLOCK = 4096, ALIGN = 16 };

struct gm_arena_block {
    struct gm_arena_block *prev;
    size_t used, cap;
    _Alignas(ALIGN) unsigned char data[];
};

struct gm_arena_hook {
    struct gm_arena_hook *next;
    void (*fn)(void *p);
    void *p;
};

static void run_hooks(struct gm_arena *a)
{
    for (struct gm_arena_hook *h = a->hooks; h; h = h->next)
        h->fn(h->p);
    a->hooks = NULL;
}

void gm_arena_init(struct gm_arena *a, size_t max_bytes)
{
    *a = (struct gm_arena){.max_bytes = max_bytes ? max_bytes : SIZE_MAX};
}

void gm_arena_clear(struct gm_arena *a)
{
    run_hooks(a);
    while (a->last) {
        struct gm_arena_block *prev = a->last->prev;
        gm_free(a->last);
        a->last = prev;
    }
    a->total_bytes = 0;
}

void gm_arena_reset(struct gm_arena *a)
{
    struct gm_arena_block *keep = NULL;
    run_hooks(a);
    while (a->last) {
        struct gm_arena_block *b = a->last;
        a->last = b->prev;
        if (!keep || b->cap > keep->cap) {
            gm_free(keep);
            keep = b;
        } else {
            gm_free(b);
        }
    }
    if (keep) {
        keep->prev = NULL;
        keep->used = 0;
    }
    a->last = keep;
    a->total_bytes = keep ? keep->cap : 0;
}

static struct gm_arena_block *add_block(struct gm_arena *a, size_t bytes)
{
    size_t cap = a->last ? a->last->cap * 2 : MIN_BLOCK;
    if (cap > (size_t)64 << 20)
        cap = (size_t)64 << 20;
    if (cap < bytes)
        cap = bytes;
    if (cap > a->max_bytes - a->total_bytes)
        cap = bytes; /* near the bound: only what is asked for */
    if (cap > a->max_bytes - a->total_bytes || cap > SIZE_MAX - sizeof(struct gm_arena_block))
        return NULL;
    struct gm_arena_block *b = gm_realloc(NULL, 1, sizeof *b + cap);
    if (!b)
        return NULL;
    *b = (struct gm_arena_block){.prev = a->last, .cap = cap};
    a->last = b;
    a->total_bytes += cap;
    return b;
}

void *gm_arena_alloc(struct gm_arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (!gm_mul_size(n, size, &bytes) || bytes > SIZE_MAX - ALIGN)
        return NULL;
    bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct gm_arena_block *b = a->last;
    if (!b || b->cap - b->used < bytes) {
        b = add_block(a, bytes);
        if (!b)
            return NULL;
    }
    void *p = b->data + b->used;
    b->used += bytes;
    return memset(p, 0, bytes);
}

enum gm_status gm_arena_on_clear(struct gm_arena *a, void (*fn)(void *p), void *p,
                                 struct gm_error *err)
{
    struct gm_arena_hook *h = gm_arena_alloc(a, 1, sizeof *h);
    if (!h) {
        fn(p);
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    *h = (struct gm_arena_hook){a->hooks, fn, p};
    a->hooks = h;
    return GM_OK;
}

void gm_arena_drop(struct gm_arena *a, void (*fn)(void *p), void *p)
{
    for (struct gm_arena_hook **h = &a->hooks; *h; h = &(*h)->next) {
        if ((*h)->fn != fn || (*h)->p != p)
            continue;
        *h = (*h)->next; /* its memory stays with the arena */
        fn(p);
        return;
    }
}

struct gm_str gm_arena_str(struct gm_arena *a, struct gm_str s)
{
    char *p = s.n < SIZE_MAX ? gm_arena_alloc(a, s.n + 1, 1) : NULL;
    if (!p)
        return (struct gm_str){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct gm_str){p, s.n};
}

struct gm_str gm_arena_printf(struct gm_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    locale_t before = gm_c_locale();
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : gm_arena_alloc(a, (size_t)n + 1, 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    gm_c_locale_end(before);
    return p ? (struct gm_str){p, (size_t)n} : (struct gm_str){NULL, 0};
}

enum gm_status gm_arena_grow(struct gm_arena *a, void **ptr, size_t n, size_t *cap, size_t size,
                             struct gm_error *err)
{
    if (n < *cap)
        return GM_OK;
    size_t want = *cap ? *cap * 2 : 8;
    void *p = gm_arena_alloc(a, want, size);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu items", want);
    if (n)
        memcpy(p, *ptr, n * size);
    *ptr = p;
    *cap = want;
    return GM_OK;
}
