/* Errors, the allocation door, arenas and buffers. */

#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/utf8.h"

#include <string.h>

/* ---- status ---- */

static enum gm_status fails(struct gm_error *err) { return GM_FAIL(err, GM_EFORMAT, "x=%d", 7); }

static enum gm_status tries(struct gm_error *err, int *reached)
{
    enum gm_status st = GM_OK;
    GM_TRY(fails(err));
    (*reached)++;
done:
    return st;
}

static void errors_are_passed_on(void **state)
{
    struct gm_error err;
    int reached = 0;
    (void)state;
    assert_int_equal(tries(&err, &reached), GM_EFORMAT);
    assert_int_equal(reached, 0);
    assert_int_equal(err.code, GM_EFORMAT);
    assert_string_equal(err.msg, "x=7");
    assert_non_null(strstr(err.src_file, "test_base_memory.c"));
    assert_int_equal(tries(NULL, &reached), GM_EFORMAT);
    assert_int_equal(gm_error_prefix(&err, "%s:%d", "f.txt", 3), GM_EFORMAT);
    assert_string_equal(err.msg, "f.txt:3: x=7");
    assert_int_equal(gm_error_prefix(NULL, "x"), GM_OK);
}

/* A message stays one line of valid UTF-8 whatever a file's content was, also where it is cut. */
static void messages_are_clean(void **state)
{
    struct gm_error err;
    char text[3000];
    (void)state;
    GM_FAIL(&err, GM_EIO, "a\nb\tc\x7f%s", "\x1b[2J\r");
    assert_string_equal(err.msg, "a b c  [2J ");
    GM_FAIL(&err, GM_EIO, "%s", "caf\xC3\xA9 \xFF\xC3 \xED\xA0\x80.");
    assert_true(gm_utf8_is_valid(gm_str(err.msg)));
    assert_non_null(strstr(err.msg, "caf\xC3\xA9 "));
    for (size_t pad = 0; pad < 4; pad++) {
        memset(text, 'x', pad);
        for (size_t i = pad; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        GM_FAIL(&err, GM_EIO, "%s", text);
        assert_true(gm_utf8_is_valid(gm_str(err.msg)));
        assert_true(strlen(err.msg) > GM_ERROR_MAX - 8);
        gm_error_prefix(&err, "%s", "prefix");
        assert_true(gm_utf8_is_valid(gm_str(err.msg)));
        assert_int_equal(strncmp(err.msg, "prefix: x", pad ? 9 : 8), 0);
    }
    gm_error_prefix(&err, "%s", text);
    assert_true(gm_utf8_is_valid(gm_str(err.msg)));
}

static void status_names(void **state)
{
    (void)state;
    assert_string_equal(gm_status_name(GM_OK), "ok");
    assert_string_equal(gm_status_name(GM_ECANCEL), "cancel");
    assert_string_equal(gm_status_name((enum gm_status)1000), "unknown");
    for (int st = GM_OK; st <= GM_ECANCEL; st++)
        assert_non_null(gm_status_name((enum gm_status)st));
}

/* ---- alloc ---- */

static void sizes_do_not_overflow(void **state)
{
    size_t n;
    (void)state;
    assert_true(gm_mul_size(SIZE_MAX, 1, &n) && n == SIZE_MAX);
    assert_true(gm_mul_size(SIZE_MAX, 0, &n) && n == 0);
    assert_false(gm_mul_size(SIZE_MAX / 2 + 1, 2, &n));
    assert_true(n == SIZE_MAX);
    assert_null(gm_alloc(SIZE_MAX / 2, 3));
    assert_null(gm_alloc_aligned(SIZE_MAX / 2, 3));
    assert_null(gm_alloc_aligned(SIZE_MAX, 1));
    char *p = gm_alloc(4, 1);
    assert_null(gm_realloc(p, SIZE_MAX / 2, 3));
    gm_free(p);
}

static void blocks_are_counted(void **state)
{
    size_t live = gm_alloc_live();
    (void)state;
    unsigned char *a = gm_alloc(100, 3), *b = gm_alloc(0, 8), *c = gm_alloc_aligned(10, 1);
    unsigned char *d = gm_realloc(NULL, 5, 5);
    char *e = gm_strdup("copy");
    assert_int_equal(gm_alloc_live(), live + 5);
    assert_true(a && b && c && d && e && a != b);
    assert_int_equal((uintptr_t)a % 16, 0);
    assert_int_equal((uintptr_t)c % 64, 0);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(a[i], 0);
    assert_string_equal(e, "copy");
    memset(d, 'd', 25);
    d = gm_realloc(d, 1000, 1);
    assert_int_equal(d[24], 'd');
    assert_int_equal(gm_alloc_live(), live + 5);
    gm_free(a);
    gm_free(b);
    gm_free(c);
    gm_free(d);
    gm_free(e);
    gm_free(NULL);
    assert_int_equal(gm_alloc_live(), live);
}

static void nth_allocation_fails(void **state)
{
    (void)state;
    gm_alloc_fail_at(2);
    void *a = gm_alloc(1, 1), *b = gm_alloc(1, 1), *c = gm_alloc(1, 1);
    assert_true(a && !b && c);
    gm_alloc_fail_at(1);
    assert_null(gm_realloc(a, 100, 1)); /* a stays valid */
    gm_alloc_fail_at(1);
    assert_null(gm_alloc_aligned(1, 1));
    gm_alloc_fail_at(1);
    assert_null(gm_strdup("x"));
    gm_alloc_fail_at(1);
    gm_alloc_fail_at(0);
    b = gm_alloc(1, 1);
    assert_non_null(b);
    gm_free(a);
    gm_free(b);
    gm_free(c);
}

/* ---- arena ---- */

static void count_call(void *p) { (*(int *)p)++; }

static void arena_pieces(void **state)
{
    struct gm_arena a;
    (void)state;
    gm_arena_init(&a, 0);
    for (size_t i = 0; i < 2000; i++) {
        unsigned char *p = gm_arena_alloc(&a, i, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xEE, i);
    }
    unsigned char *big = gm_arena_alloc(&a, 1, (size_t)100 << 20);
    assert_non_null(big);
    big[((size_t)100 << 20) - 1] = 1;
    assert_null(gm_arena_alloc(&a, SIZE_MAX, 1));
    assert_null(gm_arena_alloc(&a, SIZE_MAX / 2, 3));
    gm_arena_reset(&a);
    assert_true(a.total_bytes >= (size_t)100 << 20); /* the largest block is kept */
    unsigned char *again = gm_arena_alloc(&a, 64, 1);
    for (size_t k = 0; k < 64; k++)
        assert_int_equal(again[k], 0);
    gm_arena_clear(&a);
    assert_int_equal(a.total_bytes, 0);
    assert_non_null(gm_arena_alloc(&a, 1, 1)); /* usable again */
    gm_arena_clear(&a);
    gm_arena_clear(&a);
}

static void arena_bound(void **state)
{
    struct gm_arena a;
    struct gm_error err;
    int *list = NULL;
    size_t n = 0, cap = 0;
    (void)state;
    gm_arena_init(&a, 10000);
    assert_null(gm_arena_alloc(&a, 10001, 1));
    assert_non_null(gm_arena_alloc(&a, 6000, 1));
    assert_non_null(gm_arena_alloc(&a, 3000, 1));
    assert_null(gm_arena_alloc(&a, 3000, 1));
    assert_true(a.total_bytes <= 10000);
    assert_null(gm_arena_str(&a, (struct gm_str){"", SIZE_MAX}).p);
    while (GM_ARENA_GROW(&a, list, n, cap, &err) == GM_OK)
        list[n++] = 1;
    assert_int_equal(err.code, GM_ENOMEM);
    assert_true(n > 8 && n < 10000);
    gm_arena_clear(&a);
}

static void arena_strings_and_lists(void **state)
{
    struct gm_arena a;
    int *list = NULL;
    size_t n = 0, cap = 0;
    (void)state;
    gm_arena_init(&a, 0);
    struct gm_str s = gm_arena_str(&a, (struct gm_str){"a\0bc", 3});
    assert_int_equal(s.n, 3);
    assert_memory_equal(s.p, "a\0b", 4);
    assert_string_equal(gm_arena_str(&a, (struct gm_str){NULL, 0}).p, "");
    s = gm_arena_printf(&a, "%d-%s", 42, "x");
    assert_true(gm_str_eq_c(s, "42-x") && s.p[s.n] == 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(GM_ARENA_GROW(&a, list, n, cap, NULL), GM_OK);
        list[n++] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);
    gm_arena_clear(&a);
}

static void heap_list_grows(void **state)
{
    int *list = NULL;
    size_t n = 0, cap = 0;
    struct gm_error err;
    (void)state;
    while (n < 1000) {
        assert_int_equal(GM_GROW(list, n, cap, &err), GM_OK);
        list[n] = (int)n;
        n++;
    }
    gm_alloc_fail_at(1);
    while (GM_GROW(list, n, cap, &err) == GM_OK)
        n++;
    assert_int_equal(err.code, GM_ENOMEM);
    assert_int_equal(n, cap);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);
    gm_free(list);
}

