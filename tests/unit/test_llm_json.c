/* The JSON that models write, and the schemas it is held against. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "llm/json_repair.h"
#include "llm/schema.h"

/* The compact JSON that `text` was read as; "(none)" for nothing. */
static const char *read_as(const char *text, enum gm_json_care want)
{
    static char out[600];
    enum gm_json_care care;
    struct gm_json *j;
    struct gm_buf b;
    if (gm_json_read_tolerant(&j, gm_str(text), &care, NULL) != GM_OK)
        return "(none)";
    gm_buf_init(&b, sizeof out - 1);
    assert_int_equal(care, want);
    assert_int_equal(gm_json_write(j, false, &b, NULL), GM_OK);
    snprintf(out, sizeof out, "%s", b.p);
    gm_buf_clear(&b);
    gm_json_free(j);
    return out;
}

static void slips(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
        enum gm_json_care care;
    } cases[] = {
        {"{\"a\": 1}", "{\"a\":1}", GM_JSON_STRICT},
        {"  [1, 2]\n", "[1,2]", GM_JSON_STRICT},
        {"```json\n{\"a\": [1, 2]}\n```", "{\"a\":[1,2]}", GM_JSON_REPAIRED},
        {"Sure! Here it is:\n{\"a\": true}\nAnything else?", "{\"a\":true}", GM_JSON_REPAIRED},
        {"\xef\xbb\xbf{\"a\": [-Infinity, NaN]}", "{\"a\":[null,null]}", GM_JSON_REPAIRED},
        {"{\"a\": \"\\ud83d x\"}", "{\"a\":\"\357\277\275 x\"}", GM_JSON_REPAIRED},
        {"{\"a\": [1, 2,], }", "{\"a\":[1,2]}", GM_JSON_REPAIRED},
        {"{'a': 'it is \"x\"', 'b': None, 'c': True, 'd': False}",
         "{\"a\":\"it is \\\"x\\\"\",\"b\":null,\"c\":true,\"d\":false}", GM_JSON_REPAIRED},
        {"{a: -1.5e3, b_2: []}", "{\"a\":-1500.0,\"b_2\":[]}", GM_JSON_REPAIRED},
        {"{\"a\": \"two\nlines\"}", "{\"a\":\"two\\nlines\"}", GM_JSON_REPAIRED},
        {"{\"a\": \"\\u00e9\\ud83d\\ude00\\/\",}", "{\"a\":\"\303\251\360\237\230\200/\"}",
         GM_JSON_REPAIRED},
        {"see [this], or rather {\"a\": 1}", "{\"a\":1}", GM_JSON_REPAIRED},
        {"[[1, 2], [3, 4], [5, 6", "[[1,2],[3,4]]", GM_JSON_TRUNCATED},
        {"{\"boxes\": [{\"x\": 1}, {\"x\": 2", "{\"boxes\":[{\"x\":1}]}", GM_JSON_TRUNCATED},
        {"{\"a\": 1, \"b\": \"cut he", "{\"a\":1}", GM_JSON_TRUNCATED},
        {"[1, 2, 1", "[1,2]", GM_JSON_TRUNCATED},
        {"[", "[]", GM_JSON_TRUNCATED},
        {"", "(none)", 0},
        {"no json here", "(none)", 0},
        {"\"only a string\"", "(none)", 0},
        {"}{", "{}", GM_JSON_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[600];
        bool none = strcmp(cases[i].json, "(none)") == 0;
        snprintf(want, sizeof want, "%s", none ? "(none)" : read_as(cases[i].json, GM_JSON_STRICT));
        assert_string_equal(read_as(cases[i].text, cases[i].care), want);
    }
}

static void deep_nesting(void **state)
{
    (void)state;
    static char text[200001];
    memset(text, '[', 200000);
    assert_string_equal(read_as(text, GM_JSON_TRUNCATED), "(none)");
}

/* Every cut of a long answer, and every byte of it damaged: an answer or an error, never a crash.
 */
static void cuts_and_damage(void **state)
{
    (void)state;
    static const char whole[] =
        "```json\n{\"boxes\": [{\"label\": \"a 'man'\", \"box\": [1.5, 2, -3, "
        "4e2]}, {'label': None, box: [],},], \"u\": \"\\u00e9\\n\"}\n```";
    char text[sizeof whole];
    enum gm_json_care care;
    struct gm_json *j;
    for (size_t n = 0; n < sizeof whole; n++)
        for (int damage = 0; damage < 5; damage++) {
            memcpy(text, whole, sizeof whole);
            text[n] = "\"]}\\x"[damage];
            struct gm_str s = {text, damage ? sizeof whole - 1 : n};
            if (gm_json_read_tolerant(&j, s, &care, NULL) == GM_OK)
                gm_json_free(j);
        }
}

