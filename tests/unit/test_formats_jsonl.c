/* Records as JSON Lines: there and back, what is kept, what is refused and with which words. */
#include "post_files.h"

#include <math.h>

/* The record of `line` written again; "" when it is refused, with *err filled. */
static void rewrite(const char *line, const char *base_dir, struct gm_buf *out,
                    struct gm_error *err)
{
    struct gm_json *j;
    struct gm_post p;
    gm_buf_reset(out);
    assert_status(gm_json_parse(&j, gm_str(line), err), GM_OK, err);
    gm_post_init(&p);
    if (gm_post_from_json(&p, j, base_dir, err) == GM_OK)
        assert_status(gm_post_to_json(&p, out, err), GM_OK, err);
    gm_post_clear(&p);
}

/* Lines that come back byte for byte. */
static void test_round_trip(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"id\": \"1\", \"text\": \"\"}",
        "{\"id\": 17, \"text\": \"a\\n\\u0000\\\"\", \"lang\": \"en\", \"x\": {\"y\": [1, 2.5, null, true]}}",
        "{\"zeta\": [], \"text\": \"Åse 日本 😀\", \"alpha\": {}, \"id\": null}",
        "{\"tokens\": [\"a\", \"\", \"\xC2\xA0\", \"b c\"], \"text\": \"a  \xC2\xA0 b c\", \"id\": \"t\"}",
        "{\"text\": \"a,b\", \"tokens\": [\"a\", \",\", \"b\"], \"id\": \"t\"}",
        "{\"id\": \"e\", \"text\": \"Ann saw Oslo\", \"image\": \"x/y.jpg\", \"caption\": \"c\", "
        "\"knowledge\": \"k\", \"entities\": [{\"text\": \"Ann\", \"type\": \"PER\", "
        "\"fine_type\": \"actor\", \"start\": 0, \"end\": 3, \"score\": 0.25, \"uncertainty\": "
        "{\"marginal\": 0.5, \"entropy\": 1.25, \"margin\": -3.0, \"span_score\": 0.75, \"type_score\": 0.5}, \"source\": \"tag\", \"note\": \"n\", "
        "\"expression\": \"a man\", \"visible\": 0.125, \"evidence\": {\"encoder\": 0.5, "
        "\"reader\": 0.0}, \"regions\": [{\"box\": [1.0, 2.5, 30.0, "
        "40.25], \"score\": 0.5, \"label\": \"person\", \"mask\": {\"size\": [40, 50], \"counts\": "
        "\"abc\"}, \"note\": \"m\"}], \"annotator\": {\"name\": \"Å\"}}], \"entity_candidates\": [{\"text\": \"Oslo\", \"type\": \"LOC\", "
        "\"start\": 8, \"end\": 12, \"score\": 0.25}], \"objects\": [{\"label\": "
        "\"person\", \"score\": 1.0, \"box\": [0.0, 0.0, 1.0, 1.0]}], \"error\": {\"stage\": \"look\", "
        "\"code\": \"io\", \"message\": \"no\"}}"};
    struct gm_buf out;
    struct gm_error err = {0};
    gm_buf_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        rewrite(lines[i], NULL, &out, &err);
        assert_string_equal(out.p ? out.p : err.msg, lines[i]);
    }
    gm_buf_clear(&out);
}

/* What is added or changed on the way through. */
static void test_additions(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"{\"tokens\": [\"a\", \"b\"], \"k\": 1}",
         "{\"tokens\": [\"a\", \"b\"], \"k\": 1, \"text\": \"a b\"}"},
        {"{\"text\": \"Ann\", \"entities\": [{\"type\": \"PER\", \"start\": 0, \"end\": 3, \"extra\": 1}], \"k\": 2}",
         "{\"text\": \"Ann\", \"entities\": [{\"text\": \"Ann\", \"type\": \"PER\", \"start\": 0, "
         "\"end\": 3, \"score\": 1.0, \"source\": \"input\", \"regions\": [], \"extra\": 1}], \"k\": 2}"},
        {"{\"text\": \"a\", \"caption\": null, \"entities\": null}",
         "{\"text\": \"a\", \"caption\": null, \"entities\": null}"},
        {"{\"text\": \"a\", \"error\": null}", "{\"text\": \"a\"}"}};
    struct gm_buf out;
    struct gm_error err = {0};
    gm_buf_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rewrite(cases[i].in, NULL, &out, &err);
        assert_string_equal(out.p ? out.p : err.msg, cases[i].out);
    }
    gm_buf_clear(&out);
}

