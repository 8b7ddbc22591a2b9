/* The terminal view, the annotated picture, and the marks that both take from a post. */
#include "report_posts.h"

#include "image/font.h"
#include "image/mask.h"
#include "report/annotate.h"
#include "report/marks.h"
#include "report/terminal.h"

#include <stdlib.h>
#include <string.h>

static struct gm_buf terminal_of(const char *json, bool color, size_t columns)
{
    struct gm_error err;
    struct gm_post post;
    struct gm_buf out;
    const struct gm_terminal_opts opts = {color, columns};
    gm_buf_init(&out, 1 << 20);
    post_of(&post, json);
    must(gm_terminal_post(&post, &opts, &out, &err), &err);
    gm_post_clear(&post);
    return out;
}

static void plain_text_for_a_pipe(void **state)
{
    (void)state;
    struct gm_buf out = terminal_of(POST_WITH_IMAGE, false, 80);
    assert_string_equal(out.p,
                        "p  " GOLDEN "source.png\n"
                        "[Ana Ruiz|PER] in [Rome|LOC]\n"
                        "  entity    type  score     in image  box\n"
                        "  Ana Ruiz  PER   0.90      0.80      40,30 - 80,90  person 0.70, mask\n"
                        "                                      100,20 - 150,90  person 0.50\n"
                        "  Rome      LOC   0.60      0.10      -\n"
                        "\n");
    gm_buf_clear(&out);
    assert_int_equal(gm_alloc_live(), 0);
}

static void colors_of_the_palette(void **state)
{
    (void)state;
    struct gm_buf out = terminal_of(POST_WITH_IMAGE, true, 80);
    assert_non_null(
        strstr(out.p, "\x1b[0;1;97;48;5;25m Ana Ruiz\x1b[0;97;48;5;25m PER \x1b[0m in "));
    assert_non_null(strstr(out.p, "\x1b[0m\n"));
    gm_buf_clear(&out);
}

/* A post can't steer the terminal, and wide letters keep the columns straight. */
static void texts_are_harmless_and_aligned(void **state)
{
    (void)state;
    struct gm_buf out =
        terminal_of("{\"id\": \"a\\u001b]0;x\\u0007\", \"text\": \"\\u001b[2J\\u009b1m\\u202e "
                    "\\u9824\\u548c\\u5712\\n"
                    "a name that is much too long for its column\","
                    " \"entities\": ["
                    "{\"text\": \"\\u9824\\u548c\\u5712\", \"type\": \"LOC\", \"start\": 9, "
                    "\"end\": 12, \"score\": 1, \"source\": \"t\"},"
                    "{\"text\": \"a name that is much too long for its column\", \"type\": "
                    "\"ATYPETHATISTOOLONGTOO\","
                    " \"start\": 13, \"end\": 56, \"score\": 1, \"source\": \"t\"}]}",
                    false, 60);
    assert_null(strchr(out.p, '\x1b'));
    assert_null(strchr(out.p, '\x07'));
    assert_null(strstr(out.p, "\xc2\x9b"));
    assert_null(strstr(out.p, "\xe2\x80\xae"));
    assert_non_null(strstr(out.p, "[頤和園|LOC]"));
    assert_non_null(
        strstr(out.p, "\n  頤和園                LOC               1.00      -         -\n"));
    assert_non_null(
        strstr(out.p, "\n  a name that is much…  ATYPETHATISTOOL…  1.00      -         -\n"));
    gm_buf_clear(&out);
    assert_int_equal(gm_alloc_live(), 0);
}

static void no_color_is_obeyed(void **state)
{
    (void)state;
    assert_false(gm_terminal_opts_detect(-1).color); /* no terminal at all */
    assert_int_equal(gm_terminal_opts_detect(-1).columns, 100);
}

