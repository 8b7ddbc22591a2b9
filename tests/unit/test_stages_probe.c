/* The generated pictures of `coords: auto`, and the table of readings. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stages/coords_probe.h"

/* The outermost pixels that are neither the ground's nor another shape's colour. */
static void extent(const struct gm_image *im, const double box[4], double out[4])
{
    const uint8_t *color =
        im->rgb + 3 * ((size_t)((box[1] + box[3]) / 2) * im->w + (size_t)((box[0] + box[2]) / 2));
    double found[4] = {1e9, 1e9, -1, -1};
    for (uint32_t y = 0; y < im->h; y++)
        for (uint32_t x = 0; x < im->w; x++)
            if (memcmp(im->rgb + 3 * ((size_t)y * im->w + x), color, 3) == 0) {
                found[0] = fmin(found[0], x);
                found[1] = fmin(found[1], y);
                found[2] = fmax(found[2], x + 1);
                found[3] = fmax(found[3], y + 1);
            }
    memcpy(out, found, sizeof found);
}

static void shapes_are_where_they_are_said(void **state)
{
    (void)state;
    static const uint32_t sizes[GM_PROBE_PICTURES][2] = {{900, 500}, {500, 900}, {640, 640}};
    for (size_t i = 0; i < GM_PROBE_PICTURES; i++) {
        struct gm_image *im;
        assert_int_equal(gm_probe_picture(&im, i, NULL), GM_OK);
        assert_true(im->w == sizes[i][0] && im->h == sizes[i][1]);
        for (size_t k = 0; k < GM_PROBE_SHAPES; k++) {
            const struct gm_probe_shape *s = gm_probe_shape(i, k);
            double got[4];
            extent(im, s->box, got);
            assert_non_null(strstr(s->caption, s->name));
            for (int side = 0; side < 4; side++)
                assert_true(got[side] == s->box[side]);
        }
        gm_image_free(im);
    }
}

/* A model that says every shape's box exactly, in whole numbers of a frame and an order. */
static void answer_all(struct gm_probe *p, enum gm_coords c, enum gm_order o)
{
    static const struct gm_picture_rule rule = {1000, 28, 512 * 512};
    static const uint32_t sizes[GM_PROBE_PICTURES][2] = {{900, 500}, {500, 900}, {640, 640}};
    *p = (struct gm_probe){.n = 0};
    for (size_t i = 0; i < (size_t)GM_PROBE_PICTURES * GM_PROBE_SHAPES; i++) {
        const uint32_t *full = sizes[i / 2];
        const double *b = gm_probe_shape(i / 2, i % 2)->box;
        uint32_t sent[2];
        char text[200];
        double said[4];
        gm_picture_size(&rule, full[0], full[1], sent);
        struct gm_picture pic = {.w = sent[0], .h = sent[1], .full_w = full[0], .full_h = full[1]};
        struct gm_frame f = gm_coords_frame(c, sent[0], sent[1], 1e8);
        for (int k = 0; k < 4; k++)
            said[k] = b[k] * (k % 2 ? f.h / full[1] : f.w / full[0]);
        bool turn = o == GM_ORDER_YXYX;
        snprintf(text, sizeof text, "[%.4f, %.4f, %.4f, %.4f]", said[turn], said[!turn],
                 said[2 + turn], said[3 - turn]);
        assert_int_equal(gm_probe_add(p, gm_str(text), b, &pic, 1e8, NULL), GM_OK);
    }
}

static void every_pair_is_found(void **state)
{
    (void)state;
    for (enum gm_coords c = 0; c < GM_N_COORDS; c++)
        for (enum gm_order o = 0; o < GM_N_ORDERS; o++) {
            struct gm_probe p;
            enum gm_coords got;
            enum gm_order order;
            answer_all(&p, c, o);
            assert_true(gm_probe_best(&p, GM_N_ORDERS, &got, &order) > 0.99);
            assert_true(order == o);
            /* what is sent is what a model of 28 sees: the two are the same here */
            assert_true(got == (c == GM_COORDS_GRID28 ? GM_COORDS_SENT : c));
            assert_true(gm_probe_best(&p, (enum gm_order) !o, &got, &order) < 0.2);
            assert_true((int)order == !o);
            assert_int_equal(p.n_read, 6);
        }
}

static void answers_without_boxes(void **state)
{
    (void)state;
    struct gm_probe p = {.n = 0};
    struct gm_picture pic = {.w = 644, .h = 644, .full_w = 640, .full_h = 640};
    enum gm_coords c;
    enum gm_order o;
    struct gm_buf b;
    const double box[4] = {0, 0, 320, 320};
    static const char *const said[] = {"", "no", "{\"boxes\": []}", "[[0, 0, 500, 500]]"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(gm_probe_add(&p, gm_str(said[i]), box, &pic, 1e8, NULL), GM_OK);
    assert_true(p.n == 4 && p.n_read == 1);
    assert_true(fabs(gm_probe_best(&p, GM_N_ORDERS, &c, &o) - 0.25) < 1e-9);
    assert_true(c == GM_COORDS_1000 && o == GM_ORDER_XYXY);
    gm_buf_init(&b, 1000);
    assert_int_equal(gm_probe_table(&p, &b, NULL), GM_OK);
    assert_string_equal(b.p, "sent xyxy 0.10, sent yxyx 0.10, grid28 xyxy 0.10, grid28 yxyx 0.10, "
                             "grid32 xyxy 0.10, grid32 yxyx 0.10, 1000 xyxy 0.25, 1000 yxyx 0.25, "
                             "1 xyxy 0.00, 1 yxyx 0.00");
    gm_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(shapes_are_where_they_are_said, no_leak),
        cmocka_unit_test_teardown(every_pair_is_found, no_leak),
        cmocka_unit_test_teardown(answers_without_boxes, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