/* A post from CoNLL, with all that stages add, read again from its JSON. */
static void test_conll_to_json(void **state)
{
    (void)state;
    struct gm_reader *r;
    struct gm_post p;
    struct gm_error err;
    struct gm_buf out, again;
    bool has;
    const char *path =
        temp_file("IMGID:5\nÅse\tB-PER\n\xC2\xA0\tO\n\tO\nhi\tO\n<EOS>\tX\nsinger\tX\n");
    gm_buf_init(&out, 1 << 20);
    gm_buf_init(&again, 1 << 20);
    struct gm_reader_opts opts = {.images_dir = "img"};
    assert_status(gm_reader_open(&r, path, &opts, &err), GM_OK, &err);
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    struct gm_region region = {{1.234f, 2, 3, 4.006f},
                               0.1234567f,
                               GM_STR("person"),
                               {4, 5, GM_STR("abc")},
                               GM_STR(""),
                               false,
                               NULL};
    struct gm_object object = {GM_STR("dog"), 0.5f, {0, 0, 1, 1}, NULL};
    p.entities[0].visible = 0;
    p.entities[0].regions = &region;
    p.entities[0].n_regions = 1;
    p.entities[0].uncertainty.has = true;
    p.entities[0].uncertainty.margin = -HUGE_VAL;
    p.caption = GM_STR("cap");
    struct gm_written written = {GM_STR("HULL \"CITY\""), 0.9876543f, {0, 0, 1, 1}, NULL};
    p.objects = &object;
    p.n_objects = 1;
    p.has_objects = true;
    p.texts = &written;
    p.n_texts = 1;
    p.has_texts = true;
    gm_post_fail(&p, "look", &(struct gm_error){.code = GM_EIO, .msg = "first"});
    gm_post_fail(&p, "tag", &(struct gm_error){.code = GM_EARG, .msg = "second"});
    assert_status(gm_post_to_json(&p, &out, &err), GM_OK, &err);
    gm_post_clear(&p);
    gm_reader_free(r);
    unlink(path);
    assert_string_equal(
        out.p,
        "{\"id\": \"5\", \"text\": \"Åse \xC2\xA0  hi\", \"tokens\": [\"Åse\", \"\xC2\xA0\", \"\", \"hi\"], "
        "\"image\": \"img/5.jpg\", \"caption\": \"cap\", \"knowledge\": \"singer\", \"entities\": "
        "[{\"text\": \"Åse\", \"type\": \"PER\", \"start\": 0, \"end\": 3, \"score\": 1.0, "
        "\"uncertainty\": {\"marginal\": 0.0, \"entropy\": 0.0, \"margin\": null, "
        "\"span_score\": 0.0, \"type_score\": 0.0}, \"source\": \"input\", \"visible\": 0.0, \"regions\": [{\"box\": [1.23, 2.0, 3.0, 4.01], "
        "\"score\": 0.123457, \"label\": \"person\", \"mask\": {\"size\": [4, 5], \"counts\": "
        "\"abc\"}}]}], \"objects\": [{\"label\": \"dog\", \"score\": 0.5, \"box\": [0.0, 0.0, 1.0, "
        "1.0]}], \"texts\": [{\"text\": \"HULL \\\"CITY\\\"\", \"score\": 0.987654, \"box\": [0.0, 0.0, 1.0, "
        "1.0]}], \"error\": {\"stage\": \"look\", \"code\": \"io\", \"message\": \"first\"}}");
    rewrite(out.p, "folder", &again, &err); /* the path is resolved in memory, not in the record */
    assert_string_equal(again.p ? again.p : err.msg, out.p);
    gm_buf_clear(&out);
    gm_buf_clear(&again);
}

