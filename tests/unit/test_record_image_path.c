/* Where a post's image is: paths relative to a file's folder, absolute ones, and addresses. */
#include "unit.h"

#include "record/image_path.h"

#include <stdlib.h>

static void given_in_a_file(void **state)
{
    (void)state;
    static const struct {
        const char *base, *given, *image;
    } cases[] = {
        {"posts", "a.jpg", "posts/a.jpg"},
        {"posts/", "b/a.jpg", "posts/b/a.jpg"},
        {"", "a.jpg", "a.jpg"},
        {".", "a.jpg", "a.jpg"},
        {NULL, "a.jpg", "a.jpg"},
        {"posts", "/data/a.jpg", "/data/a.jpg"},
        {"posts", "https://example.org/a.jpg", "https://example.org/a.jpg"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_post p;
        gm_post_init(&p);
        assert_int_equal(gm_post_set_image(&p, cases[i].base, gm_str(cases[i].given), NULL), GM_OK);
        assert_string_equal(p.image.p, cases[i].image);
        gm_post_clear(&p);
    }
}

static void no_nul(void **state)
{
    struct gm_post p;
    (void)state;
    gm_post_init(&p);
    assert_int_equal(gm_post_set_image(&p, "posts", GM_STR("a\0b"), NULL), GM_EFORMAT);
    gm_post_clear(&p);
}

static void absolute(void **state)
{
    struct gm_arena a;
    (void)state;
    gm_arena_init(&a, 0);
    assert_string_equal(gm_image_absolute(&a, GM_STR("/x/a.jpg")).p, "/x/a.jpg");
    assert_string_equal(gm_image_absolute(&a, GM_STR("s3://bucket/a.jpg")).p, "s3://bucket/a.jpg");
    struct gm_str here = gm_image_absolute(&a, GM_STR("x/a.jpg"));
    assert_true(here.p[0] == '/' && gm_str_ends(here, GM_STR("/x/a.jpg")));
    gm_arena_clear(&a);
}

static void names(void **state)
{
    (void)state;
    assert_true(gm_str_eq_c(gm_image_name(GM_STR("x/a.jpg")), "a.jpg"));
    assert_true(gm_str_eq_c(gm_image_name(GM_STR("x/a?b.jpg")), "a?b.jpg"));
    assert_true(gm_str_eq_c(gm_image_name(GM_STR("https://h/x/a.jpg?s=1/2#f")), "a.jpg"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_in_a_file),
        cmocka_unit_test(no_nul),
        cmocka_unit_test(absolute),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
