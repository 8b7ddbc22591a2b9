/* Boxes in the conventions of several models, for pictures of odd sizes and shapes. */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "image/image.h"
#include "llm/picture.h"
#include "stages/coords.h"

static const double qwen_min = 4 * 28 * 28, qwen_max = 16384 * 28 * 28;

static void names(void **state)
{
    (void)state;
    enum gm_coords c;
    assert_true(gm_coords_parse(GM_STR("grid28"), &c) && c == GM_COORDS_GRID28);
    assert_true(gm_coords_parse(GM_STR("1"), &c) && c == GM_COORDS_1);
    assert_false(gm_coords_parse(GM_STR("0..1"), &c));
}

/* Sizes that Qwen's own smart_resize gives (factor 28), worked out by hand from its published
 * source: round half to even, then one factor for both sides. */
static void grid28_sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t w, h;
        double max, fw, fh;
    } cases[] = {
        {1000, 667, qwen_max, 1008, 672}, /* 35.71 -> 36, 23.82 -> 24 */
        {1000, 750, qwen_max, 1008, 756}, /* 26.79 -> 27 */
        {999, 1, qwen_max, 1008, 28},     /* a line */
        {14, 14, qwen_max, 56, 56},       /* 0.5 -> 0 -> 28; 784 < 3136: x 4 = 56 */
        {42, 70, qwen_max, 56, 56},       /* 1.5 -> 2, 2.5 -> 2: halves to even; just the least */
        {1000, 1000, 501760, 700, 700},   /* 36*28 = 1008; over: 708.3 -> 25*28 */
        {1920, 1080, 1003520, 1316, 728}, /* 1335.7 -> 47*28, 751.3 -> 26*28 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_frame f =
            gm_coords_frame(GM_COORDS_GRID28, cases[i].w, cases[i].h, qwen_min, cases[i].max);
        if (f.w != cases[i].fw || f.h != cases[i].fh)
            fail_msg("case %zu: %g x %g", i, f.w, f.h);
    }
}

/* A box of the original goes to each convention's numbers and comes back within half a pixel of the
 * smaller picture, for many odd sizes. */
static void there_and_back(void **state)
{
    (void)state;
    static const uint32_t sides[] = {1, 3, 27, 28, 29, 333, 999, 1000, 1001, 1999, 4032};
    const double part[4] = {0.11, 0.23, 0.87, 0.94};
    for (size_t a = 0; a < 11; a++)
        for (size_t b = 0; b < 11; b++)
            for (int c = 0; c < 4; c++) {
                uint32_t w = sides[a], h = sides[b], longest = w > h ? w : h;
                double scale = longest > 1000 ? 1000.0 / longest : 1;
                uint32_t sw = (uint32_t)fmax(1, round(w * scale));
                uint32_t sh = (uint32_t)fmax(1, round(h * scale));
                struct gm_frame f = gm_coords_frame((enum gm_coords)c, sw, sh, qwen_min, qwen_max);
                double said[4];
                double got[4];
                for (int k = 0; k < 4; k++)
                    said[k] = part[k] * (k % 2 ? f.h : f.w);
                const char *why = gm_coords_box(said, f, w, h, got);
                if (w * 0.76 < 1 || h * 0.71 < 1) {
                    assert_string_equal(why, "box_empty");
                    continue;
                }
                assert_null(why);
                for (int k = 0; k < 4; k++)
                    assert_true(fabs(got[k] - part[k] * (k % 2 ? h : w)) < 1e-3 * (k % 2 ? h : w));
            }
}

static void clipped_and_refused(void **state)
{
    (void)state;
    struct gm_frame f = {1000, 1000};
    double got[4];
    assert_null(gm_coords_box((double[]){-20, 0, 500, 1050}, f, 333, 777, got));
    assert_true(got[0] == 0 && got[1] == 0 && got[3] == 777);
    assert_true(fabs(got[2] - 166.5) < 1e-4);
    assert_string_equal(gm_coords_box((double[]){0, 0, 1200, 10}, f, 333, 777, got), "box_outside");
    assert_string_equal(gm_coords_box((double[]){-200, 0, 10, 10}, f, 333, 777, got),
                        "box_outside");
    assert_string_equal(gm_coords_box((double[]){500, 0, 400, 10}, f, 333, 777, got), "box_empty");
    assert_string_equal(gm_coords_box((double[]){5, 5, 5, 5}, f, 333, 777, got), "box_empty");
    assert_string_equal(gm_coords_box((double[]){0, 0, NAN, 10}, f, 333, 777, got), "box_numbers");
    assert_string_equal(gm_coords_box((double[]){0, 0, INFINITY, 1}, f, 333, 777, got),
                        "box_numbers");
}

/* Pictures are made smaller to the longest side, never larger, and keep their original size. */
static void pictures(void **state)
{
    (void)state;
    static const uint32_t sizes[][4] = {
        {2001, 1001, 1000, 500}, {999, 1000, 999, 1000}, {3, 3000, 1, 1000}, {1, 1, 1, 1}};
    for (size_t i = 0; i < 4; i++) {
        struct gm_image *im;
        struct gm_picture p;
        assert_int_equal(gm_image_new(&im, sizes[i][0], sizes[i][1], NULL), GM_OK);
        assert_int_equal(gm_picture_make(&p, im, 1000, 90, NULL), GM_OK);
        assert_int_equal(p.w, sizes[i][2]);
        assert_int_equal(p.h, sizes[i][3]);
        assert_int_equal(p.full_w, sizes[i][0]);
        struct gm_image *back;
        assert_int_equal(gm_image_decode(&back, gm_buf_str(&p.jpeg), NULL), GM_OK);
        assert_int_equal(back->w, p.w);
        assert_int_equal(back->h, p.h);
        gm_image_free(back);
        gm_image_free(im);
        gm_picture_clear(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),          cmocka_unit_test(grid28_sizes),
        cmocka_unit_test(there_and_back), cmocka_unit_test(clipped_and_refused),
        cmocka_unit_test(pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
