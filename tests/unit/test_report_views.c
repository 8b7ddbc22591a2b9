/* The terminal view, the annotated picture, and the marks that both take from a post. */
#include "report_posts.h"

#include "base/utf8.h"
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
                        "  Rome      LOC   0.60      0.10      -  no_box:below_threshold:0.5\n"
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
        gm_image_free(before);
        skip_because("%s", err.msg);
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

    post_of(&post, POST_WITH_IMAGE); /* of a smaller copy: as large, the box where it was */
    must(gm_image_new(&post.pixels, 87, 49, &err), &err);
    post.image_w = 173;
    post.image_h = 97;
    must(gm_annotate(&post, &im, &err), &err);
    assert_int_equal(im->w, 480);
    assert_true(near_color(im, left + 40, 60, 0, 114, 178));
    gm_image_free(im);
    gm_image_free(post.pixels);
    gm_post_clear(&post);

    post_of(&post, "{\"id\": \"p\", \"text\": \"no image\"}");
    must(gm_annotate(&post, &im, &err), &err);
    assert_null(im);
    gm_post_clear(&post);
    assert_int_equal(gm_alloc_live(), 0);
}

/* The annotated picture of source.png with this text, and of `mark` in it an entity. Skips the test where
 * no font is installed. */
static struct gm_image *strip_of(const char *text, const char *mark, const char *regions)
{
    struct gm_error err;
    struct gm_post post;
    struct gm_image *im = NULL;
    struct gm_buf json;
    size_t at = mark ? gm_str_find(gm_str(text), gm_str(mark), 0) : 0;
    size_t start = gm_utf8_count(gm_str_sub(gm_str(text), 0, at));
    gm_buf_init(&json, 1 << 16);
    must(gm_buf_printf(&json, &err,
                       "{\"id\": \"p\", \"image\": \"" GOLDEN "source.png\", "
                       "\"text\": \"%s\"",
                       text),
         &err);
    if (mark)
        must(gm_buf_printf(&json, &err,
                           ", \"entities\": [{\"text\": \"%s\", \"type\": \"LOC\", "
                           "\"start\": %zu, \"end\": %zu, \"regions\": [%s]}]",
                           mark, start, start + gm_utf8_count(gm_str(mark)), regions),
             &err);
    must(gm_buf_add_c(&json, "}", &err), &err);
    post_of(&post, json.p);
    enum gm_status st = gm_annotate(&post, &im, &err);
    gm_post_clear(&post);
    gm_buf_clear(&json);
    if (st == GM_EIO)
        skip_because("%s", err.msg); /* no font */
    must(st, &err);
    return im;
}

/* The first column from `from` on of row y that is not the strip's ground; the width where all is. */
static size_t first_ink(const struct gm_image *im, size_t y, size_t from)
{
    size_t x = from;
    while (x < im->w && near_color(im, x, y, 250, 250, 252))
        x++;
    return x;
}

/* However the words fall, each line of them begins at the same column, the text's own spaces and line
 * ends notwithstanding. */
static void lines_begin_with_letters(void **state)
{
    (void)state;
    char text[1024] = "";
    for (size_t n = 1; n < 30; n++) {
        snprintf(text, sizeof text,
                 "%*s%.*s   HHHHHH  HHHHHHHH \\n HHHHHHHHHHHH HHHHHHHH   HHHHHHHHH  "
                 "HHHHHHHHHHHHHHH    HHHHHHHHHHHHHHHHH H HH HHH  HH",
                 (int)n % 4, "", (int)n, "HHHHHHHHHHHHHHHHHHHHHHHHHHHHHH");
        struct gm_image *im = strip_of(text, NULL, NULL);
        size_t left = im->w, n_rows = 0;
        for (size_t y = 97; y < im->h; y++) {
            size_t x = first_ink(im, y, 0);
            if (x == im->w)
                continue;
            left = left == im->w ? x : left;
            if (x != left)
                fail_msg("n = %zu: row %zu begins at %zu, others at %zu", n, y, x, left);
            n_rows++;
        }
        assert_true(n_rows > 20);
        gm_image_free(im);
    }
}

/* A line ends before "#" and never behind it, wherever the end of the line falls. */
static void hash_stays_with_its_word(void **state)
{
    (void)state;
    char text[256];
    for (int n = 20; n < 75; n++) {
        snprintf(text, sizeof text, "%.*s #Roma", n,
                 "iiii iiii iiii iiii iiii iiii iiii iiii iiii iiii iiii iiii iiii iiii iiii iiii");
        struct gm_image *im = strip_of(text, "Roma", "{\"box\": [1, 1, 9, 9]}");
        size_t most_left = im->w, pad = im->w;
        for (size_t y = 97; y < im->h; y++) {
            size_t x = first_ink(im, y, 0);
            pad = x < pad ? x : pad;
            while (x < im->w && !near_color(im, x, y, 0, 158, 115))
                x++;
            most_left = x < most_left ? x : most_left;
        }
        if (most_left == im->w || most_left < pad + 4)
            fail_msg("\"%s\": its mark begins at %zu, lines at %zu", text, most_left, pad);
        gm_image_free(im);
    }
}

static size_t n_near(const struct gm_image *im, int r, int g, int b)
{
    size_t n = 0;
    for (size_t i = (size_t)97 * im->w; i < (size_t)im->w * im->h; i++)
        n += near_color(im, i % im->w, i / im->w, r, g, b);
    return n;
}

/* On the type's colour when it is in the picture; else on a tint of it, underlined. */
static void found_and_not_found_differ(void **state)
{
    (void)state;
    struct gm_image *found = strip_of("to Roma", "Roma", "{\"box\": [1, 1, 9, 9]}");
    struct gm_image *not_found = strip_of("to Roma", "Roma", "");
    assert_true(n_near(found, 0, 158, 115) > 400 && n_near(found, 208, 234, 229) < 20);
    assert_true(n_near(not_found, 208, 234, 229) > 400);
    size_t line = n_near(not_found, 0, 158, 115);
    assert_true(line > 40 && line < 400);
    gm_image_free(found);
    gm_image_free(not_found);
}

/* Texts that begin at the right stand there; an entity and its tag are in them as in others. */
static void right_to_left_lines(void **state)
{
    (void)state;
    struct gm_image *im = strip_of("גרייס הופר בניו יורק", "ניו יורק", "");
    size_t left = im->w;
    for (size_t y = 97; y < im->h; y++) {
        size_t x = first_ink(im, y, 0);
        left = x < left ? x : left;
    }
    assert_true(left > im->w / 2 && n_near(im, 208, 234, 229) > 400);
    gm_image_free(im);
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
        cmocka_unit_test(lines_begin_with_letters),
        cmocka_unit_test(hash_stays_with_its_word),
        cmocka_unit_test(found_and_not_found_differ),
        cmocka_unit_test(right_to_left_lines),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
