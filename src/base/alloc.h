/* alloc.h - the one door to the heap: counts live blocks, and can fail the Nth allocation for the
 * torture tests. All functions are safe to call from any thread. */
#ifndef GM_BASE_ALLOC_H
#define GM_BASE_ALLOC_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* gm_mul_size - *out = a*b; false (and *out = SIZE_MAX) on overflow. */
bool gm_mul_size(size_t a, size_t b, size_t *out);

/* gm_alloc - n*size zeroed bytes, aligned to 16; NULL when memory is out or n*size overflows.
 * A size of 0 gives a valid unique pointer. The caller frees with gm_free. */
void *gm_alloc(size_t n, size_t size);

/* gm_realloc - grow or shrink a gm_alloc block (or NULL) to n*size bytes; new bytes are not zeroed.
 * NULL on failure, the old block then stays valid. */
void *gm_realloc(void *p, size_t n, size_t size);

/* GM_GROW(ptr, n, cap, err) - make room for one more element of the heap array `ptr` that holds n
 * of cap (NULL, 0 and 0 at first), by doubling; freed with gm_free. Evaluates to enum gm_status. */
#define GM_GROW(ptr, n, cap, err) \
    ((n) < (cap) ? GM_OK : gm_grow((void **)&(ptr), &(cap), sizeof *(ptr), (err)))
enum gm_status gm_grow(void **ptr, size_t *cap, size_t size, struct gm_error *err) GM_NODISCARD;

/* gm_alloc_aligned - n*size bytes aligned to 64 (cache line, widest vector), not zeroed, for
 * tensors. Freed with gm_free. */
void *gm_alloc_aligned(size_t n, size_t size);

/* gm_strdup - a copy of a C string; NULL when memory is out. */
char *gm_strdup(const char *s);

/* gm_free - release a block of the functions above; NULL is allowed. */
void gm_free(void *p);

/* gm_wipe - overwrite n bytes that held a secret, in a way that the compiler doesn't leave out; p NULL
 * with n 0 is allowed. */
void gm_wipe(void *p, size_t n);

/* gm_alloc_live - blocks allocated and not yet freed: tests assert that it returns to 0. */
size_t gm_alloc_live(void);

/* gm_alloc_fail_at - let the nth allocation from now (1 = the next) fail once; 0 switches off. */
void gm_alloc_fail_at(size_t nth);

#endif
