/* JSON and YAML: what is read, what is refused and how that is said, numbers that read back. */

#include "unit.h"

#include "base/file.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "base/yaml.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct gm_json *parse(const char *text)
{
    struct gm_json *j;
    struct gm_error err;
    if (gm_json_parse(&j, gm_str(text), &err) != GM_OK)
        fail_msg("%s: %s", text, err.msg);
    return j;
}

static void expect_text(const struct gm_json *j, bool pretty, const char *want)
{
    struct gm_buf b;
    gm_buf_init(&b, 1 << 20);
    assert_int_equal(gm_json_write(j, pretty, &b, NULL), GM_OK);
    assert_string_equal(gm_buf_str(&b).p, want);
    gm_buf_clear(&b);
}

static void reading(void **state)
{
    struct gm_str s;
    double x = -1;
    long long i = -1;
    bool yes = false;
    (void)state;
    struct gm_json *j = parse(" {\"s\":\"a\\u0000\\u00e9\\ud83d\\ude00\",\"i\":-3,\"r\":2.5,\"b\":"
                              "true,\"n\":null,\"a\":[1,2]} ");
    assert_true(gm_json_str(gm_json_get(j, "s"), &s) &&
                gm_str_eq(s, GM_STR("a\0\xC3\xA9\xF0\x9F\x98\x80")));
    assert_true(gm_json_int(gm_json_get(j, "i"), &i) && i == -3);
    assert_true(gm_json_num(gm_json_get(j, "i"), &x) && fabs(x + 3) < 1e-9);
    assert_true(gm_json_num(gm_json_get(j, "r"), &x) && fabs(x - 2.5) < 1e-9);
    assert_true(gm_json_bool(gm_json_get(j, "b"), &yes) && yes);
    assert_int_equal(gm_json_count(gm_json_get(j, "a")), 2);
    assert_true(gm_json_int(gm_json_at(gm_json_get(j, "a"), 1), &i) && i == 2);
    assert_null(gm_json_at(gm_json_get(j, "a"), 2));
    assert_int_equal(gm_json_kind(gm_json_get(j, "n")), GM_JSON_NULL);
    /* of another kind or absent: false, and nothing is touched */
    assert_false(gm_json_int(gm_json_get(j, "r"), &i) || gm_json_str(j, &s) ||
                 gm_json_bool(NULL, &yes));
    assert_false(gm_json_num(gm_json_get(j, "s"), &x) || gm_json_num(gm_json_get(NULL, "s"), &x));
    assert_int_equal(i, 2);
    assert_int_equal(gm_json_kind(gm_json_get(j, "zz")), GM_JSON_NONE);
    assert_string_equal(gm_json_kind_name(gm_json_kind(j)), "an object");
    assert_int_equal(gm_json_count(NULL), 0);
    char keys[16] = "";
    for (void *it = gm_json_first(j); it; it = gm_json_next(j, it))
        strncat(keys, gm_json_key(it).p, 1);
    assert_string_equal(keys, "sirbna"); /* in the order of the text */
    struct gm_json *again = gm_json_ref(gm_json_get(j, "a"));
    gm_json_free(j);
    assert_int_equal(gm_json_count(again), 2);
    gm_json_free(again);
    gm_json_free(NULL);
}

static void refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "1:0"},
        {"{", "1:1"},
        {"[1,]", "1:4"},
        {"{\"a\":1,}", "1:8"},
        {"[1] 2", "1:5"},
        {"{\n\"a\" 1}", "2:5"},
        {"nan", "1:"},
        {"01", "1:"},
        {"1e999", "1:"},
        {"[\"\\ud800\"]", "1:"},
        {"\"a\nb\"", "1:"},
        {"'a'", "1:"},
        {"{\"a\\u0000b\":1}", "1:"},
        {"\"\xFF\"", "1:"},
        {"123456789012345678901234567890", "1:"},
    };
    struct gm_error err;
    struct gm_json *j;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum gm_status st = gm_json_parse(&j, gm_str(cases[i].text), &err);
        if (st != GM_EFORMAT || strncmp(err.msg, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("case %zu: %s: %s", i, gm_status_name(st), st ? err.msg : "");
        assert_null(j);
    }
    /* 200,000 nested brackets are an error, not a stack overflow */
    size_t n = 200000;
    char *deep = gm_alloc(n, 1);
    memset(deep, '[', n);
    assert_int_equal(gm_json_parse(&j, (struct gm_str){deep, n}, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, "depth"));
    gm_free(deep);
}