static void overlapping_entities_are_marked_once(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_post post;
    struct gm_mark *marks;
    size_t n;
    post_of(&post, "{\"id\": \"p\", \"text\": \"é New York Times\", \"entities\": ["
                   "{\"text\": \"York\", \"type\": \"LOC\", \"start\": 6, \"end\": 10},"
                   "{\"text\": \"New York\", \"type\": \"LOC\", \"start\": 2, \"end\": 10},"
                   "{\"text\": \"New York Times\", \"type\": \"ORG\", \"start\": 2, \"end\": 16},"
                   "{\"text\": \"é\", \"type\": \"X\", \"start\": 0, \"end\": 1}]}");
    must(gm_marks_of(&post.arena, &post, &marks, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(marks[0].entity, 3);
    assert_int_equal(marks[0].to, 2); /* bytes: é takes two */
    assert_int_equal(marks[1].entity, 2);
    assert_int_equal(marks[1].from, 3);
    assert_int_equal(marks[1].to, 17);
    gm_post_clear(&post);
}

static void masks_of_another_size_are_scaled(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_region region = {.mask = {.h = 97, .w = 173, .counts = GM_STR(MASK_COUNTS)}};
    uint8_t *mask;
    double box[4];
    must(gm_region_mask(&region, 346, 194, &mask, &err), &err);
    assert_true(gm_mask_box(mask, 194, 346, box));
    assert_memory_equal(box, ((double[]){80, 0, 120, 194}), sizeof box);
    assert_int_equal(gm_mask_area(mask, 194, 346), 40 * 194);
    gm_free(mask);
    region.mask.w = region.mask.h = 4000000000u; /* too large to be looked at */
    assert_int_equal(gm_region_mask(&region, 173, 97, &mask, &err), GM_EFORMAT);
    assert_null(mask);
    assert_int_equal(gm_alloc_live(), 0);
}

static bool near_color(const struct gm_image *im, size_t x, size_t y, int r, int g, int b)
{
    const uint8_t *px = im->rgb + (y * im->w + x) * 3;
    return abs(px[0] - r) + abs(px[1] - g) + abs(px[2] - b) < 10;
}

static void pictures_are_annotated(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_post post;
    struct gm_font *font;
    struct gm_image *im, *before = golden_image("source.png");
    if (gm_font_open(&font, 12, false, &err) != GM_OK) {
        print_message("%s\n", err.msg);
        gm_image_free(before);
        skip();
    }
    gm_font_free(font);
    post_of(&post, POST_WITH_IMAGE);
    must(gm_annotate(&post, &im, &err), &err);
    assert_int_equal(im->w, 480); /* room for the text; the picture is in the middle */
    assert_true(im->h > 97 + 20);
    size_t left = (480 - 173) / 2;
    assert_true(near_color(im, left + 40, 60, 0, 114, 178));  /* left side of the first box */
    assert_true(near_color(im, left + 101, 60, 0, 114, 178)); /* and of the second */
    const uint8_t *in = im->rgb + (80 * im->w + left + 50) * 3,
                  *was = before->rgb + (80 * 173 + 50) * 3;
    assert_true(near_color(im, left + 50, 80, (int)(was[0] * 0.65),
                           (int)(was[1] * 0.65 + 114 * 0.35), (int)(was[2] * 0.65 + 178 * 0.35)));
    assert_memory_not_equal(in, was, 3);
    assert_memory_equal(im->rgb + (10 * im->w + left + 160) * 3, before->rgb + (10 * 173 + 160) * 3,
                        3);
    size_t marked = 0; /* the text's entities stand on their colours */
    for (size_t i = 97 * 480; i < (size_t)im->w * im->h; i++)
        marked += near_color(im, i % 480, i / 480, 0, 114, 178);
    assert_true(marked > 300);
    gm_image_free(im);
    gm_image_free(before);
    gm_post_clear(&post);

    post_of(&post, "{\"id\": \"p\", \"text\": \"no image\"}");
    must(gm_annotate(&post, &im, &err), &err);
    assert_null(im);
    gm_post_clear(&post);
    assert_int_equal(gm_alloc_live(), 0);
}

/* A text of any length takes a dozen lines at most. */
static void long_texts_are_cut(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_post post;
    struct gm_image *im;
    struct gm_buf json;
    gm_buf_init(&json, 1 << 22);
    must(gm_buf_add_c(&json, "{\"id\": \"p\", \"image\": \"" GOLDEN "source.png\", \"text\": \"",
                      &err),
         &err);
    for (int i = 0; i < 100000; i++)
        must(gm_buf_add_c(&json, i % 100 ? "word " : "北京市", &err), &err);
    must(gm_buf_add_c(&json, "\"}", &err), &err);
    post_of(&post, json.p);
    enum gm_status st = gm_annotate(&post, &im, &err);
    assert_true(st == GM_EIO || (st == GM_OK && im->h < 97 + 400)); /* IO: no font here */
    gm_image_free(im);
    gm_post_clear(&post);
    gm_buf_clear(&json);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_for_a_pipe),
        cmocka_unit_test(colors_of_the_palette),
        cmocka_unit_test(texts_are_harmless_and_aligned),
        cmocka_unit_test(no_color_is_obeyed),
        cmocka_unit_test(overlapping_entities_are_marked_once),
        cmocka_unit_test(masks_of_another_size_are_scaled),
        cmocka_unit_test(pictures_are_annotated),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