static void arena_hooks(void **state)
{
    struct gm_arena a;
    int calls = 0;
    (void)state;
    gm_arena_init(&a, 0);
    assert_int_equal(gm_arena_on_clear(&a, count_call, &calls, NULL), GM_OK);
    assert_int_equal(gm_arena_on_clear(&a, count_call, &calls, NULL), GM_OK);
    assert_int_equal(calls, 0);
    gm_arena_reset(&a);
    assert_int_equal(calls, 2);
    gm_arena_clear(&a);
    assert_int_equal(calls, 2); /* each once */
    gm_alloc_fail_at(1);
    assert_int_equal(gm_arena_on_clear(&a, count_call, &calls, NULL), GM_ENOMEM);
    gm_alloc_fail_at(0);
    assert_int_equal(calls, 3); /* at once, as it could not be kept */
    gm_arena_clear(&a);
    assert_int_equal(calls, 3);
}

/* ---- buf ---- */

static void numbers_are_short(void **state)
{
    static const struct {
        double x;
        int decimals;
        const char *text;
    } cases[] = {{100.1, 2, "100.1"},
                 {0.1 + 0.2, 2, "0.3"},
                 {7, 2, "7"},
                 {(double)100.1f, 2, "100.1"},
                 {-0.001, 2, "0"},
                 {-0.0, 0, "0"},
                 {1e9, 2, "1000000000"},
                 {123456789.125, 2, "123456789.12"},
                 {100, 0, "100"},
                 {-12.5, 1, "-12.5"},
                 {10.004, 2, "10"}};
    struct gm_buf b;
    (void)state;
    gm_buf_init(&b, 100);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gm_buf_reset(&b);
        assert_int_equal(gm_buf_add_number(&b, cases[i].x, cases[i].decimals, NULL), GM_OK);
        assert_string_equal(b.p, cases[i].text);
    }
    gm_buf_clear(&b);
}