static void writing(void **state)
{
    (void)state;
    struct gm_json *j = parse("{\"a\":[],\"o\":{},\"l\":[1,{\"x\":\"\\u0001\\n\\\"\\\\/"
                              "\\u007f\\u2028\"}],\"n\":null,\"t\":true,\"r\":1.0}");
    expect_text(j, false,
                "{\"a\": [], \"o\": {}, \"l\": [1, {\"x\": "
                "\"\\u0001\\n\\\"\\\\/\x7f\xE2\x80\xA8\"}], \"n\": null, \"t\": true, \"r\": 1.0}");
    struct gm_json *small = parse("[1,{\"a\":2}]");
    expect_text(small, true, "[\n  1,\n  {\n    \"a\": 2\n  }\n]");
    struct gm_buf b;
    gm_buf_init(&b, 1 << 10);
    assert_int_equal(gm_json_write(j, false, &b, NULL), GM_OK);
    struct gm_json *again;
    assert_int_equal(gm_json_parse(&again, gm_buf_str(&b), NULL), GM_OK);
    expect_text(again, false, b.p);
    gm_buf_clear(&b);
    gm_buf_init(&b, 10);
    assert_int_equal(gm_json_write(j, false, &b, NULL), GM_ENOMEM);
    gm_buf_clear(&b);
    gm_json_free(again);
    gm_json_free(small);
    gm_json_free(j);
}

static void building(void **state)
{
    (void)state;
    struct gm_json *o = gm_json_new_object(), *a = gm_json_new_array();
    assert_null(gm_json_new_num(NAN));
    assert_null(gm_json_new_num(INFINITY));
    assert_null(gm_json_new_str(GM_STR("\xFF")));
    assert_true(gm_json_add(a, gm_json_new_int(1)) && gm_json_add(a, gm_json_new_null()));
    assert_false(gm_json_add(a, NULL)); /* a failed gm_json_new_* */
    assert_true(gm_json_set(o, "k", gm_json_new_str(GM_STR("v"))) &&
                gm_json_set(o, "b", gm_json_new_bool(false)));
    assert_true(gm_json_set(o, "a", a) && gm_json_set(o, "k", gm_json_new_num(0.1)));
    assert_false(gm_json_set(o, "x", NULL));
    assert_false(
        gm_json_set(a, "x", gm_json_new_int(1))); /* no object: the value is taken all the same */
    expect_text(o, false, "{\"k\": 0.1, \"b\": false, \"a\": [1, null]}");
    gm_json_free(o);
}

static void numbers_read_back(void **state)
{
    static const double special[] = {0.0,
                                     -0.0,
                                     1.0,
                                     0.1,
                                     1e21,
                                     1e-7,
                                     5e-324,
                                     1.7976931348623157e308,
                                     123456.7,
                                     1e6,
                                     1e5,
                                     2.2250738585072014e-308,
                                     9007199254740993.0,
                                     0.30000000000000004};
    struct gm_rng r;
    (void)state;
    gm_rng_init(&r, 3);
    for (size_t i = 0; i < 20000; i++) {
        double x, back = 0;
        uint64_t bits = gm_rng_u64(&r);
        memcpy(&x, &bits, sizeof x);
        if (i < sizeof special / sizeof *special)
            x = special[i];
        if (!isfinite(x))
            continue;
        struct gm_buf b;
        gm_buf_init(&b, 100);
        struct gm_json *j = gm_json_new_num(x), *again;
        assert_int_equal(gm_json_write(j, false, &b, NULL), GM_OK);
        assert_int_equal(gm_json_parse(&again, gm_buf_str(&b), NULL), GM_OK);
        assert_int_equal(gm_json_kind(again), GM_JSON_REAL); /* stays a real */
        assert_true(gm_json_num(again, &back));
        if (memcmp(&x, &back, sizeof x) != 0)
            fail_msg("%.17g became %s", x, b.p);
        gm_json_free(j);
        gm_json_free(again);
        gm_buf_clear(&b);
    }
    struct gm_json *j = gm_json_new_num(0.1);
    expect_text(j, false, "0.1"); /* the shortest text */
    gm_json_free(j);
}

/* ---- files ---- */

static char file_path[] = "/tmp/gm_test_json_XXXXXX";

