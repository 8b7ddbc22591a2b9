/* Answers in the models' own forms, read as the form that was asked for. */
#include "unit.h"

#include <time.h>

#include <stdio.h>
#include <string.h>

#include "stages/said.h"

typedef enum gm_status reader(struct gm_json **out, struct gm_str text, struct gm_error *err);

static const char *read_as(reader *read, const char *text)
{
    static char out[400];
    struct gm_json *j;
    struct gm_buf b;
    if (read(&j, gm_str(text), NULL) != GM_OK)
        return "(none)";
    gm_buf_init(&b, sizeof out - 1);
    assert_int_equal(gm_json_write(j, false, &b, NULL), GM_OK);
    snprintf(out, sizeof out, "%s", b.p);
    gm_buf_clear(&b);
    gm_json_free(j);
    return out;
}

/* Every way to say the box 100, 200, 500, 600. */
static void one_box(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{\"boxes\": [[100, 200, 500, 600]]}",
        "{\"boxes\": [100, 200, 500, 600]}",
        "{\"boxes\": [[\"100\", \"200\", \" 500\", \"600.0\"]]}",
        "{\"boxes\": [{\"xmin\": 100, \"ymin\": 200, \"xmax\": 500, \"ymax\": 600}]}",
        "{\"x1\": 100, \"y1\": 200, \"x2\": 500, \"y2\": 600}",
        "```json\n[\n\t{\"bbox_2d\": [100, 200, 500, 600], \"label\": \"person\"}\n]\n```",
        "{\"bbox_2d\": [100, 200, 500, 600]}",
        "[{\"box_2d\": [100, 200, 500, 600]}]",
        "{\"bounding_boxes\": [{\"bbox\": [100, 200, 500, 600]}]}",
        "[[100, 200, 500, 600]]",
        "[100, 200, 500, 600]",
        "It is here: {\"box\": [[100, 200], [500, 600]]}",
        "{\"boxes\": [[500, 600, 100, 200]]}",
        "<|object_ref_start|>Ann<|object_ref_end|><|box_start|>(100,200),(500, 600)<|box_end|>",
        "<box>(100,200),(500,600)</box>",
        "<box>[[100, 200, 500, 600]]</box>",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char want[100], got[400];
        snprintf(want, sizeof want, "%s", read_as(gm_said_boxes, forms[0]));
        snprintf(got, sizeof got, "%s", read_as(gm_said_boxes, forms[i]));
        assert_string_equal(got, want);
    }
}

