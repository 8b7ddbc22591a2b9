#define _DEFAULT_SOURCE /* madvise, explicit_bzero */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_size_t live_blocks;
static atomic_size_t fail_countdown;

bool gm_mul_size(size_t a, size_t b, size_t *out)
{
    if (__builtin_mul_overflow(a, b, out)) {
        *out = SIZE_MAX;
        return false;
    }
    return true;
}

static bool must_fail(void)
{
    size_t n = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    return n != 0 && atomic_fetch_sub(&fail_countdown, 1) == 1;
}

static void *counted(void *p)
{
    if (p)
        atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return p;
}

void *gm_alloc(size_t n, size_t size)
{
    size_t bytes;
    if (!gm_mul_size(n, size, &bytes) || must_fail())
        return NULL;
    return counted(calloc(1, bytes ? bytes : 1));
}

void *gm_realloc(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (!gm_mul_size(n, size, &bytes) || must_fail())
        return NULL;
    void *q = realloc(p, bytes ? bytes : 1);
    return p ? q : counted(q);
}

enum gm_status gm_grow(void **ptr, size_t *cap, size_t size, struct gm_error *err)
{
    size_t want = *cap ? *cap * 2 : 16;
    void *p = gm_realloc(*ptr, want, size);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu items", want);
    *ptr = p;
    *cap = want;
    return GM_OK;
}

void *gm_alloc_aligned(size_t n, size_t size)
{
    size_t bytes, huge = (size_t)2 << 20;
    if (!gm_mul_size(n, size, &bytes) || bytes > SIZE_MAX - huge || must_fail())
        return NULL;
    bytes = bytes ? (bytes + 63) & ~(size_t)63 : 64;
    void *p;
    if (posix_memalign(&p, bytes < huge ? 64 : huge, bytes) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= huge) /* weights and activations are streamed: fewer page faults and misses */
        (void)madvise(p, bytes, MADV_HUGEPAGE);
#endif
    return counted(p);
}

char *gm_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *d = gm_alloc(n, 1);
    return d ? memcpy(d, s, n) : NULL;
}

void gm_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    free(p);
}

size_t gm_alloc_live(void) { return atomic_load(&live_blocks); }

void gm_alloc_fail_at(size_t nth) { atomic_store(&fail_countdown, nth); }

void gm_wipe(void *p, size_t n)
{
    if (n > 0)
        explicit_bzero(p, n);
}
