/* The store over SQLite and the reply cache: what goes in comes out, broken files, two handles on one
 * file, memory that runs out. */
#include "unit.h"

#include "base/cache.h"
#include "base/file.h"
#include "base/store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static const char schema[] = "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT);";

static void remove_store(void)
{
    char file[80];
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s%s", path, ends[i]);
        unlink(file);
    }
}

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/gm-store-%ld.sqlite", (long)getpid());
    remove_store();
    return 0;
}

static int teardown(void **state)
{
    remove_store();
    return no_leak(state);
}

static void test_values(void **state)
{
    (void)state;
    struct gm_error err = {0};
    struct gm_store *s;
    struct gm_stmt *put, *get;
    bool has;
    assert_int_equal(gm_store_open(&s, path, schema, 1, &err), GM_OK);
    assert_int_equal(gm_stmt_new(&put, s, "INSERT INTO t VALUES (?1, ?2)", &err), GM_OK);
    assert_int_equal(gm_stmt_new(&get, s, "SELECT v, k FROM t ORDER BY k", &err), GM_OK);
    const struct gm_str texts[] = {GM_STR("a\0b"), GM_STR(""), {NULL, 0}};
    for (long long i = 0; i < 3; i++) {
        const struct gm_value args[] = {GM_VALUE_INT(i - 1), GM_VALUE_STR(texts[i])};
        assert_int_equal(gm_stmt_run(put, args, 2, NULL, &err), GM_OK);
        assert_int_equal(gm_store_last_id(s), i - 1);
    }
    assert_int_equal(gm_stmt_run(get, NULL, 0, &has, &err), GM_OK);
    for (long long i = 0; i < 3; i++) {
        assert_true(has);
        assert_int_equal(gm_stmt_int(get, 1), i - 1);
        assert_true(gm_str_eq(gm_stmt_text(get, 0), texts[i]));
        assert_int_equal(gm_stmt_text(get, 0).p == NULL, i == 2);
        assert_int_equal(gm_stmt_next(get, &has, &err), GM_OK);
    }
    assert_false(has);
    /* The same key twice is an error of the statement, not of the program. */
    const struct gm_value again[] = {GM_VALUE_INT(1), GM_VALUE_STR(GM_STR("x"))};
    assert_int_equal(gm_stmt_run(put, again, 2, NULL, &err), GM_EIO);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(gm_store_exec(s, "SELEKT", &err), GM_EIO);
    gm_stmt_free(put);
    gm_stmt_free(get);
    gm_store_close(s);
    assert_int_equal(gm_store_open(&s, path, schema, 2, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, "format is number 1, and this program writes 2"));
    assert_null(s);
}

static void test_not_a_store(void **state)
{
    (void)state;
    struct gm_error err = {0};
    struct gm_store *s;
    char text[2000];
    memset(text, 'x', sizeof text);
    assert_int_equal(gm_file_write(path, (struct gm_str){text, sizeof text}, &err), GM_OK);
    assert_int_equal(gm_store_open(&s, path, schema, 1, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(gm_store_open(&s, "/tmp", schema, 1, &err), GM_EIO);
    assert_int_equal(gm_store_open(&s, "/no/such/folder/x", schema, 1, &err), GM_EIO);
    assert_null(s);
}

/* Two handles, as two runs have them: what one has put the other gets at once. */
static void test_cache(void **state)
{
    (void)state;
    struct gm_error err = {0};
    struct gm_cache *a, *b;
    struct gm_buf out;
    bool found = true;
    gm_buf_init(&out, 1 << 20);
    assert_int_equal(gm_cache_open(&a, path, &err), GM_OK);
    assert_int_equal(gm_cache_open(&b, path, &err), GM_OK);
    assert_int_equal(gm_cache_get(b, "k1", &out, &found, &err), GM_OK);
    assert_false(found);
    assert_int_equal(gm_cache_put(a, "k1", GM_STR("{\"x\": 1}"), &err), GM_OK);
    assert_int_equal(gm_cache_put(a, "k2", GM_STR(""), &err), GM_OK);
    assert_int_equal(gm_cache_get(b, "k1", &out, &found, &err), GM_OK);
    assert_false(found);
    assert_int_equal(gm_cache_commit(a, &err), GM_OK);
    assert_int_equal(gm_cache_commit(a, &err), GM_OK); /* nothing to do */
    assert_int_equal(gm_cache_get(b, "k1", &out, &found, &err), GM_OK);
    assert_true(found);
    assert_string_equal(out.p, "{\"x\": 1}");
    assert_int_equal(gm_cache_put(b, "k1", GM_STR("new"), &err), GM_OK);
    assert_int_equal(gm_cache_commit(b, &err), GM_OK);
    gm_buf_reset(&out);
    assert_int_equal(gm_cache_get(a, "k1", &out, &found, &err), GM_OK);
    assert_string_equal(out.p, "new");
    assert_int_equal(gm_cache_get(b, "k2", &out, &found, &err), GM_OK);
    assert_true(found);
    gm_cache_close(a);
    gm_cache_close(b);
    gm_buf_clear(&out);
}

static void test_no_memory(void **state)
{
    (void)state;
    bool done = false;
    for (size_t nth = 1; !done; nth++) {
        struct gm_cache *c;
        gm_alloc_fail_at(nth);
        enum gm_status st = gm_cache_open(&c, path, NULL);
        gm_alloc_fail_at(0);
        assert_true(st == GM_OK || st == GM_ENOMEM);
        done = st == GM_OK && nth > 5;
        gm_cache_close(c);
        assert_int_equal(gm_alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_a_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
