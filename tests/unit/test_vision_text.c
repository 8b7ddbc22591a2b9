/* What the reader does around its models: boxes of maps against RapidOCR's, shapes, strips, texts of
 * probabilities, and an ONNX file's metadata. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "vision/ctc.h"
#include "vision/onnx_meta.h"
#include "vision/quad.h"
#include "vision/textcrop.h"
#include "vision/textmap.h"

#include <math.h>

enum { BOXES_MAX = 100 };

/* The golden file's order: by the corners' numbers. */
static int by_corners(const void *a, const void *b)
{
    const struct gm_text_box *s = a, *t = b;
    for (size_t i = 0; i < 4; i++) {
        if (s->quad.at[i].x != t->quad.at[i].x)
            return s->quad.at[i].x < t->quad.at[i].x ? -1 : 1;
        if (s->quad.at[i].y != t->quad.at[i].y)
            return s->quad.at[i].y < t->quad.at[i].y ? -1 : 1;
    }
    return 0;
}

static void read_map(FILE *f, struct gm_textmap *map, float *p)
{
    char row[256];
    for (size_t y = 0; y < map->h; y++) {
        assert_int_equal(fscanf(f, "%255s", row), 1);
        assert_int_equal(strlen(row), map->w);
        for (size_t x = 0; x < map->w; x++)
            p[y * map->w + x] = (float)(row[x] - 'a') / 25.0f;
    }
    map->p = p;
}

static void boxes_are_rapidocrs(void **state)
{
    (void)state;
    struct gm_error err;
    const struct gm_textmap_opts opts = gm_textmap_opts_default();
    FILE *f = fopen("tests/golden/textmap.txt", "r");
    assert_non_null(f);
    struct gm_textmap map;
    unsigned ph, pw;
    size_t n, want, maps = 0, boxes = 0;
    while (fscanf(f, " map %zu %zu %u %u %zu", &map.h, &map.w, &ph, &pw, &want) == 5) {
        struct gm_text_box got[BOXES_MAX];
        float *p = gm_alloc(map.w * map.h, sizeof *p);
        read_map(f, &map, p);
        must(gm_textmap_boxes(&map, &opts, pw, ph, got, BOXES_MAX, &n, &err), &err);
        assert_int_equal(n, want);
        for (size_t i = 1; i < n; i++) /* in reading order: never 10 pixels up */
            assert_true(got[i].quad.at[0].y > got[i - 1].quad.at[0].y - 10 * (double)n);
        qsort(got, n, sizeof *got, by_corners);
        for (size_t i = 0; i < n; i++) {
            double score;
            for (size_t k = 0; k < 4; k++) {
                int x, y;
                assert_int_equal(fscanf(f, "%d %d", &x, &y), 2);
                assert_true(got[i].quad.at[k].x == x);
                assert_true(got[i].quad.at[k].y == y);
            }
            assert_int_equal(fscanf(f, "%lf", &score), 1);
            assert_true(fabs(got[i].score - score) < 0.001);
        }
        gm_free(p);
        maps++;
        boxes += n;
    }
    fclose(f);
    assert_int_equal(maps, 6);
    assert_true(boxes > 20);
}

