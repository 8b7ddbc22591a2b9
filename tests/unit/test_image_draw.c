/* Boxes, masks, labels and colours: which pixels change, and that nothing outside is touched. */
#include "image_files.h"

#include "image/draw.h"
#include "image/label.h"
#include "image/numbered.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct gm_color blue = {0, 114, 178};

static struct gm_image *blank(uint32_t w, uint32_t h)
{
    struct gm_error err;
    struct gm_image *im;
    must(gm_image_new(&im, w, h, &err), &err);
    return im;
}

static bool is_color(const struct gm_image *im, size_t x, size_t y, struct gm_color c)
{
    const uint8_t *px = im->rgb + (y * im->w + x) * 3;
    return px[0] == c.r && px[1] == c.g && px[2] == c.b;
}

static void boxes_have_their_frame(void **state)
{
    (void)state;
    struct gm_image *im = blank(40, 30);
    const struct gm_color black = {0, 0, 0};
    gm_draw_box(im, (double[]){5, 6, 35, 26}, blue, 2);
    for (size_t y = 0; y < 30; y++)
        for (size_t x = 0; x < 40; x++) {
            bool in = x >= 5 && x < 35 && y >= 6 && y < 26;
            bool inner = x >= 7 && x < 33 && y >= 8 && y < 24;
            bool blank_zone =
                x < 4 || x >= 36 || y < 5 || y >= 27 || (x >= 8 && x < 32 && y >= 9 && y < 23);
            if (in && !inner)
                assert_true(is_color(im, x, y, blue));
            if (blank_zone)
                assert_true(is_color(im, x, y, black));
        }
    gm_image_free(im);
}

/* Whatever the coordinates are, nothing outside the picture is written (sharp with the sanitizer).
 */
static void odd_coordinates_are_cut_off(void **state)
{
    (void)state;
    static const float v[] = {-1e30f, -3, 0, 0.4f, 7, 16, 17, 1e9f, INFINITY, NAN};
    enum { N = sizeof v / sizeof *v };
    struct gm_error err;
    struct gm_font *font = NULL;
    if (gm_font_open(&font, 9, true, &err) != GM_OK)
        say_skipped("labels: %s", err.msg);
    for (int i = 0; i < N * N * N * N; i++) {
        struct gm_image *im = blank(16, 12);
        double box[4] = {v[i % N], v[i / N % N], v[i / N / N % N], v[i / N / N / N]};
        gm_draw_box(im, box, blue, (uint32_t)i % 9);
        if (font && i % 50 == 0)
            must(gm_draw_label(im, font, (float)box[0], (float)box[1], GM_STR("José 李 אב \xff"),
                               blue, &err),
                 &err);
        gm_image_free(im);
    }
    gm_font_free(font);
    assert_int_equal(gm_alloc_live(), 0);
}

static void masks_tint_their_pixels(void **state)
{
    (void)state;
    struct gm_image *im = blank(20, 20);
    uint8_t mask[400] = {0};
    for (size_t y = 4; y < 16; y++)
        memset(mask + y * 20 + 4, 1, 12);
    gm_draw_mask(im, mask, (struct gm_color){200, 100, 50}, 0.5f, 1);
    for (size_t y = 0; y < 20; y++)
        for (size_t x = 0; x < 20; x++) {
            bool edge = x == 4 || x == 15 || y == 4 || y == 15;
            struct gm_color want = !mask[y * 20 + x] ? (struct gm_color){0, 0, 0}
                                   : edge            ? (struct gm_color){180, 90, 45}
                                                     : (struct gm_color){100, 50, 25};
            assert_true(is_color(im, x, y, want));
        }
    gm_image_free(im);
}

