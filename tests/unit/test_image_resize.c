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
    compare_with_pillow(GOLDEN "cubic.txt", 7, gm_image_resize_cubic, 0);
}

/* The formula of resize.c's square, read as it stands: one channel of the square, 0 beyond the picture. */
static long turned(long x, long last)
{
    while (last > 0 && (x < 0 || x > last))
        x = x < 0 ? -x : 2 * last - x;
    return last > 0 ? x : 0;
}

static double blurred(const double *in, long last, long x, double deviation)
{
    long radius = (long)(4 * deviation + 0.5);
    double sum = 0, weights = 0;
    for (long k = -radius; k <= radius; k++) {
        double g = radius ? exp(-(double)(k * k) / (2 * deviation * deviation)) : 1;
        sum += g * in[turned(x + k, last)];
        weights += g;
    }
    return sum / weights;
}

/* n samples in, `side` out. */
static void naive_line(const double *in, long n, double *out, long side)
{
    double s = (double)n / (double)side, deviation = s > 1 ? (s - 1) / 2 : 0;
    for (long i = 0; i < side; i++) {
        double c = ((double)i + 0.5) * s - 0.5;
        c = c < 0 ? -c : c;
        c = c > (double)n - 1 ? 2 * ((double)n - 1) - c : c;
        long f = (long)c;
        double t = c - (double)f, next = blurred(in, n - 1, turned(f + 1, n - 1), deviation);
        out[i] = (1 - t) * blurred(in, n - 1, f, deviation) + t * next;
    }
}

static void expect_square(const struct gm_image *im, uint32_t side)
{
    enum { MOST = 256 };
    static double square[MOST][MOST], down[MOST][MOST], line[MOST], want[MOST];
    static float got[3 * MOST * MOST];
    struct gm_error err;
    const struct gm_plane planes[3] = {{2, 2, -7}, {1, 1, 0}, {0, 0.5f, 1}};
    long longer = im->w > im->h ? im->w : im->h;
    must(gm_image_square_planes(got, im, side, planes, &err), &err);
    for (size_t c = 0; c < 3; c++) {
        for (long y = 0; y < longer; y++)
            for (long x = 0; x < longer; x++)
                square[y][x] = y < im->h && x < im->w
                                   ? im->rgb[3 * (y * im->w + x) + (long)planes[c].channel]
                                   : 0;
        for (long x = 0; x < longer; x++) {
            for (long y = 0; y < longer; y++)
                line[y] = square[y][x];
            naive_line(line, longer, want, side);
            for (long y = 0; y < side; y++)
                down[y][x] = want[y];
        }
        for (long y = 0; y < side; y++) {
            naive_line(down[y], longer, want, side);
            for (long x = 0; x < side; x++) {
                double w = want[x] * (double)planes[c].scale + (double)planes[c].shift;
                double g = (double)got[((long)c * side + y) * side + x];
                if (fabs(w - g) > 1e-3)
                    fail_msg("%ux%u to %u: %ld,%ld is %f, not %f", im->w, im->h, side, x, y, g, w);
            }
        }
    }
}

static void squares_equal_the_formula(void **state)
{
    (void)state;
    static const uint32_t sides[] = {3, 20, 64, 97, 173, 250};
    struct gm_error err;
    struct gm_image *src = golden_image("source.png"), *crop;
    static const float boxes[][4] = {{0, 0, 173, 97}, {5, 2, 25, 97}, {7, 7, 8, 8}, {3, 3, 33, 33}};
    for (size_t b = 0; b < sizeof boxes / sizeof *boxes; b++) {
        const float *x = boxes[b];
        must(gm_image_resize(&crop, src, x, (uint32_t)(x[2] - x[0]), (uint32_t)(x[3] - x[1]), &err),
             &err);
        for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
            expect_square(crop, sides[i]);
        gm_image_free(crop);
    }
    assert_int_equal(gm_image_square_planes(NULL, src, 0, NULL, &err), GM_EARG);
    gm_image_free(src);
    assert_int_equal(gm_alloc_live(), 0);
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
        cmocka_unit_test(squares_equal_the_formula),
        cmocka_unit_test(same_size_is_the_same_picture),
        cmocka_unit_test(empty_boxes_are_refused),
        cmocka_unit_test(planes_resize_alike),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
