/* Resizing against Pillow's BILINEAR and BICUBIC, and properties that hold whatever the sizes are. */
#include "image_files.h"

#include <math.h>

typedef enum gm_status resize_fn(struct gm_image **out, const struct gm_image *src,
                                 const float box[4], uint32_t w, uint32_t h, struct gm_error *err);

static void compare_with_pillow(const char *cases, int n_cases, resize_fn *resize, int most)
{
    FILE *f = fopen(cases, "r");
    struct gm_image *src = golden_image("source.png");
    float box[4];
    unsigned w, h;
    char name[64];
    int n = 0;
    assert_non_null(f);
    while (fscanf(f, "%f %f %f %f %u %u %63s", &box[0], &box[1], &box[2], &box[3], &w, &h, name) ==
           7) {
        struct gm_error err;
        struct gm_image *got, *want = golden_image(name);
        must(resize(&got, src, box, w, h, &err), &err);
        int d = image_distance(got, want);
        if (d > most)
            fail_msg("%s: differs by %d levels", name, d);
        gm_image_free(got);
        gm_image_free(want);
        n++;
    }
    fclose(f);
    gm_image_free(src);
    assert_int_equal(n, n_cases);
    assert_int_equal(gm_alloc_live(), 0);
}

static void equals_pillow_within_one_level(void **state)
{
    (void)state;
    compare_with_pillow(GOLDEN "resize.txt", 10, gm_image_resize, 1);
    compare_with_pillow(GOLDEN "resize.txt", 10, gm_image_resize_bytes, 0);
    compare_with_pillow(GOLDEN "cubic.txt", 6, gm_image_resize_cubic, 0);
}

static void same_size_is_the_same_picture(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_image *src = golden_image("source.png"), *got;
    must(gm_image_resize(&got, src, (float[]){0, 0, 173, 97}, 173, 97, &err), &err);
    assert_int_equal(image_distance(src, got), 0);
    gm_image_free(got);
    /* A box that reaches outside is clipped, so that this is the same again. */
    must(gm_image_resize(&got, src, (float[]){-10, -1e30f, 1e9f, INFINITY}, 173, 97, &err), &err);
    assert_int_equal(image_distance(src, got), 0);
    gm_image_free(got);
    gm_image_free(src);
}

static void empty_boxes_are_refused(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_image *src = golden_image("source.png"), *got;
    const float boxes[][4] = {
        {5, 5, 5, 9}, {9, 5, 5, 9}, {173, 0, 200, 97}, {-5, -5, 0, 0}, {NAN, NAN, NAN, NAN}};
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        assert_int_equal(gm_image_resize(&got, src, boxes[i], 8, 8, &err), GM_EARG);
        assert_null(got);
    }
    assert_int_equal(gm_image_resize(&got, src, (float[]){0, 0, 9, 9}, 0, 8, &err), GM_EARG);
    gm_image_free(src);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Planes hold what the bytes hold before rounding, in the order and scale asked for. */
static void planes_resize_alike(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_image *src = golden_image("source.png"), *got;
    static const uint32_t sizes[][2] = {{64, 31}, {1, 1}, {300, 200}, {173, 97}};
    static const struct gm_plane planes[3] = {{2, 1, 0}, {1, 0.5f, -1}, {0, 1 / 255.0f, 7}};
    float *out = gm_alloc(3 * 300 * 200, sizeof *out);
    for (int k = 0; k < 4; k++) {
        uint32_t w = sizes[k][0], h = sizes[k][1];
        must(gm_image_resize_planes(out, src, w, h, planes, &err), &err);
        must(gm_image_resize(&got, src, (float[]){0, 0, 173, 97}, w, h, &err), &err);
        for (size_t i = 0; i < 3 * (size_t)w * h; i++) {
            const struct gm_plane *p = &planes[i / (w * h)];
            float value = (out[i] - p->shift) / p->scale;
            assert_true(fabsf(value - (float)got->rgb[3 * (i % (w * h)) + p->channel]) <= 0.502f);
        }
        gm_image_free(got);
    }
    assert_int_equal(gm_image_resize_planes(out, src, 0, 11, planes, &err), GM_EARG);
    gm_free(out);
    gm_image_free(src);
    assert_int_equal(gm_alloc_live(), 0);
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    struct gm_image *src = golden_image("source.png"), *got;
    enum gm_status st = GM_ENOMEM;
    size_t nth = 0;
    while (st != GM_OK && nth < 50) {
        struct gm_error err;
        gm_alloc_fail_at(++nth);
        st = gm_image_resize(&got, src, (float[]){0, 0, 173, 97}, 20, 20, &err);
        gm_alloc_fail_at(0);
        assert_true(st == GM_OK || (st == GM_ENOMEM && got == NULL));
    }
    assert_int_equal(nth, 12); /* eleven blocks in all */
    gm_image_free(got);
    gm_image_free(src);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_pillow_within_one_level),
        cmocka_unit_test(same_size_is_the_same_picture),
        cmocka_unit_test(empty_boxes_are_refused),
        cmocka_unit_test(planes_resize_alike),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