/* A line of text in black on white. */
static struct gm_image *lettered(struct gm_font *font, struct gm_str text, uint32_t *width)
{
    struct gm_error err;
    struct gm_paragraph *p;
    struct gm_image *im = blank(200, 40);
    const struct gm_style style = {.font = font};
    gm_draw_rect(im, 0, 0, 200, 40, (struct gm_color){255, 255, 255});
    must(gm_paragraph_new(&p, &err), &err);
    must(gm_paragraph_add(p, text, &style, &err), &err);
    must(gm_paragraph_shape(p, &err), &err);
    size_t n = gm_paragraph_count(p);
    *width = gm_paragraph_width(p, 0, n);
    must(gm_paragraph_draw(p, im, 5, 28, 0, n, &err), &err);
    gm_paragraph_free(p);
    return im;
}

struct pair {
    const char *a, *b;
    bool same_width, same_picture;
};

/* Pairs of texts that do, or don't, look alike. */
static void scripts_are_shaped(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"il", "WM", false, false},
        {"a", "a\u200d\ufe0f", true, true},               /* joiners are not seen */
        {"é", "e\u0301", true, true},                     /* an accent is placed on its letter */
        {"אבג", "\u202dגבא\u202c", true, true},           /* Hebrew runs to the left */
        {"ab אב cd", "ab \u202dבא\u202c cd", true, true}, /* inside of English as well */
        {"אב 12 גד", "\u202dדג 12 בא\u202c", true, true}, /* numbers in it to the right */
        {"(א", "\u202dא)\u202c", true, true},             /* brackets are mirrored */
        {"سلام", "س\u200cل\u200cا\u200cم", false, false}, /* Arabic letters join */
    };
    struct gm_error err;
    struct gm_font *font;
    if (gm_font_open(&font, 20, true, &err) != GM_OK) {
        skip_because("%s", err.msg);
    }
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        uint32_t wide[2];
        struct gm_image *a = lettered(font, gm_str(pairs[i].a), &wide[0]);
        struct gm_image *b = lettered(font, gm_str(pairs[i].b), &wide[1]);
        if ((wide[0] == wide[1]) != pairs[i].same_width ||
            (image_distance(a, b) == 0) != pairs[i].same_picture)
            fail_msg("\"%s\" (%u px) and \"%s\" (%u px)", pairs[i].a, wide[0], pairs[i].b, wide[1]);
        gm_image_free(a);
        gm_image_free(b);
    }
    gm_font_free(font);
    assert_int_equal(gm_alloc_live(), 0);
}

static void labels_are_lettered(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_font *font;
    if (gm_font_open(&font, 16, true, &err) != GM_OK) {
        skip_because("%s", err.msg);
    }
    struct gm_image *im = blank(200, 60);
    must(gm_draw_label(im, font, 10, 40, GM_STR("José Иван"), blue, &err), &err);
    size_t ground = 0, ink = 0;
    for (size_t y = 0; y < 60; y++)
        for (size_t x = 0; x < 200; x++) {
            ground += is_color(im, x, y, (struct gm_color){0, 105, 164});
            ink += is_color(im, x, y, (struct gm_color){255, 255, 255});
        }
    assert_true(ground > 500 && ink > 80);
    /* An accent and a Cyrillic letter are letters of their own, not frames. */
    assert_true(gm_font_has(font, 0xe9) && gm_font_has(font, 0x418));
    gm_image_free(im);
    gm_font_free(font);
    setenv("GMNER_FONT", "tests/golden/image/rle.txt", 1);
    assert_int_equal(gm_font_open(&font, 16, true, &err), GM_EIO);
    assert_non_null(strstr(err.msg, "GMNER_FONT"));
    unsetenv("GMNER_FONT");
    assert_int_equal(gm_alloc_live(), 0);
}

static bool same(struct gm_color a, struct gm_color b)
{
    return a.r == b.r && a.g == b.g && a.b == b.b;
}

static void types_have_their_colors(void **state)
{
    (void)state;
    static const char *const types[] = {"PER", "ORG", "LOC", "OTHER"};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            assert_false(
                same(gm_palette_color(gm_str(types[i])), gm_palette_color(gm_str(types[k]))));
    assert_true(same(gm_palette_color(GM_STR("PER")), gm_palette_color(GM_STR("person"))));
    assert_true(same(gm_palette_color(GM_STR("MISC")), gm_palette_color(GM_STR("OTHER"))));
    assert_true(same(gm_palette_color(GM_STR("Vessel")), gm_palette_color(GM_STR("vessel"))));
    gm_palette_color((struct gm_str){0});
}