static void other_numbers_of_boxes(void **state)
{
    (void)state;
    static const char none[] = "{\"boxes\": []}";
    char want[100];
    snprintf(want, sizeof want, "%s", read_as(gm_said_boxes, none));
    assert_string_equal(read_as(gm_said_boxes, "null"), want);
    assert_string_equal(read_as(gm_said_boxes, "[]"), want);
    assert_string_equal(read_as(gm_said_boxes, "{\"bbox_2d\": null}"), want);
    snprintf(want, sizeof want, "%s", read_as(gm_said_boxes, "[[1, 2, 3, 4], [5, 6, 7, 8]]"));
    assert_string_equal(read_as(gm_said_boxes, "<|box_start|>(1,2),(3,4)<|box_end|> and "
                                               "<|box_start|>(5,6),(7,8)<|box_end|>"),
                        want);
    assert_string_equal(read_as(gm_said_boxes, "[{\"bbox\": [1, 2, 3, 4]}, [5, 6, 7, 8]]"), want);
    static const char *const bad[] = {"there is nothing", "{\"boxes\": [[1, 2, 3]]}",
                                      "{\"boxes\": [[1, 2, 3, \"far\"]]}", "{\"person\": 1}",
                                      "[[[[[[[[[[[1,2,3,4]]]]]]]]]]]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(read_as(gm_said_boxes, bad[i]), "(none)");
}

/* Answers about the entities of a post: each form as the first. */
static void grounds(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{\"entities\": [{\"entity\": 1, \"reason\": \"\", \"visible\": true, \"boxes\": [[1, 2, 3, 4]]}, "
        "{\"entity\": 2, \"reason\": \"\", \"visible\": false, \"boxes\": []}]}",
        "[{\"entity\": 1, \"bbox_2d\": [1, 2, 3, 4]}, {\"entity\": \"2\", \"bbox_2d\": null}]",
        "```json\n[{\"id\": 1, \"visible\": \"yes\", \"box\": [3, 4, 1, 2]}, {\"id\": 2, \"visible\": \"No\", "
        "\"box\": [9, 9, 10, 10]}]\n```",
        "{\"answers\": [{\"number\": 1, \"boxes\": \"<box>(1,2),(3,4)</box>\"}, {\"number\": 2, \"boxes\": "
        "\"none\"}]}",
        "[{\"entity\": 1, \"xmin\": 1, \"ymin\": 2, \"xmax\": 3, \"ymax\": 4}, {\"entity\": 2}]",
    };
    char want[400];
    snprintf(want, sizeof want, "%s", read_as(gm_said_grounds, forms[0]));
    assert_non_null(strstr(want, "[[1.0, 2.0, 3.0, 4.0]]"));
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        assert_string_equal(read_as(gm_said_grounds, forms[i]), want);
    /* an entity of two boxes said twice; an answer about the one entity without its number */
    assert_non_null(strstr(read_as(gm_said_grounds, "[{\"entity\": 1, \"bbox\": [1, 2, 3, 4]}, "
                                                    "{\"entity\": 1, \"bbox\": [5, 6, 7, 8]}]"),
                           "\"boxes\": [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]"));
    static const char *const alone[] = {"[{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"Ann\"}]",
                                        "[[1, 2, 3, 4]]", "<box>[[1, 2, 3, 4]]</box>",
                                        "{\"boxes\": [[1, 2, 3, 4]]}"};
    snprintf(want, sizeof want, "%s", read_as(gm_said_grounds, alone[0]));
    assert_non_null(strstr(want, "\"entity\": 1,"));
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        assert_string_equal(read_as(gm_said_grounds, alone[i]), want);
    assert_non_null(
        strstr(read_as(gm_said_grounds_yx, "[{\"entity\": 1, \"box_2d\": [1, 2, 3, 4]}]"),
               "[[2.0, 1.0, 4.0, 3.0]]"));
    assert_string_equal(read_as(gm_said_grounds, "[{\"entity\": 1, \"boxes\": \"in the middle\"}]"),
                        "(none)");
    assert_string_equal(read_as(gm_said_grounds, "nobody"), "(none)");
    /* reasons come first */
    assert_non_null(
        strstr(read_as(gm_said_ground, "{\"reason\": \"a hat\", \"boxes\": []}"), "\"a hat\""));
    assert_non_null(strstr(read_as(gm_said_ground, "[]"), "\"reason\": \"\""));
}

/* Of boxes that were found already: what the answer says, whatever boxes go along. */
static void checks(void **state)
{
    (void)state;
    static const struct {
        const char *said, *part;
    } cases[] = {
        {"{\"entities\": [{\"entity\": 1, \"reason\": \"\", \"answer\": \"keep\", \"boxes\": []}]}",
         "\"keep\""},
        {"[{\"entity\": \"1\", \"answer\": \" Keep\", \"bbox_2d\": [1, 2, 3, 4]}]", "\"keep\""},
        {"[{\"entity\": 1, \"answer\": \"NONE\"}]", "\"none\""},
        {"[{\"entity\": 1, \"bbox_2d\": [1, 2, 3, 4]}]", "\"change\""},
        {"[{\"entity\": 1, \"visible\": false}]", "\"none\""},
        {"[{\"entity\": 1, \"answer\": \"perhaps\"}]",
         "\"perhaps\""}, /* for the schema to refuse */
        {"[{\"entity\": 1}]", "\"answer\": \"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!strstr(read_as(gm_said_checks, cases[i].said), cases[i].part))
            fail_msg("%s: %s", cases[i].said, read_as(gm_said_checks, cases[i].said));
    assert_null(strstr(read_as(gm_said_checks, cases[0].said), "visible"));
    assert_non_null(
        strstr(read_as(gm_said_checks_yx, cases[3].said), "\"boxes\": [[2.0, 1.0, 4.0, 3.0]]"));
}

static void lists(void **state)
{
    (void)state;
    char want[200];
    snprintf(want, sizeof want, "%s",
             read_as(gm_said_phrases, "{\"phrases\": [{\"entity\": 1, \"phrase\": \"a\"}]}"));
    assert_string_equal(read_as(gm_said_phrases, "[{\"entity\": \"1\", \"phrase\": \"a\"}]"), want);
    assert_string_equal(
        read_as(gm_said_phrases, "{\"phrases\": [{\"entity\": \" 1\", \"phrase\": \"a\"}]}"), want);
    assert_string_equal(read_as(gm_said_entities, "no list"), "(none)");
}

/* Numbers of marks, in all forms. */
static void marks(void **state)
{
    (void)state;
    static const char *const two[] = {"{\"reason\": \"\", \"numbers\": [2, 5]}",
                                      "{\"numbers\": [\"2\", \"5\"]}",
                                      "{\"numbers\": \"2 and 5\"}",
                                      "{\"boxes\": [{\"number\": 2}, {\"mark\": 5}]}",
                                      "Both. {\"marks\": [2, 5]}",
                                      "[2, 5]",
                                      "2, 5",
                                      " #2 #5.\n"};
    static const char *const none[] = {
        "{\"numbers\": []}", "{\"numbers\": null}", "{\"numbers\": \"none\"}", "[]", "None.", "{}"};
    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        assert_string_equal(read_as(gm_said_marks, two[i]),
                            "{\"numbers\": [2, 5], \"reason\": \"\"}");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_string_equal(read_as(gm_said_marks, none[i]), "{\"numbers\": [], \"reason\": \"\"}");
    assert_string_equal(read_as(gm_said_marks, "{\"reason\": \"a hat\", \"number\": 3}"),
                        "{\"numbers\": [3], \"reason\": \"a hat\"}");
    assert_string_equal(read_as(gm_said_marks, "I see 2 men and 5 dogs"), "(none)");
    assert_string_equal(read_as(gm_said_marks, "no idea"), "(none)");
}

/* About all entities of a post; "number" is a mark's and not the entity's. */
static void marks_of_all(void **state)
{
    (void)state;
    static const char want[] =
        "{\"entities\": [{\"entity\": 1, \"reason\": \"\", \"visible\": true, \"numbers\": [3]}, "
        "{\"entity\": 2, \"reason\": \"\", \"visible\": false, \"numbers\": []}]}";
    static const char *const forms[] = {
        "{\"entities\": [{\"entity\": 1, \"visible\": true, \"numbers\": [3]}, {\"entity\": 2, "
        "\"visible\": false, \"numbers\": [4]}]}",
        "[{\"entity\": \"1\", \"number\": 3}, {\"id\": 2, \"number\": null}]"};
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(read_as(gm_said_mark_grounds, forms[i]), want);
    static const char one[] =
        "{\"entities\": [{\"entity\": 1, \"reason\": \"\", \"visible\": true, \"numbers\": [7]}]}";
    assert_string_equal(read_as(gm_said_mark_grounds, "{\"number\": 7}"), one);
    assert_string_equal(read_as(gm_said_mark_grounds, "7"), one);
    assert_string_equal(
        read_as(gm_said_mark_checks,
                "{\"entities\": [{\"entity\": 1, \"answer\": \"Change\", \"number\": \"2\"}]}"),
        "{\"entities\": [{\"entity\": 1, \"reason\": \"\", \"answer\": \"change\", \"numbers\": [2]}]}");
}

/* What a model says that repeats itself is read in time that grows as its length does. */
static void long_answers(void **state)
{
    (void)state;
    static const struct {
        reader *read;
        const char *again, *end; /* NULL = an object for each of many entities */
    } cases[] = {{gm_said_boxes, "<", ""},
                 {gm_said_boxes, "<loc_", ">"},
                 {gm_said_boxes, "<box>", "</box>"},
                 {gm_said_boxes, "<|det|>[[1,", ""},
                 {gm_said_grounds, NULL, "{}]}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_buf b;
        struct gm_json *out = NULL;
        gm_buf_init(&b, 4 << 20);
        bool numbered = !cases[i].again;
        if (numbered)
            assert_int_equal(gm_buf_add_c(&b, "{\"entities\": [", NULL), GM_OK);
        for (size_t n = 0; b.n < (1 << 20); n++)
            assert_int_equal(numbered
                                 ? gm_buf_printf(&b, NULL, "{\"entity\": %zu, \"boxes\": []}, ", n)
                                 : gm_buf_add_c(&b, cases[i].again, NULL),
                             GM_OK);
        assert_int_equal(gm_buf_add_c(&b, cases[i].end, NULL), GM_OK);
        clock_t start = clock();
        enum gm_status st = cases[i].read(&out, gm_buf_str(&b), NULL);
        double s = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (s > 4) /* squares took minutes */
            fail_msg("case %zu took %g s", i, s);
        assert_int_equal(st, numbered ? GM_OK : GM_EFORMAT);
        gm_json_free(out);
        gm_buf_clear(&b);
    }
}

static void yes_and_no(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int means;
    } cases[] = {{"Yes.", 1},       {"no", 0},
                 {"No, yes", 1},    {"It is not, so NO!", 0},
                 {"maybe", -1},     {"yesterday", -1},
                 {"", -1},          {"“No”", 0},
                 {"No。", 0},       {"Yes—he is on the left", 1},
                 {"✅Yes✅", 1},      {"**Yes**", 1},
                 {"noé, yesé", -1}, {"no\u0301", -1},
                 {"答案是No吗", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(gm_said_yes(gm_str(cases[i].text)), cases[i].means);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(one_box, no_leak),
        cmocka_unit_test_teardown(other_numbers_of_boxes, no_leak),
        cmocka_unit_test_teardown(grounds, no_leak),
        cmocka_unit_test_teardown(checks, no_leak),
        cmocka_unit_test_teardown(lists, no_leak),
        cmocka_unit_test_teardown(marks, no_leak),
        cmocka_unit_test_teardown(marks_of_all, no_leak),
        cmocka_unit_test_teardown(long_answers, no_leak),
        cmocka_unit_test(yes_and_no),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
