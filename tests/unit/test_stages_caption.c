/* Captions made from labels. */

#include "unit.h"

#include "stages/caption.h"

static const char *caption(const char *const *labels, size_t n)
{
    static char text[512];
    struct gm_error err;
    struct gm_arena a;
    struct gm_object o[32] = {0};
    struct gm_str s;
    for (size_t i = 0; i < n; i++)
        o[i].label = gm_str(labels[i]);
    gm_arena_init(&a, 0);
    assert_int_equal(gm_caption_of_objects(&a, o, n, &s, &err), GM_OK);
    assert_true(s.n < sizeof text);
    for (size_t i = 0; i <= s.n; i++)
        text[i] = i < s.n ? s.p[i] : 0;
    gm_arena_clear(&a);
    return text;
}

#define CAPTION(...)                            \
    caption((const char *const[]){__VA_ARGS__}, \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void natural_english(void **state)
{
    (void)state;
    assert_string_equal(caption(NULL, 0), "");
    assert_string_equal(CAPTION("person"), "a person");
    assert_string_equal(CAPTION("dog", "person", "person"), "two people and a dog");
    assert_string_equal(CAPTION("umbrella", "bus", "bus", "bus"), "an umbrella and three buses");
    assert_string_equal(CAPTION("tie", "person", "sheep", "sheep", "knife", "knife"),
                        "a person, a tie, two sheep and two knives");
    assert_string_equal(CAPTION("scissors", "tv", "broccoli"),
                        "a pair of scissors, a TV and a piece of broccoli");
    assert_string_equal(CAPTION("person", "person", "person", "person", "person", "person",
                                "person", "person", "person", "person"),
                        "ten people");
    assert_string_equal(CAPTION("person", "person", "person", "person", "person", "person",
                                "person", "person", "person", "person", "person"),
                        "11 people");
    /* Five kinds at most, those with the best scores; a later one of them still counts. */
    assert_string_equal(CAPTION("cat", "dog", "cow", "bird", "bear", "zebra", "cat"),
                        "two cats, a dog, a cow, a bird and a bear");
    assert_string_equal(CAPTION("a red double-decker"), "a red double-decker");
}

static void memory_may_run_out(void **state)
{
    (void)state;
    struct gm_error err;
    enum gm_status st = GM_ENOMEM;
    struct gm_object o[2] = {{.label = GM_STR("dog")}, {.label = GM_STR("cat")}};
    for (size_t nth = 1; st != GM_OK; nth++) {
        struct gm_arena a;
        struct gm_str s;
        assert_in_range(nth, 1, 20);
        gm_arena_init(&a, 0);
        gm_alloc_fail_at(nth);
        st = gm_caption_of_objects(&a, o, 2, &s, &err);
        gm_alloc_fail_at(0);
        assert_int_equal(st == GM_OK ? s.n > 0 : st == GM_ENOMEM, 1);
        gm_arena_clear(&a);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(natural_english),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