static void write_file(const char *text)
{
    assert_int_equal(gm_file_write(file_path, gm_str(text), NULL), GM_OK);
}

static void json_files(void **state)
{
    struct gm_json *j;
    struct gm_error err;
    (void)state;
    write_file("{\n  \"a\": }");
    assert_int_equal(gm_json_load(&j, file_path, 100, &err), GM_EFORMAT);
    assert_null(j);
    assert_int_equal(strncmp(err.msg, file_path, strlen(file_path)), 0);
    assert_int_equal(strncmp(err.msg + strlen(file_path), ": 2:8: ", 7), 0);
    write_file("[1]");
    assert_int_equal(gm_json_load(&j, file_path, 2, &err), GM_ENOMEM);
    assert_int_equal(gm_json_load(&j, file_path, 3, &err), GM_OK); /* just fits */
    gm_json_free(j);
    assert_int_equal(gm_json_load(&j, "/nonexistent", 100, &err), GM_EIO);
    assert_int_equal(gm_json_load(&j, "/tmp", 100, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "is a directory"));
}

static void yaml_values(void **state)
{
    struct gm_json *j;
    struct gm_error err;
    (void)state;
    write_file("# recipe\nname: embedded # x\nn: 3\nneg: -2\nr: 1.5e-3\nt: true\nnone: "
               "~\nempty:\nquoted: \"3\"\n"
               "single: 'a''b'\nword: yes\nver: 1.2.3\ninf: .inf\nlist:\n  - a\n  - {b: 1, c: [2, "
               "3]}\nblock: |\n  x\n  y\n"
               "utf: caf\xC3\xA9\n");
    if (gm_yaml_load(&j, file_path, &err) != GM_OK)
        fail_msg("%s", err.msg);
    expect_text(
        j, false,
        "{\"name\": \"embedded\", \"n\": 3, \"neg\": -2, \"r\": 0.0015, \"t\": true, \"none\": "
        "null, "
        "\"empty\": null, \"quoted\": \"3\", \"single\": \"a'b\", \"word\": \"yes\", \"ver\": "
        "\"1.2.3\", "
        "\"inf\": \".inf\", \"list\": [\"a\", {\"b\": 1, \"c\": [2, 3]}], \"block\": \"x\\ny\\n\", "
        "\"utf\": \"caf\xC3\xA9\"}");
    gm_json_free(j);
}

static void yaml_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "empty file"},
        {"# only a comment\n", "empty file"},
        {"a: 1\na: 2\n", ":2:1: this key is here twice"},
        {"a: &x 1\n", "anchors and tags"},
        {"a: *x\n", ":1:"},
        {"a: !!int 3\n", "anchors and tags"},
        {"a: &x {b: 1}\n", "anchors and tags"},
        {"a: !!seq [1]\n", "anchors and tags"},
        {"&x a: 1\n", "a key must be a plain word"},
        {"a: 1\n---\nb: 2\n", "a second document"},
        {"a: [1, 2\n", ":2:"},
        {"a: 1\n b: 2\n", ":2:"},
        {"\ta: 1\n", ":1:"},
        {"? [a]\n: 1\n", "a key must be a plain word"},
        {"a: \"\\q\"\n", ":1:"},
        {"a: \xFF\n", ":"},
        {"a: {b: {c: }\n", ":2:"},
    };
    struct gm_json *j;
    struct gm_error err;
    char deep[400] = "";
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(cases[i].text);
        enum gm_status st = gm_yaml_load(&j, file_path, &err);
        if (st != GM_EFORMAT || !strstr(err.msg, cases[i].message) || !strstr(err.msg, file_path))
            fail_msg("case %zu: %s: %s", i, gm_status_name(st), st ? err.msg : "");
        assert_null(j);
    }
    memset(deep, '[', 300);
    write_file(deep);
    assert_int_equal(gm_yaml_load(&j, file_path, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, "nested too deeply"));
    assert_int_equal(gm_yaml_load(&j, "/nonexistent.yaml", &err), GM_EIO);
}

/* Our own allocations failing one by one: an error, never a leak. (jansson's and libyaml's own
 * memory does not pass through gm_alloc.) */