/* No text, one speck, text all over: none crashes, and the last is one box of the whole. */
static void odd_maps(void **state)
{
    (void)state;
    struct gm_error err;
    const struct gm_textmap_opts opts = gm_textmap_opts_default();
    float p[32 * 64] = {0};
    struct gm_textmap map = {p, 32, 64};
    struct gm_text_box got[4];
    size_t n;
    must(gm_textmap_boxes(&map, &opts, 64, 32, got, 4, &n, &err), &err);
    assert_int_equal(n, 0);
    p[70] = 1;
    must(gm_textmap_boxes(&map, &opts, 64, 32, got, 4, &n, &err), &err);
    assert_int_equal(n, 0);
    for (size_t i = 0; i < 32 * 64; i++)
        p[i] = 1;
    must(gm_textmap_boxes(&map, &opts, 640, 320, got, 4, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_true(got[0].quad.at[0].x == 0 && got[0].quad.at[0].y == 0);
    assert_true(got[0].quad.at[2].x == 639 && got[0].quad.at[2].y == 319);
    for (size_t i = 0; i < 32 * 64; i++) /* many pieces: at most as many as there is room for */
        p[i] = i / 64 % 8 < 6 && i % 8 < 6;
    must(gm_textmap_boxes(&map, &opts, 64, 32, got, 4, &n, &err), &err);
    assert_int_equal(n, 4);
    gm_alloc_fail_at(1);
    assert_int_equal(gm_textmap_boxes(&map, &opts, 64, 32, got, 4, &n, &err), GM_ENOMEM);
    gm_alloc_fail_at(0);
}

static void shapes(void **state)
{
    (void)state;
    struct gm_spot s[6] = {{0, 0}, {4, 0}, {4, 2}, {0, 2}, {2, 1}, {4, 0}}, hull[7];
    struct gm_quad q;
    assert_int_equal(gm_hull(s, 6, hull), 4);
    assert_true(gm_quad_around(hull, 4, &q) == 2);
    assert_true(gm_quad_area(&q) == 8 && gm_quad_length(&q) == 12);
    assert_true(q.at[0].x == 0 && q.at[0].y == 0 && q.at[1].x == 4 && q.at[2].y == 2);
    struct gm_spot line[3] = {{1, 1}, {2, 2}, {3, 3}};
    assert_true(gm_quad_around(hull, gm_hull(line, 3, hull), &q) == 0);
    struct gm_spot one[1] = {{5, 5}};
    assert_true(gm_quad_around(hull, gm_hull(one, 1, hull), &q) == 0);
    assert_true(q.at[3].x == 5);
    /* A tilted square: its own sides, not the upright ones. */
    struct gm_spot tilted[4] = {{2, 0}, {4, 2}, {2, 4}, {0, 2}};
    assert_true(fabs(gm_quad_around(hull, gm_hull(tilted, 4, hull), &q) - sqrt(8)) < 1e-9);
    /* Widened by 3: three pixels on each side. */
    struct gm_spot wide[GM_QUAD_WIDE_MAX], around[GM_QUAD_WIDE_MAX + 1];
    struct gm_quad box = {{{10, 10}, {30, 10}, {30, 20}, {10, 20}}};
    size_t n = gm_quad_widen(&box, 3, wide);
    assert_true(n > 8);
    assert_true(gm_quad_around(around, gm_hull(wide, n, around), &q) == 16);
    assert_true(q.at[0].x == 7 && q.at[0].y == 7 && q.at[2].x == 33 && q.at[2].y == 23);
    assert_int_equal(
        gm_quad_widen(&(struct gm_quad){{{1, 1}, {1.5, 1}, {1, 1}, {1, 1.9}}}, 3, wide), 0);
    assert_int_equal(gm_quad_widen(&box, 1e9, wide), 0);
}

/* A crop of a ramp is the ramp; a high one is laid on its side; turned is turned. */
static void strips(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_image *im;
    struct gm_text_crop c;
    float out[3 * 48 * 160];
    must(gm_image_new(&im, 100, 60, &err), &err);
    for (uint32_t i = 0; i < 100 * 60; i++)
        im->rgb[3 * i] = (uint8_t)(2 * (i % 100)); /* red rises to the right */
    struct gm_quad q = {{{10, 10}, {50, 10}, {50, 30}, {10, 30}}};
    assert_true(gm_text_crop_init(&c, &q));
    assert_int_equal(c.w, 40);
    assert_int_equal(c.h, 20);
    must(gm_text_strip(&c, im, 80, 40, 80, out, &err), &err);
    for (size_t x = 0; x < 80; x++) {
        double want = fmin(fmax(((double)x + 0.5) / 2 - 0.5, 0), 39);
        assert_true(fabs(((double)out[2 * 40 * 80 + x] + 1) * 127.5 - 2 * (10 + want)) <= 1);
        assert_true(out[x] == -1);
    }
    float first = out[2 * 40 * 80];
    c.is_turned = true;
    must(gm_text_strip(&c, im, 80, 40, 160, out, &err), &err);
    assert_true(out[2 * 40 * 160 + 39 * 160 + 79] == first);
    q = (struct gm_quad){{{10, 10}, {20, 10}, {20, 40}, {10, 40}}};
    assert_true(gm_text_crop_init(&c, &q));
    assert_true(c.is_laid && c.w == 30 && c.h == 10);
    must(gm_text_strip(&c, im, 30, 10, 30, out, &err), &err);
    /* What was on the right is on top. */
    assert_true(fabs(((double)out[2 * 300] + 1) * 127.5 - 2 * 19) <= 1);
    assert_true(fabs(((double)out[2 * 300 + 9 * 30] + 1) * 127.5 - 2 * 10) <= 1);
    q = (struct gm_quad){{{5, 5}, {5, 5}, {5, 5}, {5, 5}}};
    assert_false(gm_text_crop_init(&c, &q));
    for (size_t nth = 1; nth <= 7; nth++) {
        c = (struct gm_text_crop){.w = 10, .h = 10};
        gm_alloc_fail_at(nth);
        assert_int_equal(gm_text_strip(&c, im, 10, 10, 10, out, &err), GM_ENOMEM);
        gm_alloc_fail_at(0);
    }
    gm_image_free(im);
}

static void texts_of_probabilities(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_arena a;
    struct gm_buf out;
    struct gm_characters chars;
    double score;
    gm_arena_init(&a, 0);
    gm_buf_init(&out, 1000);
    must(gm_characters_split(&a, GM_STR("a\n\xC3\xA9"), &chars, &err), &err);
    assert_int_equal(chars.n, 3); /* a, é, space */
    /* blank a a blank a space é */
    static const float p[7][4] = {{.9f, 0, 0, .1f},  {.1f, .8f, .1f, 0}, {.3f, .6f, .1f, 0},
                                  {1, 0, 0, 0},      {0, .5f, .4f, 0},   {0, 0, 0, 1},
                                  {.2f, 0, .7f, .1f}};
    must(gm_ctc_read(p[0], 7, &chars, &out, &score, &err), &err);
    assert_true(gm_str_eq_c(gm_buf_str(&out), "aa \xC3\xA9"));
    assert_true(fabs(score - (0.8 + 0.5 + 1 + 0.7) / 4) < 1e-6);
    gm_buf_reset(&out);
    must(gm_ctc_read(p[0], 1, &chars, &out, &score, &err), &err);
    assert_true(gm_buf_str(&out).n == 0 && score == 0);
    gm_buf_clear(&out);
    gm_arena_clear(&a);
}

static void metadata(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_arena a;
    struct gm_str value;
    /* ir_version 8, metadata {k: v}, metadata {key: "one\ntwo"}, an opset of no name */
    static const char good[] =
        "\x08\x08\x72\x06\x0a\x01k\x12\x01v\x72\x0e\x0a\x03key\x12\x07one\ntwo"
        "\x42\x00";
    char path[] = "/tmp/gm_meta_XXXXXX";
    close(mkstemp(path));
    gm_arena_init(&a, 0);
    must(gm_file_write(path, (struct gm_str){good, sizeof good - 1}, &err), &err);
    must(gm_onnx_meta(&a, path, "key", &value, &err), &err);
    assert_true(gm_str_eq_c(value, "one\ntwo"));
    assert_int_equal(gm_onnx_meta(&a, path, "other", &value, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "other"));
    for (size_t n = 1; n < sizeof good - 3; n++) { /* cut short */
        must(gm_file_write(path, (struct gm_str){good, n}, &err), &err);
        assert_int_equal(gm_onnx_meta(&a, path, "key", &value, &err), GM_EMODEL);
    }
    unlink(path);
    assert_int_equal(gm_onnx_meta(&a, path, "key", &value, &err), GM_EIO);
    gm_arena_clear(&a);
}

static void nothing_is_lost(void **state)
{
    (void)state;
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_are_rapidocrs),
        cmocka_unit_test(odd_maps),
        cmocka_unit_test(shapes),
        cmocka_unit_test(strips),
        cmocka_unit_test(texts_of_probabilities),
        cmocka_unit_test(metadata),
        cmocka_unit_test(nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
