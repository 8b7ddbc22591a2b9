/* kernel_check.h - what the tests of the kernels share: the table under test (each activation type,
 * each vector length), blocks of activations with the doubles that they stand for, and guards behind
 * what is written. */
#ifndef GM_TESTS_KERNEL_CHECK_H
#define GM_TESTS_KERNEL_CHECK_H

#include "nn/kernels/kernels.h"

#include "nn_check.h"

enum { MAX_N = 1 << 15, GUARD = 64 };

/* The table under test. */
struct variant {
    const char *name, *isa;
    enum gm_dtype t;
    double eps; /* rounding of one stored activation, relative */
};

static const struct gm_kernels *kn;
static const struct variant *var;

static inline int choose(void **state)
{
    var = *state;
    setenv("ONEDNN_MAX_CPU_ISA", var->isa, 1);
    kn = gm_kernels(var->t);
    return 0;
}

/* Activations of type T with the doubles that they stand for. */
struct block {
    _Alignas(64) unsigned char x[(MAX_N + GUARD) * 4];
    double v[MAX_N];
};

static inline size_t width_of(void) { return gm_dtype_size(var->t); }

static inline double element(const struct block *b, size_t i)
{
    float f;
    uint16_t h;
    if (var->t == GM_BF16) {
        memcpy(&h, b->x + 2 * i, 2);
        return (double)gm_bf16_to_f32(h);
    }
    memcpy(&f, b->x + 4 * i, 4);
    return (double)f;
}

static inline void put(struct block *b, size_t i, double v)
{
    float f = (float)v;
    uint16_t h = gm_bf16_from_f32(f);
    memcpy(b->x + width_of() * i, var->t == GM_BF16 ? (void *)&h : (void *)&f, width_of());
}

static inline void fill(struct block *b, size_t n, struct gm_rng *r, double std)
{
    assert_true(n <= MAX_N);
    memset(b->x, 0xA5, sizeof b->x);
    for (size_t i = 0; i < n; i++) {
        put(b, i, std * gm_rng_normal(r));
        b->v[i] = element(b, i);
    }
}

static inline void check_guard(const struct block *b, size_t n)
{
    for (size_t i = n * width_of(); i < n * width_of() + GUARD; i++)
        if (b->x[i] != 0xA5)
            fail_msg("%s: byte %zu behind %zu elements was written", var->name, i - n * width_of(),
                     n);
}

static inline void check_block(const struct block *b, const double *want, size_t n, double atol,
                               double rtol, const char *what)
{
    for (size_t i = 0; i < n; i++)
        check_near(element(b, i), want[i], atol, rtol + var->eps, what, i);
    check_guard(b, n);
}
/* The mask that the kernels use, read off the dropout kernel. */
static inline void mask_of(size_t n, const struct gm_dropout *d, double *out)
{
    static struct block one, m;
    for (size_t i = 0; i < n; i++)
        put(&one, i, 1);
    kn->dropout(n, one.x, d, m.x, false);
    for (size_t i = 0; i < n; i++)
        out[i] = !d->threshold ? 1 : element(&m, i) != 0 ? (double)d->scale : 0;
}
static const struct variant variants[] = {
    {"f32, base", "AVX2", GM_F32, 0},
    {"bf16, base", "AVX2", GM_BF16, 0x1.02p-8},
    {"f32, best", "DEFAULT", GM_F32, 0},
    {"bf16, best", "DEFAULT", GM_BF16, 0x1.02p-8},
};
/* One test function, to be run once for each variant. */
struct kernel_test {
    const char *name;
    CMUnitTestFunction f;
};

/* kernel_tests - the n functions for every variant, at most KERNEL_TESTS in all; returns how many. */
enum { KERNEL_TESTS = 64 };
static inline size_t kernel_tests(const struct kernel_test *each, size_t n,
                                  struct CMUnitTest *tests)
{
    enum { V = sizeof variants / sizeof *variants };
    static char names[KERNEL_TESTS][64];
    assert_true(n * V <= KERNEL_TESTS);
    for (size_t i = 0; i < n * V; i++) {
        snprintf(names[i], sizeof names[i], "%s: %s", variants[i / n].name, each[i % n].name);
        tests[i] = (struct CMUnitTest){names[i], each[i % n].f, choose, NULL,
                                       (void *)(uintptr_t)&variants[i / n]};
    }
    return n * V;
}

#endif
