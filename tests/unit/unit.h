/* unit.h - what every unit test begins with: cmocka after the headers that it wants before it, and
 * the check that no block of memory is left. */
#ifndef GM_TESTS_UNIT_H
#define GM_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"

/* A teardown of one test or of a group. */
static inline int no_leak(void **state)
{
    (void)state;
    if (gm_alloc_live())
        print_error("%zu blocks were not freed\n", gm_alloc_live());
    return gm_alloc_live() ? -1 : 0;
}

/* Ends this test as skipped; tools/run_tests.py lists the reason. For the whole program:
 * return skip_all("...") from main. */
#define skip_because(...)         \
    do {                          \
        say_skipped(__VA_ARGS__); \
        skip();                   \
    } while (0)

__attribute__((format(printf, 1, 2))) static inline void say_skipped(const char *reason, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, reason);
    vsnprintf(text, sizeof text, reason, ap);
    va_end(ap);
    print_message("skipped: %s\n", text);
}

/* The exit status that ctest knows as skipped, behind the reason. */
#define skip_all(...) (say_skipped(__VA_ARGS__), 77)

static inline void must(enum gm_status st, const struct gm_error *err)
{
    if (st != GM_OK)
        fail_msg("%s", err->msg);
}

#endif