/* Entities that were taken away must not come back from the input. */
static void test_removed(void **state)
{
    (void)state;
    struct gm_json *j;
    struct gm_post p;
    struct gm_buf out;
    struct gm_error err;
    gm_buf_init(&out, 1 << 20);
    gm_post_init(&p);
    assert_status(
        gm_json_parse(
            &j,
            GM_STR("{\"text\": \"Ann\", \"entities\": [{\"type\": \"PER\", "
                   "\"start\": 0, \"end\": 3}], \"objects\": [], \"texts\": [], \"k\": 1}"),
            &err),
        GM_OK, &err);
    assert_status(gm_post_from_json(&p, j, NULL, &err), GM_OK, &err);
    p.has_entities = p.has_objects = p.has_texts = false;
    p.n_entities = 0;
    gm_post_fail(&p, "tag", &(struct gm_error){.code = GM_ENOMEM, .msg = "m"});
    assert_status(gm_post_to_json(&p, &out, &err), GM_OK, &err);
    assert_string_equal(out.p, "{\"text\": \"Ann\", \"k\": 1, \"error\": {\"stage\": \"tag\", "
                               "\"code\": \"nomem\", \"message\": \"m\"}}");
    gm_post_clear(&p);
    gm_buf_clear(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    struct gm_post p;
    struct gm_buf out;
    gm_post_init(&p);
    gm_buf_init(&out, 1 << 20);
    struct gm_object o[] = {{GM_STR(""), 1e-9f, {-0.001f, 1e9f, 3e38f, 0.005f}, NULL},
                            {GM_STR(""), NAN, {HUGE_VALF, 12.5f, 100, 1200}, NULL}};
    p.objects = o;
    p.n_objects = 2;
    p.has_objects = true;
    assert_int_equal(gm_post_to_json(&p, &out, NULL), GM_OK);
    assert_string_equal(
        out.p, "{\"text\": \"\", \"objects\": [{\"label\": \"\", \"score\": 0.0, \"box\": [0.0, "
               "1000000000.0, 300000000549775575777803994281145270272.0, 0.0]}, "
               "{\"label\": \"\", \"score\": null, \"box\": [null, 12.5, 100.0, 1200.0]}]}");
    gm_buf_clear(&out);
    gm_post_clear(&p);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *msg;
    } cases[] = {
        {"[1]", "expected an object with \"text\" or \"tokens\", found an array"},
        {"{}", "neither \"text\" nor \"tokens\""},
        {"{\"text\": 3}", "\"text\": expected a string, found an integer"},
        {"{\"id\": 1.5, \"text\": \"\"}",
         "\"id\": expected a string or an integer, found a number"},
        {"{\"tokens\": \"a b\"}", "\"tokens\": expected an array, found a string"},
        {"{\"tokens\": [\"a\", null]}", "tokens[1]: expected a string, found null"},
        {"{\"tokens\": [\"a\", \"b\"], \"text\": \"a c\"}",
         "tokens[1]: \"b\" is not in \"text\" where it should be; give one of the two"},
        {"{\"tokens\": [\"a\"], \"text\": \"a c\"}",
         "\"text\" goes on after the last of its \"tokens\""},
        {"{\"text\": \"\", \"image\": true}", "\"image\": expected a string, found a boolean"},
        {"{\"text\": \"\", \"image\": {\"bytes\": \"\"}}",
         "\"image\": an object without \"path\", \"url\" or \"file_name\""},
        {"{\"text\": \"\", \"image\": [7]}",
         "\"image\": an array without \"path\", \"url\" or \"file_name\""},
        {"{\"text\": \"\", \"image\": \"a\\u0000b\"}", "\"image\": a NUL character in the path"},
        {"{\"text\": \"\", \"caption\": 1}", "\"caption\": expected a string, found an integer"},
        {"{\"text\": \"a\", \"entities\": {}}", "\"entities\": expected an array, found an object"},
        {"{\"text\": \"a\", \"entities\": [3]}",
         "entities[0]: entity: expected an object, found an integer"},
        {"{\"text\": \"a\", \"entities\": [{\"type\": \"X\"}]}",
         "entities[0]: \"start\": expected an integer, found missing"},
        {"{\"text\": \"éa\", \"entities\": [{\"type\": \"X\", \"start\": 0, \"end\": 3}]}",
         "entities[0]: \"end\": 3 is past the text's 2 code points"},
        {"{\"text\": \"éa\", \"entities\": [{\"type\": \"X\", \"start\": 0, \"end\": 400}]}",
         "entities[0]: \"end\": 400 is past the text's 2 code points"},
        {"{\"text\": \"ab\", \"entities\": [{\"type\": \"X\", \"start\": -1, \"end\": 1}]}",
         "entities[0]: \"start\": -1 is negative"},
        {"{\"text\": \"ab\", \"entities\": [{\"type\": \"X\", \"start\": 2, \"end\": 1}]}",
         "entities[0]: \"end\": 1 is before \"start\", 2"},
        {"{\"text\": \"ab\", \"entities\": [{\"type\": \"X\", \"start\": 0, \"end\": 1, \"text\": \"b\"}]}",
         "entities[0]: \"text\": \"b\" is not what is at 0..1: \"a\""},
        {"{\"text\": \"ab\", \"entities\": [{\"start\": 0, \"end\": 1}]}",
         "entities[0]: \"type\": expected a string such as \"PER\""},
        {"{\"text\": \"ab\", \"entities\": [{\"type\": \"X\", \"start\": 0, \"end\": 1, \"score\": 2}]}",
         "entities[0]: \"score\": 2 is not in 0..1"},
        {"{\"text\": \"ab\", \"entities\": [{\"type\": \"X\", \"start\": 0, \"end\": 1, \"visible\": true}]}",
         "entities[0]: \"visible\": expected a number, found a boolean"},
        {"{\"text\": \"ab\", \"entities\": [{\"type\": \"X\", \"start\": 0, \"end\": 1, \"regions\": [{}]}]}",
         "entities[0]: regions[0]: \"box\": expected [xmin, ymin, xmax, ymax] in pixels"},
        {"{\"text\": \"ab\", \"entities\": [{\"type\": \"X\", \"start\": 0, \"end\": 1, \"regions\": [{\"box\": [1, 2, 3, 4], \"mask\": {\"size\": [1]}}]}]}",
         "entities[0]: regions[0]: \"mask\": expected {\"size\": [height, width], \"counts\": \"compressed COCO RLE\"}"},
        {"{\"text\": \"\", \"objects\": [{\"label\": \"x\", \"box\": [0, 0, 1e10, 1]}]}",
         "objects[0]: \"box\": number 3 is none, or over 1e9"},
        {"{\"text\": \"\", \"texts\": [{\"text\": 1, \"box\": [0, 0, 1, 1]}]}",
         "texts[0]: \"text\": expected a string, found an integer"},
        {"{\"text\": \"\", \"error\": \"x\"}", "\"error\": expected an object, found a string"}};
    struct gm_buf out;
    struct gm_error err;
    gm_buf_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rewrite(cases[i].line, NULL, &out, &err);
        if (out.n)
            fail_msg("accepted: %s", cases[i].line);
        assert_int_equal(err.code, GM_EFORMAT);
        assert_string_equal(err.msg, cases[i].msg);
    }
    gm_buf_clear(&out);
}

