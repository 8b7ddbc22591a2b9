/* unit.h - what every unit test begins with: cmocka after the headers that it wants before it, and
 * the check that no block of memory is left. */
#ifndef GM_TESTS_UNIT_H
#define GM_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

static inline void must(enum gm_status st, const struct gm_error *err)
{
    if (st != GM_OK)
        fail_msg("%s", err->msg);
}

#endif