static const char *fits(const char *schema, const char *value)
{
    static struct gm_error err;
    struct gm_json *s, *v;
    assert_int_equal(gm_schema_parse(&s, gm_str(schema), &err), GM_OK);
    assert_int_equal(gm_json_parse(&v, gm_str(value), &err), GM_OK);
    enum gm_status st = gm_schema_check(s, v, &err);
    gm_json_free(s);
    gm_json_free(v);
    return st == GM_OK ? "yes" : err.msg;
}

#define BOXES                                                                                 \
    "{\"type\":\"object\",\"properties\":{\"boxes\":{\"type\":\"array\",\"maxItems\":2,"      \
    "\"items\":{\"type\":\"object\",\"properties\":{\"label\":{\"type\":\"string\",\"enum\":" \
    "[\"a\",\"b\"]},\"x\":{\"type\":\"number\",\"minimum\":0,\"maximum\":10}},"               \
    "\"required\":[\"label\",\"x\"],\"additionalProperties\":false}}},\"required\":[\"boxes\"]}"

static void schemas(void **state)
{
    (void)state;
    assert_string_equal(fits(BOXES, "{\"boxes\":[{\"label\":\"a\",\"x\":1.5}]}"), "yes");
    assert_string_equal(fits(BOXES, "{\"boxes\":[],\"more\":1}"), "yes");
    assert_string_equal(fits(BOXES, "{}"), "$.boxes: is missing");
    assert_string_equal(fits(BOXES, "[]"), "$: is an array, not of type object");
    assert_string_equal(fits(BOXES, "{\"boxes\":[{\"label\":\"c\",\"x\":1}]}"),
                        "$.boxes[0].label: \"c\" is none of the choices");
    assert_string_equal(fits(BOXES, "{\"boxes\":[{\"label\":\"a\",\"x\":11}]}"),
                        "$.boxes[0].x: 11 is out of range");
    assert_string_equal(fits(BOXES, "{\"boxes\":[{\"label\":\"a\",\"x\":\"1\"}]}"),
                        "$.boxes[0].x: is a string, not of type number");
    assert_string_equal(fits(BOXES, "{\"boxes\":[{\"label\":\"a\",\"x\":1,\"y\":2}]}"),
                        "$.boxes[0]: has the unknown member \"y\"");
    assert_string_equal(fits(BOXES, "{\"boxes\":[{},{},{}]}"), "$.boxes: has 3 elements");
    assert_string_equal(fits("{\"type\":\"integer\"}", "1.5"),
                        "$: is a number, not of type integer");
    assert_string_equal(fits("{\"type\":\"string\",\"maxLength\":2}", "\"\303\251\303\251\""),
                        "yes");
    assert_string_equal(fits("{\"type\":\"string\",\"minLength\":1}", "\"\""),
                        "$: is 0 characters long");
}

static void unknown_keywords(void **state)
{
    (void)state;
    struct gm_json *s;
    struct gm_error err;
    assert_int_equal(gm_schema_parse(&s,
                                     GM_STR("{\"type\":\"object\",\"properties\":{\"a\":"
                                            "{\"type\":\"string\",\"pattern\":\"x\"}}}"),
                                     &err),
                     GM_EFORMAT);
    assert_non_null(strstr(err.msg, "pattern"));
    assert_int_equal(gm_schema_parse(&s, GM_STR("{\"type\":\"text\"}"), &err), GM_EFORMAT);
    assert_int_equal(gm_schema_parse(&s, GM_STR("{}"), &err), GM_EFORMAT);
}

/* Memory that runs out anywhere is told as such and leaks nothing. */
static void torture(void **state)
{
    (void)state;
    enum gm_json_care care;
    struct gm_json *j;
    for (size_t nth = 1; nth < 6; nth++) {
        size_t live = gm_alloc_live();
        gm_alloc_fail_at(nth);
        enum gm_status st =
            gm_json_read_tolerant(&j, GM_STR("x {'abc': ['d', 'e'],}"), &care, NULL);
        gm_alloc_fail_at(0);
        assert_true(st == GM_OK || st == GM_ENOMEM);
        if (st == GM_OK)
            gm_json_free(j);
        assert_int_equal(gm_alloc_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(slips, no_leak),
        cmocka_unit_test_teardown(deep_nesting, no_leak),
        cmocka_unit_test_teardown(cuts_and_damage, no_leak),
        cmocka_unit_test_teardown(schemas, no_leak),
        cmocka_unit_test_teardown(unknown_keywords, no_leak),
        cmocka_unit_test_teardown(torture, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
