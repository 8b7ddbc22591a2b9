/* The option parser: every kind, every way to write a value, every mistake. */
#include "unit.h"

#include "cli/options.h"

#include <string.h>

struct opts {
    bool quick;
    const char *name, *mode;
    long long count;
    double rate;
};

static const struct gm_option table[] = {
    {"quick", 'q', GM_OPT_FLAG, offsetof(struct opts, quick), NULL, 0, 0, NULL, "be quick"},
    {"name", 'n', GM_OPT_STR, offsetof(struct opts, name), NULL, 0, 0, "NAME", "a name"},
    {"mode", 0, GM_OPT_CHOICE, offsetof(struct opts, mode), "slow", 0, 0, "slow|fast", "a mode"},
    {"count", 'c', GM_OPT_INT, offsetof(struct opts, count), "3", 0, 10, "N", "a count"},
    {"rate", 0, GM_OPT_NUM, offsetof(struct opts, rate), "0.5", 0, 1, "X", "a rate"},
    GM_OPTION_END,
};

enum { MAX_WORDS = 8 };

struct result {
    struct opts o;
    struct gm_args args;
    struct gm_error err;
    enum gm_status st;
};

static void parse(struct result *r, const char *const *words)
{
    char *argv[MAX_WORDS];
    int argc = 0;
    *r = (struct result){0};
    while (words[argc]) {
        argv[argc] = (char *)(uintptr_t)words[argc];
        argc++;
    }
    const struct gm_option_set set = {table, &r->o};
    r->st = gm_options_parse(&set, 1, argc, argv, &r->args, &r->err);
}

#define PARSE(r, ...) parse((r), (const char *const[]){__VA_ARGS__, NULL})

static void expect_error(const char *part, const char *const *words)
{
    struct result r;
    parse(&r, words);
    gm_free(r.args.v);
    assert_int_equal(r.st, GM_EARG);
    if (!strstr(r.err.msg, part))
        fail_msg("\"%s\" lacks \"%s\"", r.err.msg, part);
}

#define ERROR(part, ...) expect_error((part), (const char *const[]){__VA_ARGS__, NULL})

static void test_presets(void **state)
{
    (void)state;
    struct result r;
    parse(&r, (const char *const[]){NULL});
    assert_int_equal(r.st, GM_OK);
    assert_false(r.o.quick);
    assert_null(r.o.name);
    assert_string_equal(r.o.mode, "slow");
    assert_int_equal(r.o.count, 3);
    assert_true(r.o.rate == 0.5);
    assert_int_equal(r.args.n, 0);
    assert_false(gm_option_given(&r.args, "count"));
    gm_free(r.args.v);
}

static void test_values(void **state)
{
    (void)state;
    struct result r;
    PARSE(&r, "in.txt", "--name=x=y", "-q", "--count", "10", "--rate=1e-1", "--mode", "fast");
    assert_int_equal(r.st, GM_OK);
    assert_true(r.o.quick);
    assert_string_equal(r.o.name, "x=y");
    assert_string_equal(r.o.mode, "fast");
    assert_int_equal(r.o.count, 10);
    assert_true(r.o.rate == 0.1);
    assert_int_equal(r.args.n, 1);
    assert_string_equal(r.args.v[0], "in.txt");
    gm_free(r.args.v);
    PARSE(&r, "-c7", "-n", "-", "-", "--", "--name", "-q");
    assert_int_equal(r.st, GM_OK);
    assert_int_equal(r.o.count, 7);
    assert_true(gm_option_given(&r.args, "count") && gm_option_given(&r.args, "name"));
    assert_false(gm_option_given(&r.args, "rate"));
    assert_string_equal(r.o.name, "-");
    assert_false(r.o.quick);
    assert_int_equal(r.args.n, 3);
    assert_string_equal(r.args.v[0], "-");
    assert_string_equal(r.args.v[2], "-q");
    gm_free(r.args.v);
}

static void test_mistakes(void **state)
{
    (void)state;
    ERROR("did you mean --count?", "--cuont", "3");
    ERROR("did you mean --rate?", "--rat=1");
    ERROR("unknown option --zzzzzzzz; --help", "--zzzzzzzz");
    ERROR("unknown option -x", "-x");
    ERROR("unknown option -qx", "-qx");
    ERROR("--count needs a value: --count N", "--count");
    ERROR("\"3x\" is not a whole number", "--count", "3x");
    ERROR("\" 3\" is not a whole number", "--count", " 3");
    ERROR("\"\" is not a whole number", "--count=");
    ERROR("out of range; it must be from 0 to 10", "--count", "11");
    ERROR("out of range", "--count", "-1");
    ERROR("is not a whole number", "--count", "99999999999999999999");
    ERROR("is not a number", "--rate", "nan");
    ERROR("is not a number", "--rate", "inf");
    ERROR("out of range", "--rate", "1.5");
    ERROR("\"medium\" is none of slow|fast", "--mode", "medium");
    ERROR("\"slow|fast\" is none of", "--mode", "slow|fast");
    ERROR("--quick takes no value", "--quick=yes");
    ERROR("--name: the value is empty", "--name", "");
    ERROR("--name is given twice", "--name", "a", "-n", "b");
}

static void test_no_memory(void **state)
{
    (void)state;
    size_t live = gm_alloc_live();
    struct result r;
    gm_alloc_fail_at(1);
    PARSE(&r, "a", "--quick");
    gm_alloc_fail_at(0);
    assert_int_equal(r.st, GM_ENOMEM);
    gm_free(r.args.v);
    assert_int_equal(gm_alloc_live(), live);
}

static const char *const fruit[] = {"apple", "banana", "cherry"};

static const char *fruit_at(const void *ctx, size_t i)
{
    (void)ctx;
    return fruit[i];
}

static void test_nearest(void **state)
{
    (void)state;
    assert_string_equal(gm_nearest("aplpe", 3, fruit_at, NULL), "apple");
    assert_string_equal(gm_nearest("BANANA", 3, fruit_at, NULL), "banana");
    assert_string_equal(gm_nearest("che", 3, fruit_at, NULL), "cherry");
    assert_null(gm_nearest("orange-tree", 3, fruit_at, NULL));
    assert_null(gm_nearest("", 3, fruit_at, NULL));
    char longer[400];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = 0;
    assert_null(gm_nearest(longer, 3, fruit_at, NULL));
}

static void test_help_lists_every_row(void **state)
{
    (void)state;
    struct gm_buf b;
    gm_buf_init(&b, 1 << 16);
    assert_int_equal(gm_options_help(table, &b, NULL), GM_OK);
    assert_non_null(strstr(b.p, "-c, --count N"));
    assert_non_null(strstr(b.p, "a mode (default: slow)"));
    assert_non_null(strstr(b.p, "--quick"));
    gm_buf_reset(&b);
    assert_int_equal(gm_options_markdown(table, &b, NULL), GM_OK);
    assert_non_null(strstr(b.p, "| `--mode slow\\|fast` | a mode | slow |"));
    gm_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_nearest),  cmocka_unit_test(test_help_lists_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, no_leak);
}