static void expect_next(struct gm_reader *r, const char *part)
{
    struct gm_post p;
    struct gm_error err;
    bool has;
    enum gm_status st = gm_reader_next(r, &p, &has, &err);
    assert_true(has);
    if (st == GM_OK) {
        assert_true(gm_str_eq_c(p.text, part));
        gm_post_clear(&p);
    } else if (!strstr(err.msg, part)) {
        fail_msg("\"%s\" is not in: %s", part, err.msg);
    }
}

/* A bad line is reported with its number and the next one is read. */
static void test_bad_lines(void **state)
{
    (void)state;
    struct gm_buf b;
    struct gm_reader *r;
    struct gm_error err;
    struct gm_post p;
    bool has;
    gm_buf_init(&b, SIZE_MAX - 1);
    (void)!gm_buf_add_c(
        &b, "\xEF\xBB\xBF\r\n{\"text\": \"one\"}\r\n{\"text\": \"two\n{\"text\": 5}\n", NULL);
    for (size_t i = 0; i < 200000; i++)
        (void)!gm_buf_add_c(&b, "[", NULL);
    (void)!gm_buf_add_c(&b, "\n{\"text\": \"a\xFF\"}\n\n   \n{\"text\": \"\\ud800\"}\n", NULL);
    (void)!gm_buf_add(&b, "{\"text\": \"a\0b\"}\n", 17, NULL);
    for (size_t i = 0; i < 200000; i++)
        (void)!gm_buf_add_c(&b, "{\"a\":", NULL);
    (void)!gm_buf_add_c(
        &b,
        "\n{\"text\": \"last\", \"text2\": 123456789012345678901234567890}\n{\"text\": \"end\"}",
        NULL);
    const char *path = temp_file_bytes(b.p, b.n);
    gm_buf_clear(&b);
    assert_status(gm_reader_open(&r, path, NULL, &err), GM_OK, &err);
    expect_next(r, "one");
    assert_int_equal(gm_reader_line(r), 2);
    expect_next(r, ":3:13: not valid JSON: ");
    expect_next(r, ":4: \"text\": expected a string, found an integer");
    expect_next(r, ":5:2049: not valid JSON: maximum parsing depth reached");
    expect_next(r, "a\xEF\xBF\xBD");
    expect_next(r, "\xEF\xBF\xBD"); /* half a surrogate pair */
    expect_next(r, ":10:");
    expect_next(r, ":11:");
    expect_next(r, "last"); /* with a number that no value can hold */
    expect_next(r, "end");
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    assert_false(has);
    assert_int_equal(gm_reader_count(r), 10);
    gm_reader_free(r);
    unlink(path);
}