static void buffer_grows_to_its_maximum(void **state)
{
    struct gm_buf b;
    struct gm_error err;
    (void)state;
    gm_buf_init(&b, 10);
    assert_string_equal(gm_buf_str(&b).p, "");
    assert_int_equal(gm_buf_add(&b, "01234", 5, NULL), GM_OK);
    assert_int_equal(gm_buf_printf(&b, NULL, "%03d", 7), GM_OK);
    assert_int_equal(gm_buf_add_c(&b, "abc", &err), GM_ENOMEM);
    assert_non_null(strstr(err.msg, "10 bytes"));
    assert_int_equal(gm_buf_printf(&b, &err, "%s", "abc"), GM_ENOMEM);
    assert_string_equal(b.p, "01234007"); /* kept, and still ended */
    assert_int_equal(gm_buf_add_str(&b, GM_STR("ab"), NULL), GM_OK);
    assert_int_equal(b.n, 10);
    assert_int_equal(gm_buf_reserve(&b, 1, &err), GM_ENOMEM);
    assert_int_equal(gm_buf_reserve(&b, SIZE_MAX, &err), GM_ENOMEM);
    gm_buf_reset(&b);
    assert_string_equal(b.p, "");
    assert_int_equal(gm_buf_add(&b, NULL, 0, NULL), GM_OK);
    gm_alloc_fail_at(1);
    gm_buf_clear(&b);
    assert_int_equal(gm_buf_add_c(&b, "x", &err), GM_ENOMEM);
    gm_alloc_fail_at(0);
    assert_null(b.p);
    assert_int_equal(gm_buf_reserve(&b, 4, NULL), GM_OK);
    assert_string_equal(b.p, ""); /* ended, though nothing was added */
    gm_buf_clear(&b);
}

static void wiped(void **state)
{
    (void)state;
    char secret[] = "secret!";
    gm_wipe(NULL, 0);
    gm_wipe(secret, 6);
    assert_memory_equal(secret, "\0\0\0\0\0\0!", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_passed_on),
        cmocka_unit_test(messages_are_clean),
        cmocka_unit_test(status_names),
        cmocka_unit_test(wiped),
        cmocka_unit_test_teardown(sizes_do_not_overflow, no_leak),
        cmocka_unit_test_teardown(blocks_are_counted, no_leak),
        cmocka_unit_test_teardown(nth_allocation_fails, no_leak),
        cmocka_unit_test_teardown(arena_pieces, no_leak),
        cmocka_unit_test_teardown(arena_bound, no_leak),
        cmocka_unit_test_teardown(arena_strings_and_lists, no_leak),
        cmocka_unit_test_teardown(heap_list_grows, no_leak),
        cmocka_unit_test_teardown(arena_hooks, no_leak),
        cmocka_unit_test_teardown(buffer_grows_to_its_maximum, no_leak),
        cmocka_unit_test_teardown(numbers_are_short, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
