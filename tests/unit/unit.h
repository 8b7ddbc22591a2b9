/* unit.h - what every unit test begins with: cmocka after the headers that it wants before it, the
 * check that no block of memory is left, and the running of one test function alone.
 *
 * A test program runs all its functions; with the variable GM_TEST only the one of that name, and
 * with GM_TEST_LIST it writes a line "test: NAME" for each and runs none. So tests/CMakeLists.txt
 * makes a ctest case of each function. */
#ifndef GM_TESTS_UNIT_H
#define GM_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Whether only the names of the tests are wanted, so that main need not find what the tests need. */
static inline bool listing_tests(void) { return getenv("GM_TEST_LIST") != NULL; }

/* The n tests of a group as cmocka runs them, or only the one that GM_TEST names; a name that no
 * test has is a failure. Returns cmocka's number of failures. */
static inline int run_group(const char *group, const struct CMUnitTest *tests, size_t n,
                            CMFixtureFunction setup, CMFixtureFunction teardown)
{
    const char *only = getenv("GM_TEST");
    bool found = !only;
    for (size_t i = 0; i < n; i++) {
        if (listing_tests())
            printf("test: %s\n", tests[i].name);
        found = found || strcmp(tests[i].name, only) == 0;
    }
    if (listing_tests())
        return 0;
    if (!found) {
        print_error("no test is called \"%s\" here (GM_TEST)\n", only);
        return 1;
    }
    cmocka_set_test_filter(only);
    return _cmocka_run_group_tests(group, tests, n, setup, teardown);
}

#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, setup, teardown) \
    run_group(#tests, tests, sizeof(tests) / sizeof *(tests), setup, teardown)

/* Ends this test as skipped; tools/run_tests.py lists the reason. For the whole program:
 * skip_all_if(NEEDED IS ABSENT, "REASON") in main. */
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

/* Returns from main the exit status that ctest knows as skipped, behind the reason. */
#define skip_all_if(absent, ...)            \
    do {                                    \
        if ((absent) && !listing_tests()) { \
            say_skipped(__VA_ARGS__);       \
            return 77;                      \
        }                                   \
    } while (0)

static inline void must(enum gm_status st, const struct gm_error *err)
{
    if (st != GM_OK)
        fail_msg("%s", err->msg);
}

#endif
