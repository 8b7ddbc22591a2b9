/* String views, strict numbers, UTF-8, base64. */

#include "unit.h"

#include "base/base64.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/str.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void comparing(void **state)
{
    (void)state;
    assert_true(gm_str_eq(gm_str(NULL), GM_STR("")));
    assert_true(gm_str_eq_c(GM_STR("ab"), "ab"));
    assert_false(gm_str_eq_c(GM_STR("ab"), "abc"));
    assert_true(gm_str_starts(GM_STR("abc"), GM_STR("ab")) &&
                gm_str_ends(GM_STR("abc"), GM_STR("bc")));
    assert_true(gm_str_starts(GM_STR("abc"), GM_STR("")) && gm_str_ends(GM_STR(""), GM_STR("")));
    assert_false(gm_str_starts(GM_STR("ab"), GM_STR("abc")) ||
                 gm_str_ends(GM_STR("c"), GM_STR("bc")));
    assert_true(gm_str_cmp(GM_STR("a"), GM_STR("b")) < 0 &&
                gm_str_cmp(GM_STR("b"), GM_STR("a")) > 0);
    assert_true(gm_str_cmp(GM_STR("a"), GM_STR("ab")) < 0 &&
                gm_str_cmp(GM_STR(""), GM_STR("")) == 0);
    assert_true(gm_str_cmp(GM_STR("\xC3"), GM_STR("a")) > 0); /* bytes are unsigned */
}

static void cutting(void **state)
{
    struct gm_str head, tail;
    (void)state;
    assert_true(gm_str_eq_c(gm_str_sub(GM_STR("abcdef"), 2, 4), "cd"));
    assert_true(gm_str_eq_c(gm_str_sub(GM_STR("abc"), 2, 99), "c"));
    assert_int_equal(gm_str_sub(GM_STR("abc"), 7, 99).n, 0);
    assert_int_equal(gm_str_sub(GM_STR("abc"), 2, 1).n, 0);
    assert_true(gm_str_eq_c(gm_str_trim(GM_STR(" \t\r\n\v\fa b ")), "a b"));
    assert_int_equal(gm_str_trim(GM_STR(" \n ")).n, 0);
    assert_true(gm_str_cut(GM_STR("a=b=c"), '=', &head, &tail));
    assert_true(gm_str_eq_c(head, "a") && gm_str_eq_c(tail, "b=c"));
    assert_false(gm_str_cut(GM_STR("abc"), '=', &head, &tail));
    assert_true(gm_str_eq_c(head, "abc") && tail.n == 0);
    assert_true(gm_str_cut(GM_STR("="), '=', &head, &tail) && head.n == 0 && tail.n == 0);
}

static void finding(void **state)
{
    (void)state;
    assert_int_equal(gm_str_find(GM_STR("ababac"), GM_STR("abac"), 0), 2);
    assert_int_equal(gm_str_find(GM_STR("aXa"), GM_STR("a"), 1), 2);
    assert_true(gm_str_find(GM_STR("abc"), GM_STR("c"), 3) == SIZE_MAX);
    assert_true(gm_str_find(GM_STR("abc"), GM_STR("abcd"), 0) == SIZE_MAX);
    assert_true(gm_str_find(GM_STR("abc"), GM_STR("x"), 99) == SIZE_MAX);
    assert_int_equal(gm_str_find(GM_STR("abc"), GM_STR(""), 3), 3);
    assert_true(gm_str_find(GM_STR("abc"), GM_STR(""), 4) == SIZE_MAX);
    /* FNV-1a test vectors (Noll) */
    assert_true(gm_str_hash(GM_STR("")) == 0xcbf29ce484222325u);
    assert_true(gm_str_hash(GM_STR("a")) == 0xaf63dc4c8601ec8cu);
    assert_true(gm_str_hash(GM_STR("foobar")) == 0x85944171f73967e8u);
}

static void strict_integers(void **state)
{
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "0x10",
                                      "1.0",
                                      "1e3",
                                      "--1",
                                      "-",
                                      "nan",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "111111111111111111111111111111111111111"};
    long long x;
    (void)state;
    assert_true(gm_str_to_int(GM_STR("-9223372036854775808"), &x) && x == INT64_MIN);
    assert_true(gm_str_to_int(GM_STR("9223372036854775807"), &x) && x == INT64_MAX);
    assert_true(gm_str_to_int(GM_STR("007"), &x) && x == 7);
    assert_true(gm_str_to_int(gm_str_sub(GM_STR("12345"), 1, 3), &x) && x == 23);
    assert_false(gm_str_to_int(GM_STR("1\0002"), &x));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (gm_str_to_int(gm_str(bad[i]), &x))
            fail_msg("\"%s\" was taken for an integer", bad[i]);
}

static void strict_reals(void **state)
{
    static const char *const bad[] = {"",       " 1",  "1 ",   "1x",       "0x10", "nan",
                                      "NAN",    "inf", "-inf", "infinity", "1e",   "1e400",
                                      "-1e400", ".",   "1,5",  "1.2.3"};
    double x;
    (void)state;
    assert_true(gm_str_to_double(GM_STR("-1.5e-3"), &x) && fabs(x + 0.0015) < 1e-18);
    assert_true(gm_str_to_double(GM_STR("42"), &x) && x > 41.9);
    assert_true(gm_str_to_double(GM_STR("1e308"), &x));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (gm_str_to_double(gm_str(bad[i]), &x))
            fail_msg("\"%s\" was taken for a number", bad[i]);
}

/* ---- UTF-8 ---- */