/* Where two pictures differ: the box around it. */
static void changed(const struct gm_image *a, const struct gm_image *b, int out[4])
{
    out[0] = out[1] = INT_MAX;
    out[2] = out[3] = 0;
    for (size_t y = 0; y < a->h; y++)
        for (size_t x = 0; x < a->w; x++)
            if (memcmp(a->rgb + (y * a->w + x) * 3, b->rgb + (y * a->w + x) * 3, 3) != 0) {
                out[0] = (int)x < out[0] ? (int)x : out[0];
                out[1] = (int)y < out[1] ? (int)y : out[1];
                out[2] = (int)x + 1 > out[2] ? (int)x + 1 : out[2];
                out[3] = (int)y + 1 > out[3] ? (int)y + 1 : out[3];
            }
}

/* A frame and a number each, within the box; the second of two equal boxes has its number elsewhere. What the
 * second mark adds to a picture is looked at in one beside that has the first alone. */
static void marks_have_their_numbers(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_font *font = NULL;
    if (gm_font_open(&font, 12, true, &err) != GM_OK)
        skip_because("%s", err.msg);
    gm_font_free(font);
    static const double boxes[][4] = {{20, 30, 180, 150}, {20, 30, 180, 150}, {190, 5, 210, 20}};
    struct gm_image *im[4];
    int at[4];
    for (size_t n = 0; n < 4; n++) {
        im[n] = blank(300, 200);
        must(gm_draw_numbered(im[n], boxes, n, &err), &err);
    }
    changed(im[0], im[1], at); /* with a light edge around */
    assert_true(at[0] == 19 && at[1] == 29 && at[2] == 181 && at[3] == 151);
    assert_true(is_color(im[1], 100, 31, gm_palette_nth(0)));
    changed(im[0], im[1], at);
    size_t first = 0, second = 0; /* pixels of the numbers' grounds, left and right above */
    for (size_t y = 34; y < 46; y++)
        for (size_t x = 24; x < 32; x++) {
            first += !is_color(im[1], x, y, (struct gm_color){0, 0, 0});
            second += !is_color(im[2], x + 145, y, (struct gm_color){0, 0, 0});
            assert_true(is_color(im[1], x + 145, y, (struct gm_color){0, 0, 0}));
            assert_memory_equal(im[1]->rgb + (y * 300 + x) * 3, im[2]->rgb + (y * 300 + x) * 3, 3);
        }
    assert_true(first > 80 && second > 80);
    changed(im[2], im[3], at); /* a box that is smaller than its number: it stays in the picture */
    assert_true(at[0] >= 189 && at[1] >= 4 && at[2] <= 225 && at[3] <= 40);
    for (size_t n = 0; n < 4; n++)
        gm_image_free(im[n]);
}

/* As many as there can be, all over each other and over the edge. */
static void marks_stay_inside(void **state)
{
    (void)state;
    struct gm_error err = {0};
    double boxes[GM_MARKS_MAX][4];
    for (size_t i = 0; i < GM_MARKS_MAX; i++)
        memcpy(boxes[i], (double[]){-9, 3 * (double)i, i % 3 ? 25 : INFINITY, i % 5 ? 40 : NAN},
               sizeof boxes[i]);
    struct gm_image *im = blank(24, 31);
    enum gm_status st = gm_draw_numbered(im, (const double(*)[4])boxes, GM_MARKS_MAX, &err);
    gm_image_free(im);
    if (st != GM_OK)
        skip_because("%s", err.msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_have_their_frame),   cmocka_unit_test(odd_coordinates_are_cut_off),
        cmocka_unit_test(masks_tint_their_pixels),  cmocka_unit_test(labels_are_lettered),
        cmocka_unit_test(scripts_are_shaped),       cmocka_unit_test(types_have_their_colors),
        cmocka_unit_test(marks_have_their_numbers), cmocka_unit_test(marks_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