static void test_paths_and_ids(void **state)
{
    (void)state;
    static const struct {
        const char *base, *image;
    } cases[] = {{NULL, "/tmp/a.jpg"}, {"other/", "other/a.jpg"}, {".", "a.jpg"}};
    struct gm_reader *r;
    struct gm_error err;
    struct gm_post p;
    bool has;
    const char *path = temp_file("{\"text\": \"x\", \"image\": \"a.jpg\"}\n"
                                 "{\"text\": \"x\", \"image\": \"/b.jpg\", \"id\": -3}\n"
                                 "{\"id\": null, \"text\": null, \"tokens\": [\"x\"]}\n");
    struct gm_buf out;
    gm_buf_init(&out, 1000);
    for (size_t i = 0; i < 3; i++) {
        struct gm_reader_opts opts = {.images_dir = cases[i].base};
        assert_status(gm_reader_open(&r, path, &opts, &err), GM_OK, &err);
        assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
        assert_true(gm_str_eq_c(p.image, cases[i].image));
        assert_true(gm_str_eq_c(p.id, "1") && !p.has_id && !p.has_tokens && !p.has_entities);
        gm_post_clear(&p);
        assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
        assert_true(gm_str_eq_c(p.image, "/b.jpg") && gm_str_eq_c(p.id, "-3") && p.has_id);
        gm_post_clear(&p);
        assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
        gm_buf_reset(&out);
        assert_status(gm_post_to_json(&p, &out, &err), GM_OK, &err);
        assert_string_equal(out.p, "{\"id\": \"3\", \"text\": \"x\", \"tokens\": [\"x\"]}");
        gm_post_clear(&p);
        gm_reader_free(r);
    }
    gm_buf_clear(&out);
    unlink(path);
}

/* A million words as text and as tokens with entities out of order. */
static void test_huge(void **state)
{
    (void)state;
    struct gm_buf b;
    struct gm_reader *r;
    struct gm_error err;
    struct gm_post p;
    bool has;
    gm_buf_init(&b, SIZE_MAX - 1);
    (void)!gm_buf_add_c(&b, "{\"tokens\": [\"é\"", NULL);
    for (size_t i = 1; i < 1000000; i++)
        (void)!gm_buf_add_c(&b, ", \"word\"", NULL);
    (void)!gm_buf_add_c(&b, "], \"entities\": [", NULL);
    for (size_t i = 0; i < 100000; i++)
        (void)!gm_buf_printf(
            &b, NULL, "%s{\"type\": \"X\", \"start\": %zu, \"end\": %zu, \"text\": \"word\"}",
            i ? ", " : "", 2 + 50 * i, 6 + 50 * i);
    (void)!gm_buf_add_c(&b, "]}\n", NULL);
    const char *path = temp_file_bytes(b.p, b.n);
    gm_buf_clear(&b);
    assert_status(gm_reader_open(&r, path, NULL, &err), GM_OK, &err);
    assert_status(gm_reader_next(r, &p, &has, &err), GM_OK, &err);
    assert_int_equal(p.n_tokens, 1000000);
    assert_int_equal(p.n_entities, 100000);
    gm_post_clear(&p);
    gm_reader_free(r);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        leak_checked(test_round_trip),    leak_checked(test_additions),
        leak_checked(test_conll_to_json), leak_checked(test_removed),
        leak_checked(test_numbers),       leak_checked(test_refused),
        leak_checked(test_bad_lines),     leak_checked(test_paths_and_ids),
        leak_checked(test_huge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