static void every_code_point(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x110010; cp++) {
        char out[4];
        size_t n = gm_utf8_put(cp, out), pos = 0;
        bool is_char = cp <= 0x10FFFF && (cp < 0xD800 || cp > 0xDFFF);
        struct gm_str s = {out, n};
        assert_int_equal(gm_utf8_next(s, &pos), is_char ? cp : 0xFFFD);
        assert_int_equal(pos, n);
        assert_true(gm_utf8_is_valid(s));
        for (size_t cut = 1; cut < n; cut++)
            assert_false(gm_utf8_is_valid((struct gm_str){out, cut}));
    }
}

static struct gm_str unhex(struct gm_arena *a, struct gm_str hex)
{
    char *p = gm_arena_alloc(a, hex.n / 2 + 1, 1);
    assert_non_null(p);
    for (size_t i = 0; i + 1 < hex.n; i += 2) {
        char two[3] = {hex.p[i], hex.p[i + 1], 0}, *end;
        p[i / 2] = (char)strtoul(two, &end, 16);
        assert_ptr_equal(end, two + 2);
    }
    return (struct gm_str){p, hex.n / 2};
}

static void repaired_as_python_does(void **state)
{
    struct gm_arena a;
    struct gm_buf out;
    struct gm_lines *lines;
    struct gm_str line, from, to;
    size_t n = 0;
    bool has;
    (void)state;
    gm_arena_init(&a, 0);
    gm_buf_init(&out, 1000);
    assert_int_equal(gm_lines_open(&lines, "tests/cases/utf8_repair.txt", 4096, NULL), GM_OK);
    while (gm_lines_next(lines, &line, &has, NULL) == GM_OK && has) {
        if (gm_str_starts(line, GM_STR("#")))
            continue;
        assert_true(gm_str_cut(line, ' ', &from, &to));
        gm_buf_reset(&out);
        struct gm_str bytes = unhex(&a, from), want = unhex(&a, to);
        assert_int_equal(gm_utf8_repair(bytes, &out, NULL), GM_OK);
        if (!gm_str_eq(gm_buf_str(&out), want))
            fail_msg("%.*s is repaired otherwise", GM_STR_ARG(from));
        assert_int_equal(gm_utf8_is_valid(bytes), gm_str_eq(bytes, want));
        assert_true(gm_utf8_is_valid(want));
        n++;
    }
    assert_true(n > 80);
    gm_lines_free(lines);
    gm_buf_clear(&out);
    gm_buf_init(&out, 4);
    assert_int_equal(gm_utf8_repair(GM_STR("\xFF\xFF"), &out, NULL), GM_ENOMEM);
    gm_buf_clear(&out);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

static void counting(void **state)
{
    const struct gm_str s = GM_STR("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z");
    static const size_t at[] = {0, 1, 3, 6, 10, 11, 11};
    (void)state;
    assert_int_equal(gm_utf8_count(s), 5);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        assert_int_equal(gm_utf8_offset(s, i), at[i]);
    assert_int_equal(gm_utf8_count(GM_STR("")), 0);
    assert_int_equal(gm_utf8_offset(GM_STR(""), 3), 0);
}

/* RFC 4648's test vectors, and bytes that are no text. */
static void base64(void **state)
{
    (void)state;
    const struct {
        struct gm_str bytes;
        const char *text;
    } cases[] = {{GM_STR(""), ""},
                 {GM_STR("f"), "Zg=="},
                 {GM_STR("fo"), "Zm8="},
                 {GM_STR("foo"), "Zm9v"},
                 {GM_STR("foob"), "Zm9vYg=="},
                 {GM_STR("fooba"), "Zm9vYmE="},
                 {GM_STR("foobar"), "Zm9vYmFy"},
                 {GM_STR("\xff\xfe\xfd\0"), "//79AA=="}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_buf b;
        struct gm_arena a;
        struct gm_str back;
        gm_arena_init(&a, 0);
        gm_buf_init(&b, 100);
        assert_int_equal(gm_buf_add_c(&b, "=", NULL), GM_OK);
        assert_int_equal(gm_base64_write(&b, cases[i].bytes, NULL), GM_OK);
        assert_string_equal(b.p + 1, cases[i].text);
        assert_int_equal(gm_base64_read(&back, gm_str(cases[i].text), &a, NULL), GM_OK);
        assert_true(gm_str_eq(back, cases[i].bytes));
        gm_buf_clear(&b);
        gm_arena_clear(&a);
    }
}

static void not_base64(void **state)
{
    (void)state;
    static const char *const faults[] = {"Z",      "Zg",   "Zg=",      "Zm9v=", "Zm 9v",
                                         "Zm9v\n", "Zm9*", "Zg==Zm9v", "====",  "Z=g="};
    struct gm_arena a;
    struct gm_str bytes;
    gm_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (gm_base64_read(&bytes, gm_str(faults[i]), &a, NULL) != GM_EFORMAT)
            fail_msg("\"%s\" was read", faults[i]);
    gm_arena_clear(&a);
}

static void word_bytes(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++)
        assert_int_equal(gm_is_word_byte((char)c), c >= 0x80 || (c >= '0' && c <= '9') ||
                                                       (c >= 'A' && c <= 'Z') ||
                                                       (c >= 'a' && c <= 'z'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(cutting),
        cmocka_unit_test(finding),
        cmocka_unit_test(strict_integers),
        cmocka_unit_test(strict_reals),
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(repaired_as_python_does),
        cmocka_unit_test(counting),
        cmocka_unit_test(base64),
        cmocka_unit_test(not_base64),
        cmocka_unit_test(word_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
