/* nn_check.h - what the tests of src/nn share: comparison with a tolerance, messages, scratch files,
 * random numbers. */
#ifndef GM_TESTS_NN_CHECK_H
#define GM_TESTS_NN_CHECK_H

#include "unit.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASSERT_OK(call)                        \
    do {                                       \
        struct gm_error e_ = {0};              \
        struct gm_error *err = &e_;            \
        if ((call) != GM_OK)                   \
            fail_msg("%s: %s", #call, e_.msg); \
    } while (0)

/* |got - want| <= atol + rtol * |want|; a NaN never passes. */
static inline void check_near(double got, double want, double atol, double rtol, const char *what,
                              size_t i)
{
    if (!(fabs(got - want) <= atol + rtol * fabs(want)))
        fail_msg("%s[%zu]: %.9g, expected %.9g", what, i, got, want);
}

static inline void check_message(const struct gm_error *e, const char *part)
{
    if (!strstr(e->msg, part))
        fail_msg("message \"%s\" lacks \"%s\"", e->msg, part);
    if (strchr(e->msg, '\n'))
        fail_msg("message \"%s\" is not one line", e->msg);
}

/* A path in this process's scratch folder; the folder is made at the first call. The text is good
 * until the call after the next. */
static inline const char *scratch_path(const char *name)
{
    static char dir[64], paths[2][256];
    static unsigned turn;
    if (!*dir) {
        snprintf(dir, sizeof dir, "/tmp/gm-test-XXXXXX");
        assert_non_null(mkdtemp(dir));
    }
    char *p = paths[turn++ % 2];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

/* Removes the scratch folder with the named files (NULL-ended list); false when something else is
 * left in it. */
static inline bool scratch_remove(const char *const *names)
{
    for (; *names; names++)
        unlink(scratch_path(*names));
    if (rmdir(scratch_path("")) == 0)
        return true;
    fprintf(stderr, "%s: a temporary file was left behind\n", scratch_path(""));
    return false;
}

static inline void fill_normal(struct gm_rng *r, float *x, size_t n, double std)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(std * gm_rng_normal(r));
}

#endif