static void torture(void **state)
{
    (void)state;
    write_file("a: [1, {b: c}]\n");
    for (size_t n = 1;; n++) {
        struct gm_json *j;
        struct gm_buf b;
        gm_buf_init(&b, 1000);
        gm_alloc_fail_at(n);
        enum gm_status st = gm_yaml_load(&j, file_path, NULL);
        if (st == GM_OK)
            st = gm_json_write(j, true, &b, NULL);
        gm_alloc_fail_at(0);
        gm_json_free(j);
        gm_buf_clear(&b);
        assert_int_equal(gm_alloc_live(), 0);
        if (st == GM_OK) {
            assert_true(n > 2);
            return;
        }
        assert_int_equal(st, GM_ENOMEM);
    }
}

/* What other programs write: each is read, and nothing else of the text changes. */
static void lenient(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"\"Ann \\ud83d in\"", "\"Ann \xEF\xBF\xBD in\""},
        {"\"\\udE00\\ud83d\\ud83d\\ude00\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xF0\x9F\x98\x80\""},
        {"{\"\\ud83d\": \"\\\\ud83d \\\"NaN\"}", "{\"\xEF\xBF\xBD\": \"\\\\ud83d \\\"NaN\"}"},
        {"{\"a\": NaN, \"b\": [-Infinity, 1]}", "{\"a\": \"NaN\", \"b\": [\"-Infinity\", 1]}"},
        {"[1e999, -12345678901234567890123, 2.5]",
         "[\"1e999\", \"-12345678901234567890123\", 2.5]"},
        {"\xEF\xBB\xBF{\"a\": 1}", "{\"a\": 1}"},
    };
    static const char *const bad[] = {
        "nan",    "[NaN",    "1e999x", "0123456789012345678901", "\"\\ud83d",
        "[-NaN]", "\"\\u12", "\"\\",   "\xEF\xBB\xBF",           "[\xEF\xBB\xBF]"};
    struct gm_json *j;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(gm_json_parse(&j, gm_str(cases[i].text), NULL), GM_EFORMAT);
        assert_int_equal(gm_json_parse_lenient(&j, gm_str(cases[i].text), NULL), GM_OK);
        expect_text(j, false, cases[i].want);
        gm_json_free(j);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(gm_json_parse_lenient(&j, gm_str(bad[i]), NULL), GM_EFORMAT);
    char longest[1000];
    memset(longest, '9', sizeof longest);
    assert_int_equal(gm_json_parse_lenient(&j, (struct gm_str){longest, sizeof longest}, NULL),
                     GM_OK);
    assert_int_equal(gm_json_kind(j), GM_JSON_STRING);
    gm_json_free(j);
    longest[500] = 'x';
    assert_int_equal(gm_json_parse_lenient(&j, (struct gm_str){longest, sizeof longest}, NULL),
                     GM_EFORMAT);
}

/* A locale with a decimal comma as glibc's localedef compiles it, so that none need be installed. */
static bool use_comma_locale(char *dir)
{
    char path[128];
    const uint32_t head[] = {0x20031115 ^ LC_NUMERIC, 6, 32, 34, 36, 40, 44, 48};
    const uint32_t wide[] = {',', 0};
    snprintf(path, sizeof path, "%s/xx", dir);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/xx/LC_NUMERIC", dir);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(head, sizeof head, 1, f);
    fwrite(",\0\0\0\177\0\0\0", 8, 1, f);
    fwrite(wide, sizeof wide, 1, f);
    fwrite("UTF-8", 6, 1, f);
    fclose(f);
    setenv("LOCPATH", dir, 1);
    return setlocale(LC_NUMERIC, "xx") != NULL;
}

static void comma_locale(void **state)
{
    char dir[] = "/tmp/gm-locale-XXXXXX", path[128], shown[16];
    double x;
    (void)state;
    assert_non_null(mkdtemp(dir));
    bool has = use_comma_locale(dir);
    snprintf(shown, sizeof shown, "%.1f", 2.5);
    struct gm_json *j = parse("[2.5, 1e-7]");
    expect_text(j, false, "[2.5, 1e-07]");
    assert_true(gm_str_to_double(GM_STR("2.5"), &x) && x == 2.5);
    gm_json_free(j);
    setlocale(LC_NUMERIC, "C");
    unsetenv("LOCPATH");
    snprintf(path, sizeof path, "%s/xx/LC_NUMERIC", dir);
    remove(path);
    snprintf(path, sizeof path, "%s/xx", dir);
    remove(path);
    remove(dir);
    if (!has)
        skip_because("setlocale takes no locale that was made here");
    assert_string_equal(shown, "2,5"); /* else this has tested nothing */
}

