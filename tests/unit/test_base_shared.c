/* Things that are made once and used by many: in a host's registry, and counted where there is none. */
#include "unit.h"

#include "base/host.h"
#include "base/parallel.h"
#include "base/shared.h"

#include <stdatomic.h>
#include <time.h>

enum { N_THREADS = 4 };

static atomic_int n_made, n_freed;
static int freed_at[2]; /* inner, outer: when each was freed */

static enum gm_status make(void **thing, const void *how, struct gm_error *err)
{
    (void)err;
    nanosleep(&(struct timespec){0, 20000000}, NULL); /* others ask meanwhile */
    n_made++;
    *thing = (void *)(uintptr_t)how;
    return GM_OK;
}

static void free_thing(void *thing) { freed_at[*(int *)thing] = ++n_freed; }

static const struct gm_shared_kind counted = {"counted", make, free_thing, true};
static const struct gm_shared_kind plain = {"plain", make, free_thing, false};
static int inner = 0, outer = 1;

static int reset(void **state)
{
    (void)state;
    n_made = n_freed = 0;
    return 0;
}

static void *hold(void *arg)
{
    assert_int_equal(gm_shared_get(arg, &counted, GM_STR("a"), &outer, NULL), GM_OK);
    return NULL;
}

static void counted_things(void **state)
{
    (void)state;
    struct gm_held held[N_THREADS], other;
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(gm_thread_start(&threads[i], 1, hold, &held[i], NULL), GM_OK);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(n_made, 1);
    assert_int_equal(gm_shared_get(&other, &counted, GM_STR("b"), &inner, NULL), GM_OK);
    assert_int_equal(n_made, 2);
    for (int i = 0; i < N_THREADS; i++) {
        assert_ptr_equal(held[i].thing, &outer);
        assert_int_equal(n_freed, 0);
        gm_shared_drop(&held[i]);
    }
    assert_int_equal(n_freed, 1);
    hold(&held[0]); /* made anew */
    assert_int_equal(n_made, 3);
    gm_shared_drop(&held[0]);
    gm_shared_drop(&held[0]); /* nothing any more */
    gm_shared_drop(&other);
    assert_int_equal(n_freed, 3);
}

static void plain_things(void **state)
{
    (void)state;
    struct gm_held a, b;
    assert_int_equal(gm_shared_get(&a, &plain, GM_STR("a"), &outer, NULL), GM_OK);
    assert_int_equal(gm_shared_get(&b, &plain, GM_STR("a"), &outer, NULL), GM_OK);
    assert_int_equal(n_made, 2);
    gm_shared_drop(&a);
    gm_shared_drop(&b);
    assert_int_equal(n_freed, 2);
}

static enum gm_status make_outer(void **thing, const void *how, struct gm_error *err)
{
    struct gm_held part;
    enum gm_status st = gm_shared_get(&part, &plain, GM_STR("part"), &inner, err);
    return st == GM_OK ? make(thing, how, err) : st;
}

/* A thing is freed before what it is made of, which the registry has as well. */
static void things_of_a_registry(void **state)
{
    (void)state;
    static const struct gm_shared_kind kind = {"outer", make_outer, free_thing, true};
    struct gm_host host = {.home = NULL};
    struct gm_held a, b;
    assert_int_equal(gm_shared_new(&host.shared, NULL), GM_OK);
    gm_host_set(&host);
    assert_int_equal(gm_shared_get(&a, &kind, GM_STR("a"), &outer, NULL), GM_OK);
    assert_int_equal(gm_shared_get(&b, &kind, GM_STR("a"), &outer, NULL), GM_OK);
    assert_ptr_equal(a.thing, b.thing);
    assert_int_equal(n_made, 2);
    gm_shared_drop(&a);
    gm_shared_drop(&b);
    assert_int_equal(n_freed, 0);
    gm_host_set(NULL);
    gm_shared_free(host.shared);
    assert_int_equal(n_freed, 2);
    assert_true(freed_at[outer] < freed_at[inner]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counted_things, reset, no_leak),
        cmocka_unit_test_setup_teardown(plain_things, reset, no_leak),
        cmocka_unit_test_setup_teardown(things_of_a_registry, reset, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
