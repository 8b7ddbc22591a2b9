/* Multipart forms and the parameters of an address: as browsers and curl write them, and as nobody should. */
#include "unit.h"

#include "base/buf.h"
#include "serve/multipart.h"
#include "serve/query.h"

/* ---- forms ---- */

#define TYPE "multipart/form-data; boundary=XX"

static enum gm_status parse(const char *type, struct gm_str body, struct gm_form_part **out,
                            size_t *n, struct gm_arena *a)
{
    struct gm_error err = {0};
    enum gm_status st = gm_multipart_parse(out, n, gm_str(type), body, 3, a, &err);
    assert_true(st == GM_OK || err.msg[0]);
    return st;
}

static void test_form(void **state)
{
    static const char body[] =
        "preamble\r\n--XX\r\n"
        "Content-Disposition: form-data; name=\"text\"\r\n\r\n"
        "two\r\nlines--XX\r\n"
        "--XX \t\r\n"
        "content-type: image/png\r\n"
        "CONTENT-DISPOSITION:form-data;filename=\"a;b \\\"c\\\".png\"; name=image\r\n\r\n"
        "\0\r\n--X\r\n"
        "--XX\r\n"
        "Content-Disposition: form-data; name=\"\"\r\n\r\n"
        "\r\n--XX--\r\nepilogue";
    struct gm_arena a;
    struct gm_form_part *p;
    size_t n;
    (void)state;
    gm_arena_init(&a, 0);
    assert_int_equal(parse(TYPE, (struct gm_str){body, sizeof body - 1}, &p, &n, &a), GM_OK);
    assert_int_equal(n, 3);
    assert_true(gm_str_eq_c(p[0].name, "text") && gm_str_eq_c(p[0].body, "two\r\nlines--XX"));
    assert_null(p[0].filename.p);
    assert_true(gm_str_eq_c(p[1].name, "image") && gm_str_eq_c(p[1].type, "image/png"));
    assert_true(gm_str_eq_c(p[1].filename, "a;b \"c\".png"));
    assert_true(gm_str_eq(p[1].body, GM_STR("\0\r\n--X")));
    assert_true(p[2].name.p && p[2].name.n == 0 && p[2].body.n == 0);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

static void test_form_faults(void **state)
{
    static const struct {
        const char *type, *body;
    } bad[] = {
        {"multipart/form-data", "--XX--"},
        {"multipart/form-data; boundary=", "--\r\n----"},
        {"multipart/form-data; boundary=\"a\nb\"", "--a\nb--"},
        {TYPE, ""},
        {TYPE, "--XY\r\n\r\n--XY--"},
        {TYPE, "--XX\r\n"},
        {TYPE, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nno end"},
        {TYPE, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n--XX--x"},
        {TYPE, "--XX\r\nContent-Disposition: form-data\r\n\r\n\r\n--XX--"},
        {TYPE, "--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--XX--"},
        {TYPE, "--XX\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\n\r\n--XX--"},
        {TYPE, "--XX\r\nno empty line\r\n--XX--"},
        {TYPE, "--XX\r\n\r\n\r\n--XX--"},
        {TYPE, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--XX"
               "\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n--XX"
               "\r\nContent-Disposition: form-data; name=c\r\n\r\n\r\n--XX"
               "\r\nContent-Disposition: form-data; name=d\r\n\r\n\r\n--XX--"}, /* one too many */
    };
    struct gm_arena a;
    struct gm_form_part *p;
    size_t n;
    (void)state;
    gm_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(bad[i].type, gm_str(bad[i].body), &p, &n, &a), GM_EFORMAT);
    gm_arena_clear(&a);
}

static void test_header(void **state)
{
    struct gm_arena a;
    (void)state;
    gm_arena_init(&a, 0);
    assert_true(gm_header_is(GM_STR("Application/JSON ; charset=utf-8"), "application/json"));
    assert_false(gm_header_is(GM_STR("application/jsonl"), "application/json"));
    assert_false(gm_header_is(GM_STR(""), "application/json"));
    assert_true(
        gm_str_eq_c(gm_header_param(GM_STR("a; x=1;Y = \"2;\\\\\" ; z=3 "), "y", &a), "2;\\"));
    assert_true(gm_str_eq_c(gm_header_param(GM_STR("a; x=1;Y=\"2\";z= 3 "), "z", &a), "3"));
    assert_true(gm_str_eq_c(gm_header_param(GM_STR("a; y; x=1;"), "x", &a), "1"));
    assert_null(gm_header_param(GM_STR("a; x=1; y"), "y", &a).p);
    assert_null(gm_header_param(GM_STR("y=1"), "y", &a).p);
    gm_arena_clear(&a);
}

/* A value takes the memory of its own length, whatever stands before it, and there is an end to what is looked at. */
static void test_header_memory(void **state)
{
    struct gm_buf many, far;
    struct gm_arena a;
    (void)state;
    gm_buf_init(&many, 4000);
    gm_buf_init(&far, 1000);
    gm_arena_init(&a, 4096); /* of which one block of its kind is little */
    for (int i = 0; i < 60; i++)
        assert_int_equal(
            gm_buf_add_c(&many, ";a=\"0123456789012345678901234567890123456789\"", NULL), GM_OK);
    assert_int_equal(gm_buf_add_c(&many, ";name=\"x\\\\\";b=", NULL), GM_OK);
    for (int i = 0; i < 64; i++)
        assert_int_equal(gm_buf_add_c(&far, ";a=", NULL), GM_OK);
    assert_int_equal(gm_buf_add_c(&far, ";name=x", NULL), GM_OK);
    for (int i = 0; i < 50; i++)
        assert_true(gm_str_eq_c(gm_header_param(gm_buf_str(&many), "name", &a), "x\\"));
    assert_null(gm_header_param(gm_buf_str(&far), "name", &a).p);
    gm_arena_clear(&a);
    gm_buf_clear(&many);
    gm_buf_clear(&far);
}

/* ---- queries ---- */

static enum gm_status query(struct gm_query *q, const char *text, struct gm_arena *a)
{
    struct gm_error err = {0};
    enum gm_status st = gm_query_parse(q, gm_str(text), a, &err);
    assert_true(st == GM_OK || err.msg[0]);
    return st;
}

static void test_query(void **state)
{
    struct gm_arena a;
    struct gm_query q;
    (void)state;
    gm_arena_init(&a, 0);
    assert_int_equal(query(&q, "", &a), GM_OK);
    assert_int_equal(q.n, 0);
    assert_int_equal(query(&q, "a=1+2&&b=%C3%a9%26&c&d==", &a), GM_OK);
    assert_int_equal(q.n, 4);
    assert_true(gm_str_eq_c(gm_query_get(&q, "a"), "1 2"));
    assert_true(gm_str_eq_c(gm_query_get(&q, "b"), "\xc3\xa9&"));
    assert_true(gm_query_get(&q, "c").p && gm_query_get(&q, "c").n == 0);
    assert_true(gm_str_eq_c(gm_query_get(&q, "d"), "="));
    assert_null(gm_query_get(&q, "e").p);
    static const char *const bad[] = {"a=%",   "a=%1",    "a=%zz",    "a=%ff",
                                      "a=%00", "a=1&a=2", "%61=1&a=2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(query(&q, bad[i], &a), GM_EFORMAT);
    gm_arena_clear(&a);
}

static void test_query_many(void **state)
{
    char text[8 * GM_QUERY_MAX + 16] = "";
    size_t n = 0;
    struct gm_arena a;
    struct gm_query q;
    (void)state;
    gm_arena_init(&a, 0);
    for (int i = 0; i < GM_QUERY_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "p%d&", i);
    assert_int_equal(query(&q, text, &a), GM_OK);
    assert_int_equal(q.n, GM_QUERY_MAX);
    snprintf(text + n, sizeof text - n, "more");
    assert_int_equal(query(&q, text, &a), GM_EFORMAT);
    gm_arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),          cmocka_unit_test(test_form_faults),
        cmocka_unit_test(test_header),        cmocka_unit_test(test_query),
        cmocka_unit_test(test_header_memory), cmocka_unit_test(test_query_many),
    };
    return cmocka_run_group_tests(tests, NULL, no_leak);
}
