/* arena.h - memory for one unit of work (a post, a parsed file, a training step): allocated
 * piecewise, released at one place. Nothing in an arena is freed alone or outlives it.
 * An arena belongs to one thread at a time. */
#ifndef GM_BASE_ARENA_H
#define GM_BASE_ARENA_H

#include "base/status.h"
#include "base/str.h"

#include <stddef.h>

struct gm_arena_block;
struct gm_arena_hook;

struct gm_arena {
    struct gm_arena_block *last; /* newest block */
    struct gm_arena_hook *hooks; /* called, newest first, when the arena is cleared or reset */
    size_t max_bytes;            /* the most it may hold */
    size_t total_bytes;          /* held now */
};

/* gm_arena_init - an empty arena that will never hold more than max_bytes (0 = no bound).
 * Allocates nothing; cleared with gm_arena_clear. */
void gm_arena_init(struct gm_arena *a, size_t max_bytes);

/* gm_arena_clear - free everything; the arena can be used again. */
void gm_arena_clear(struct gm_arena *a);

/* gm_arena_reset - forget everything but keep the largest block for the next unit of work. */
void gm_arena_reset(struct gm_arena *a);

/* gm_arena_alloc - n*size zeroed bytes aligned to 16; NULL when memory or the bound is out.
 * Amortised O(bytes). */
void *gm_arena_alloc(struct gm_arena *a, size_t n, size_t size);

/* gm_arena_str - copy of s in the arena, NUL-ended as well; .p is NULL when memory is out. */
struct gm_str gm_arena_str(struct gm_arena *a, struct gm_str s);

/* gm_arena_printf - formatted string in the arena, NUL-ended; .p is NULL when memory is out. */
struct gm_str gm_arena_printf(struct gm_arena *a, const char *fmt, ...) GM_PRINTF(2, 3);

/* gm_arena_on_clear - call fn(p) when the arena is cleared or reset: for what an arena object holds
 * outside of it (a mapping, a decoded picture). Errors: NOMEM; fn(p) is then called at once. */
enum gm_status gm_arena_on_clear(struct gm_arena *a, void (*fn)(void *p), void *p,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_arena_drop - call the hook (fn, p) of gm_arena_on_clear now and forget it; nothing when there
 * is none. */
void gm_arena_drop(struct gm_arena *a, void (*fn)(void *p), void *p);

/* GM_ARENA_GROW(a, ptr, n, cap, err) - make room for one more element of the arena array `ptr` that
 * holds n of cap: doubles by copying (the old array stays until the arena is released).
 * Evaluates to enum gm_status. */
#define GM_ARENA_GROW(a, ptr, n, cap, err) \
    gm_arena_grow((a), (void **)&(ptr), (n), &(cap), sizeof *(ptr), (err))
enum gm_status gm_arena_grow(struct gm_arena *a, void **ptr, size_t n, size_t *cap, size_t size,
                             struct gm_error *err) GM_NODISCARD;

#endif
