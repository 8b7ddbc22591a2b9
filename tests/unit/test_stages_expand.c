/* The expression of an entity: from its type, or from what the caption says of a person. */
#include "unit.h"

#include "stages/stage.h"

#include <string.h>

static void expect(const char *type, const char *caption, const char *expression)
{
    const struct gm_backend *b = gm_backend_find("expand", NULL);
    struct gm_entity e = {.type = gm_str(type), .visible = -1};
    struct gm_post post, *ptr = &post;
    struct gm_error err = {0};
    void *self;
    gm_post_init(&post);
    post.caption = gm_str(caption);
    post.entities = &e;
    post.n_entities = 1;
    assert_non_null(b);
    assert_int_equal(b->open(&self, b, NULL, &err), GM_OK);
    assert_int_equal(b->run(self, &ptr, 1, &err), GM_OK);
    b->close(self);
    if (!gm_str_eq_c(e.expression, expression))
        fail_msg("%s, \"%s\": \"%.*s\", not \"%s\"", type, caption, GM_STR_ARG(e.expression),
                 expression);
    gm_post_clear(&post);
}

static void test_types(void **state)
{
    (void)state;
    expect("PER", "", "a person");
    expect("ORG", "a man in a suit", "an organisation's logo or name");
    expect("LOC", "", "a place");
    expect("OTHER", "", "a thing");
    expect("musical_work", "", "a musical work");
    expect("Event", "", "an event");
    expect("", "", "a thing");
}

static void test_captions(void **state)
{
    (void)state;
    expect("PER", "a man in a dark suit speaking into a microphone.", "a man in a dark suit");
    expect("PER", "The image shows a young woman with long hair, smiling.",
           "a young woman with long hair");
    expect("PER", "two people and a dog", "two people");
    expect("PER", "A dog on a sofa", "a person");
    expect("PER", "a mannequin in a shop", "a person");
    expect("PER", "there is a man wearing a", "a man");
    expect("PER", "man", "man");
    expect("PER", "a \xC3\xA9l\xC3\xA9gante woman at work", "a \xC3\xA9l\xC3\xA9gante woman");
    expect("PER", "... , , ; a", "a person");
    expect("PER", "“a man in a hat” and more", "a man in a hat");
    expect("PER", "a woman—tall—smiles", "a woman");
    expect("PER", "Here:\u00a0a man\u00a0wearing a mother’s hat…",
           "a man\u00a0wearing a mother’s hat");
}

static void test_settings(void **state)
{
    (void)state;
    const struct gm_backend *b = gm_backend_find("expand", "template");
    struct gm_json *j = NULL;
    struct gm_error err = {0};
    void *self;
    assert_int_equal(gm_json_parse(&j, GM_STR("{\"colour\": 1}"), &err), GM_OK);
    assert_int_equal(b->open(&self, b, j, &err), GM_EARG);
    assert_string_equal(err.msg, "unknown setting \"colour\"; expand knows: none");
    gm_json_free(j);
}

/* The table: stages in pipeline order, every backend can be found by its names. */
static void test_table(void **state)
{
    (void)state;
    const struct gm_backend *b;
    int last = -1;
    for (size_t i = 0; (b = gm_backend_at(i)); i++) {
        assert_true(gm_stage_order(b->stage) >= last);
        last = gm_stage_order(b->stage);
        assert_ptr_equal(gm_backend_find(b->stage, b->name), b);
    }
    assert_int_equal(gm_stage_order("tag"), 0);
    assert_int_equal(gm_stage_order("read"), 2);
    assert_int_equal(gm_stage_order("check"), 8);
    assert_int_equal(gm_stage_order("segment"), 9);
    assert_int_equal(gm_stage_order("dance"), -1);
    assert_null(gm_backend_find("dance", NULL));
    assert_null(gm_backend_find("expand", "magic"));
}

static void test_setting_readers(void **state)
{
    (void)state;
    struct gm_json *j = NULL;
    struct gm_error err = {0};
    double x = 0.25;
    struct gm_str s = GM_STR("preset");
    assert_int_equal(gm_json_parse(&j, GM_STR("{\"a\": 0.5, \"b\": \"t\", \"c\": 7}"), &err),
                     GM_OK);
    assert_int_equal(gm_settings_num(j, "none", 0, 1, &x, &err), GM_OK);
    assert_true(x == 0.25);
    assert_int_equal(gm_settings_num(j, "a", 0, 1, &x, &err), GM_OK);
    assert_true(x == 0.5);
    assert_int_equal(gm_settings_num(j, "c", 0, 1, &x, &err), GM_EARG);
    assert_string_equal(err.msg, "setting \"c\" is 7; it must be from 0 to 1");
    assert_int_equal(gm_settings_num(j, "b", 0, 1, &x, &err), GM_EARG);
    assert_int_equal(gm_settings_str(j, "none", &s, &err), GM_OK);
    assert_true(gm_str_eq_c(s, "preset"));
    assert_int_equal(gm_settings_str(j, "b", &s, &err), GM_OK);
    assert_true(gm_str_eq_c(s, "t"));
    assert_int_equal(gm_settings_str(j, "a", &s, &err), GM_EARG);
    gm_json_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),           cmocka_unit_test(test_captions),
        cmocka_unit_test(test_settings),        cmocka_unit_test(test_table),
        cmocka_unit_test(test_setting_readers),
    };
    return cmocka_run_group_tests(tests, NULL, no_leak);
}