/* Walking through text: where it stops, and at what. */
static void scanning(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum gm_scan_end end;
        size_t at;
    } cases[] = {
        {"1, 2", GM_SCAN_AT_SIGN, 1},        {"{\"a\": [1, \"]}\"]} , 2", GM_SCAN_AT_SIGN, 17},
        {"\"a\\\"]\"]", GM_SCAN_AT_SIGN, 6}, {"\"\\\\\"}", GM_SCAN_AT_SIGN, 4},
        {"[1]\n", GM_SCAN_AT_END, 4},        {"", GM_SCAN_AT_END, 0},
        {"[1, [2]", GM_SCAN_CUT, 7},         {"[\"a", GM_SCAN_STRING, 3},
        {"[\"a\\\"", GM_SCAN_STRING, 5},     {"[\"a\nb\"]", GM_SCAN_STRING, 3},
        {"\"", GM_SCAN_STRING, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t at = 0;
        enum gm_scan_end end = gm_scan_skip(gm_str(cases[i].text), &at);
        if (end != cases[i].end || at != cases[i].at)
            fail_msg("%s: %d at %zu", cases[i].text, (int)end, at);
    }
    char deep[GM_SCAN_DEPTH_MAX + 2];
    memset(deep, '[', sizeof deep);
    size_t at = 0;
    assert_int_equal(gm_scan_skip((struct gm_str){deep, GM_SCAN_DEPTH_MAX}, &at), GM_SCAN_CUT);
    at = 0;
    assert_int_equal(gm_scan_skip((struct gm_str){deep, sizeof deep}, &at), GM_SCAN_DEEP);
    struct gm_str key;
    at = 0;
    assert_true(gm_scan_key(GM_STR("\"a\\\"b\" :\n 1"), &at, &key));
    assert_true(gm_str_eq_c(key, "a\\\"b") && at == 10);
    at = 0;
    assert_false(gm_scan_key(GM_STR("\"a\" 1"), &at, &key));
    assert_int_equal(at, 0);
}

/* Escapes, and halves of surrogate pairs; the parser of what others wrote reads them the same. */
static void escapes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t cp; /* UINT32_MAX = none */
        size_t at;
    } cases[] = {
        {"\\n", '\n', 2},
        {"\\/", '/', 2},
        {"\\u00e9x", 0xe9, 6},
        {"\\ud83d\\uDE00x", 0x1f600, 12},
        {"\\ud83d", 0xd83d, 6},
        {"\\ud83dxxxxxx", 0xd83d, 6},
        {"\\ud83d\\u0041", 0xd83d, 6},
        {"\\ud83d\\ud83d", 0xd83d, 6},
        {"\\ude00\\ud83d", 0xde00, 6},
        {"\\u00g0", UINT32_MAX, 0},
        {"\\u00e", UINT32_MAX, 0},
        {"\\x", UINT32_MAX, 0},
        {"\\", UINT32_MAX, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t cp = UINT32_MAX;
        size_t at = 0;
        bool is = gm_scan_escape(gm_str(cases[i].text), &at, &cp);
        if (is != (cases[i].cp != UINT32_MAX) || cp != cases[i].cp || at != cases[i].at)
            fail_msg("%s: U+%04X at %zu", cases[i].text, (unsigned)cp, at);
        if (!is)
            continue;
        char json[64], want[16];
        struct gm_json *j;
        struct gm_str s;
        size_t n = gm_utf8_put(cp, want);
        snprintf(json, sizeof json, "\"%.*s\"", (int)at, cases[i].text);
        assert_int_equal(gm_json_parse_lenient(&j, gm_str(json), NULL), GM_OK);
        assert_true(gm_json_str(j, &s) && gm_str_eq(s, (struct gm_str){want, n}));
        gm_json_free(j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),           cmocka_unit_test(refused),
        cmocka_unit_test(writing),           cmocka_unit_test(building),
        cmocka_unit_test(numbers_read_back), cmocka_unit_test(json_files),
        cmocka_unit_test(yaml_values),       cmocka_unit_test(yaml_refused),
        cmocka_unit_test(lenient),           cmocka_unit_test(comma_locale),
        cmocka_unit_test(torture),           cmocka_unit_test(scanning),
        cmocka_unit_test(escapes),
    };
    if (mkstemp(file_path) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(file_path);
    return failed;
}
