/* Boxes in the numbers and forms of several model families, for pictures of odd sizes and shapes. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "image/image.h"
#include "llm/picture.h"
#include "stages/coords.h"
#include "stages/said.h"

static const double server_max = 16384 * 28 * 28;
static const uint32_t sides[] = {1, 3, 27, 28, 29, 333, 777, 999, 1000, 1001, 1999, 4032};
enum { N_SIDES = sizeof sides / sizeof *sides };

static void names(void **state)
{
    (void)state;
    enum gm_coords c;
    enum gm_order o;
    for (int i = 0; i < GM_N_COORDS; i++)
        assert_true(gm_coords_parse(gm_str(gm_coords_name((enum gm_coords)i)), &c) && (int)c == i);
    for (int i = 0; i < GM_N_ORDERS; i++)
        assert_true(gm_order_parse(gm_str(gm_order_name((enum gm_order)i)), &o) && (int)o == i);
    assert_false(gm_coords_parse(GM_STR("0..1"), &c));
    assert_false(gm_order_parse(GM_STR("xywh"), &o));
}

/* Sizes that the models' own smart_resize gives, worked out by hand from its published source: round
 * half to even, then one factor for both sides. */
static void grid_sizes(void **state)
{
    (void)state;
    static const struct {
        enum gm_coords c;
        uint32_t w, h;
        double max, fw, fh;
    } cases[] = {
        {GM_COORDS_GRID28, 1000, 667, 12845056, 1008, 672}, /* 35.71 -> 36, 23.82 -> 24 */
        {GM_COORDS_GRID28, 1000, 750, 12845056, 1008, 756}, /* 26.79 -> 27 */
        {GM_COORDS_GRID28, 999, 1, 12845056, 1008, 28},     /* a line */
        {GM_COORDS_GRID28, 14, 14, 12845056, 56, 56},       /* 0.5 -> 0 -> 28; 784 < 3136: x 4 */
        {GM_COORDS_GRID28, 42, 70, 12845056, 56, 56},       /* 1.5 -> 2, 2.5 -> 2: halves to even */
        {GM_COORDS_GRID28, 1000, 1000, 501760, 700, 700},   /* 1008 is over; 708.3 -> 25*28 */
        {GM_COORDS_GRID28, 1920, 1080, 1003520, 1316, 728}, /* 1335.7 -> 47*28, 751.3 -> 26*28 */
        {GM_COORDS_GRID32, 1000, 667, 16777216, 992, 672},  /* 31.25 -> 31, 20.84 -> 21 */
        {GM_COORDS_GRID32, 100, 50, 16777216, 384, 192},    /* x 3.62: 362 -> 384, 181 -> 192 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_frame f = gm_coords_frame(cases[i].c, cases[i].w, cases[i].h, cases[i].max);
        if (f.w != cases[i].fw || f.h != cases[i].fh)
            fail_msg("case %zu: %g x %g", i, f.w, f.h);
    }
}

/* ---- recorded answers ---- */

/* A family's way of saying the box b, in parts of the frame f; prints it as it would. */
static void qwen25(char *out, size_t n, const double b[4], struct gm_frame f)
{
    snprintf(out, n,
             "```json\n[\n\t{\"bbox_2d\": [%.0f, %.0f, %.0f, %.0f], \"label\": \"a man\"}\n]\n```",
             b[0] * f.w, b[1] * f.h, b[2] * f.w, b[3] * f.h);
}

static void qwen2_marks(char *out, size_t n, const double b[4], struct gm_frame f)
{
    snprintf(out, n,
             "<|object_ref_start|>a man<|object_ref_end|><|box_start|>(%.0f,%.0f),(%.0f,%.0f)"
             "<|box_end|>",
             b[0] * f.w, b[1] * f.h, b[2] * f.w, b[3] * f.h);
}

static void qwen2_bare(char *out, size_t n, const double b[4], struct gm_frame f)
{
    snprintf(out, n, "(%.0f,%.0f),(%.0f,%.0f)", b[0] * f.w, b[1] * f.h, b[2] * f.w, b[3] * f.h);
}

static void gemini(char *out, size_t n, const double b[4], struct gm_frame f)
{
    snprintf(out, n, "[{\"box_2d\": [%.0f, %.0f, %.0f, %.0f], \"label\": \"man\"}]", b[1] * f.h,
             b[0] * f.w, b[3] * f.h, b[2] * f.w);
}

static void gemini_sides(char *out, size_t n, const double b[4], struct gm_frame f)
{
    snprintf(out, n,
             "{\"boxes\": [{\"ymin\": %.0f, \"xmin\": %.0f, \"ymax\": %.0f, \"xmax\": %.0f}]}",
             b[1] * f.h, b[0] * f.w, b[3] * f.h, b[2] * f.w);
}

static void internvl(char *out, size_t n, const double b[4], struct gm_frame f)
{
    snprintf(out, n, "<ref>a man</ref><box>[[%.0f, %.0f, %.0f, %.0f]]</box>", b[0] * f.w,
             b[1] * f.h, b[2] * f.w, b[3] * f.h);
}

static void glm(char *out, size_t n, const double b[4], struct gm_frame f)
{
    snprintf(out, n, "He is at <|begin_of_box|>[[%.0f,%.0f,%.0f,%.0f]]<|end_of_box|>.", b[0] * f.w,
             b[1] * f.h, b[2] * f.w, b[3] * f.h);
}

static void minicpm(char *out, size_t n, const double b[4], struct gm_frame f)
{
    snprintf(out, n, "<ref>man</ref><box>%03.0f %03.0f %03.0f %03.0f</box>", b[0] * f.w, b[1] * f.h,
             b[2] * f.w, b[3] * f.h);
}

static void deepseek(char *out, size_t n, const double b[4], struct gm_frame f)
{
    (void)f; /* 0..999, whatever the picture */
    snprintf(out, n, "<|ref|>a man<|/ref|><|det|>[[%.0f, %.0f, %.0f, %.0f]]<|/det|>", b[0] * 999,
             b[1] * 999, b[2] * 999, b[3] * 999);
}

static void florence(char *out, size_t n, const double b[4], struct gm_frame f)
{
    (void)f; /* the bin of 1000 in which the side lies */
    snprintf(out, n, "a man<loc_%d><loc_%d><loc_%d><loc_%d>", (int)(b[0] * 1000),
             (int)(b[1] * 1000), (int)(b[2] * 1000), (int)(b[3] * 1000));
}

static void ofa(char *out, size_t n, const double b[4], struct gm_frame f)
{
    (void)f;
    snprintf(out, n, "<bin_%.0f> <bin_%.0f> <bin_%.0f> <bin_%.0f>", b[0] * 999, b[1] * 999,
             b[2] * 999, b[3] * 999);
}

static void paligemma(char *out, size_t n, const double b[4], struct gm_frame f)
{
    (void)f; /* y first */
    snprintf(out, n, "<loc%04.0f><loc%04.0f><loc%04.0f><loc%04.0f> man", b[1] * 1024, b[0] * 1024,
             b[3] * 1024, b[2] * 1024);
}

static void fractions(char *out, size_t n, const double b[4], struct gm_frame f)
{
    snprintf(
        out, n,
        "{\"objects\": [{\"x_min\": %.4f, \"y_min\": %.4f, \"x_max\": %.4f, \"y_max\": %.4f}]}",
        b[0] * f.w, b[1] * f.h, b[2] * f.w, b[3] * f.h);
}

static const struct family {
    const char *name;
    void (*say)(char *out, size_t n, const double b[4], struct gm_frame f);
    enum gm_coords coords;
    enum gm_order order;
    double steps; /* how many numbers a side has; 0 = those of the picture that the model sees */
} families[] = {
    {"Qwen2.5-VL", qwen25, GM_COORDS_GRID28, GM_ORDER_XYXY, 0},
    {"pixels as sent", qwen25, GM_COORDS_SENT, GM_ORDER_XYXY, 0},
    {"pixels of 32", qwen25, GM_COORDS_GRID32, GM_ORDER_XYXY, 0},
    {"Qwen3-VL", qwen25, GM_COORDS_1000, GM_ORDER_XYXY, 1000},
    {"Qwen2-VL", qwen2_marks, GM_COORDS_1000, GM_ORDER_XYXY, 1000},
    {"Qwen2-VL without its marks", qwen2_bare, GM_COORDS_1000, GM_ORDER_XYXY, 1000},
    {"Gemini", gemini, GM_COORDS_1000, GM_ORDER_YXYX, 1000},
    {"Gemini, sides named", gemini_sides, GM_COORDS_1000, GM_ORDER_YXYX, 1000},
    {"InternVL", internvl, GM_COORDS_1000, GM_ORDER_XYXY, 1000},
    {"GLM-4.5V", glm, GM_COORDS_1000, GM_ORDER_XYXY, 1000},
    {"MiniCPM-V", minicpm, GM_COORDS_1000, GM_ORDER_XYXY, 1000},
    {"DeepSeek-VL2", deepseek, GM_COORDS_1000, GM_ORDER_XYXY, 999},
    {"Florence-2", florence, GM_COORDS_1000, GM_ORDER_XYXY, 1000},
    {"OFA", ofa, GM_COORDS_1000, GM_ORDER_XYXY, 999},
    {"PaliGemma", paligemma, GM_COORDS_1000, GM_ORDER_YXYX, 1024},
    {"fractions", fractions, GM_COORDS_1, GM_ORDER_XYXY, 10000},
};

/* The first box of an answer, in pixels of the original; NULL or why there is none. */
static const char *read_box(const struct family *fam, const char *answer, struct gm_frame f,
                            uint32_t w, uint32_t h, double out[4])
{
    struct gm_json *said;
    double box[4] = {0};
    enum gm_status st = fam->order == GM_ORDER_YXYX ? gm_said_boxes_yx(&said, gm_str(answer), NULL)
                                                    : gm_said_boxes(&said, gm_str(answer), NULL);
    if (st != GM_OK)
        return "unread";
    const struct gm_json *boxes = gm_json_get(said, "boxes");
    assert_int_equal(gm_json_count(boxes), 1);
    for (size_t k = 0; k < 4; k++)
        (void)gm_json_num(gm_json_at(gm_json_at(boxes, 0), k), &box[k]);
    gm_json_free(said);
    return gm_coords_box(box, f, w, h, out);
}

/* Through one family's answer and back: within a pixel, or half of the family's own step where that
 * is more. */
static void check_family(const struct family *fam, uint32_t w, uint32_t h)
{
    static const double part[4] = {0.1134, 0.2371, 0.8719, 0.9467};
    const struct gm_picture_rule rule = {1000, gm_coords_grid(fam->coords), 512 * 512};
    uint32_t sent[2];
    char answer[300];
    double got[4];
    gm_picture_size(&rule, w, h, sent);
    struct gm_frame f = gm_coords_frame(fam->coords, sent[0], sent[1], server_max);
    fam->say(answer, sizeof answer, part, f);
    const char *why = read_box(fam, answer, f, w, h, got);
    if (w < 28 || h < 28) { /* a line: what is left of the box may be no pixel */
        if (why && strcmp(why, "box_empty") != 0)
            fail_msg("%s, %u x %u: %s: %s", fam->name, w, h, answer, why);
        return;
    }
    if (why)
        fail_msg("%s, %u x %u: %s: %s", fam->name, w, h, answer, why);
    for (int k = 0; k < 4; k++) {
        double side = k % 2 ? h : w, steps = fam->steps > 0 ? fam->steps : k % 2 ? f.h : f.w;
        if (fabs(got[k] - part[k] * side) > fmax(1, 0.501 * side / steps))
            fail_msg("%s, %u x %u: %s: side %d is %g, not %g", fam->name, w, h, answer, k, got[k],
                     part[k] * side);
    }
}

static void every_family(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (size_t a = 0; a < N_SIDES; a++)
            for (size_t b = 0; b < N_SIDES; b++)
                check_family(&families[i], sides[a], sides[b]);
}

/* ---- boxes and pictures ---- */

/* A box of the original goes to each convention's numbers and comes back exactly. */
static void there_and_back(void **state)
{
    (void)state;
    const double part[4] = {0.11, 0.23, 0.87, 0.94};
    for (size_t i = 0; i < (size_t)N_SIDES * N_SIDES * GM_N_COORDS; i++) {
        enum gm_coords c = (enum gm_coords)(i % GM_N_COORDS);
        uint32_t w = sides[i / GM_N_COORDS % N_SIDES], h = sides[i / GM_N_COORDS / N_SIDES];
        struct gm_frame f = gm_coords_frame(c, w, h, server_max);
        double said[4], got[4];
        for (int k = 0; k < 4; k++)
            said[k] = part[k] * (k % 2 ? f.h : f.w);
        const char *why = gm_coords_box(said, f, w, h, got);
        if (w * 0.76 < 1 || h * 0.71 < 1) {
            assert_string_equal(why, "box_empty");
            continue;
        }
        assert_null(why);
        for (int k = 0; k < 4; k++)
            assert_true(fabs(got[k] - part[k] * (k % 2 ? h : w)) < 1e-6 * (k % 2 ? h : w));
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

/* What is sent is what the model sees: sides that are multiples of the grid, at most the longest, at
 * least min_pixels where the longest allows it, and nearly the original's shape. */
static void sizes_sent(void **state)
{
    (void)state;
    static const struct {
        struct gm_picture_rule rule;
        uint32_t w, h, sent_w, sent_h;
    } cases[] = {
        {{1000, 28, 262144}, 2001, 1001, 980, 504}, {{1000, 32, 262144}, 2001, 1001, 992, 512},
        {{1000, 28, 262144}, 640, 640, 644, 644},   {{1000, 28, 262144}, 100, 100, 532, 532},
        {{1000, 32, 262144}, 100, 100, 512, 512},   {{1000, 28, 262144}, 331, 207, 672, 420},
        {{1000, 28, 0}, 100, 100, 112, 112},        {{1000, 28, 262144}, 3, 3000, 28, 980},
        {{1000, 28, 262144}, 500, 50, 980, 112},    {{1000, 28, 262144}, 1, 1, 532, 532},
        {{1000, 1, 0}, 999, 1000, 999, 1000},       {{28, 28, 0}, 4000, 3000, 28, 28},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t sent[2];
        gm_picture_size(&cases[i].rule, cases[i].w, cases[i].h, sent);
        if (sent[0] != cases[i].sent_w || sent[1] != cases[i].sent_h)
            fail_msg("case %zu: %u x %u", i, sent[0], sent[1]);
    }
}

static void what_is_sent_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < (size_t)N_SIDES * N_SIDES * 2; i++) {
        uint32_t grid = i % 2 ? 32 : 28, w = sides[i / 2 % N_SIDES], h = sides[i / 2 / N_SIDES];
        const struct gm_picture_rule rule = {1000, grid, 512 * 512};
        uint32_t sent[2];
        gm_picture_size(&rule, w, h, sent);
        struct gm_frame f = gm_coords_frame(i % 2 ? GM_COORDS_GRID32 : GM_COORDS_GRID28, sent[0],
                                            sent[1], server_max);
        assert_true(sent[0] % grid == 0 && sent[1] % grid == 0);
        assert_true(sent[0] <= 1000 && sent[1] <= 1000);
        if (sent[0] * sent[1] >= 256 * 256)
            assert_true(f.w == sent[0] && f.h == sent[1]);
        if (sent[0] < 1000 - grid && sent[1] < 1000 - grid)
            assert_true(sent[0] * sent[1] >= 512 * 512);
    }
}

static void pictures(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{2001, 1001}, {999, 1000}, {3, 3000}, {1, 1}, {560, 560}};
    const struct gm_picture_rule rule = {1000, 28, 512 * 512};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct gm_image *im, *back;
        struct gm_picture p;
        uint32_t sent[2];
        gm_picture_size(&rule, sizes[i][0], sizes[i][1], sent);
        assert_int_equal(gm_image_new(&im, sizes[i][0], sizes[i][1], NULL), GM_OK);
        assert_int_equal(gm_picture_make(&p, im, NULL, &rule, 90, NULL), GM_OK);
        assert_true(p.full_w == sizes[i][0] && p.full_h == sizes[i][1]);
        assert_true(p.w == sent[0] && p.h == sent[1]);
        assert_int_equal(gm_image_decode(&back, gm_buf_str(&p.jpeg), NULL), GM_OK);
        assert_true(back->w == p.w && back->h == p.h);
        gm_image_free(back);
        gm_image_free(im);
        gm_picture_clear(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(names, no_leak),
        cmocka_unit_test_teardown(grid_sizes, no_leak),
        cmocka_unit_test_teardown(every_family, no_leak),
        cmocka_unit_test_teardown(there_and_back, no_leak),
        cmocka_unit_test_teardown(clipped_and_refused, no_leak),
        cmocka_unit_test_teardown(sizes_sent, no_leak),
        cmocka_unit_test_teardown(what_is_sent_is_seen, no_leak),
        cmocka_unit_test_teardown(pictures, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
