/* COCO's run-length encoding against pycocotools, hostile counts, and mask measures against
 * counting pixel by pixel. */
#include "image_files.h"

#include "base/rng.h"
#include "image/mask.h"
#include "image/outline.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1 << 16 };

/* The pixels of a line of rle.txt: hexadecimal bits, or "columns:x0:x1". */
static uint8_t *pixels_of(const char *text, uint32_t h, uint32_t w)
{
    uint8_t *m = gm_alloc((size_t)h * w, 1);
    bool columns = strncmp(text, "columns:", 8) == 0;
    char *colon = NULL;
    unsigned long x0 = columns ? strtoul(text + 8, &colon, 10) : 0;
    unsigned long x1 = columns ? strtoul(colon + 1, NULL, 10) : 0;
    for (size_t i = 0; i < (size_t)h * w; i++) {
        unsigned long digit = columns ? 0 : strtoul((char[]){text[i / 4], 0}, NULL, 16);
        m[i] = columns ? i % w >= x0 && i % w < x1 : (digit >> (3 - i % 4) & 1) != 0;
    }
    return m;
}

static void equals_pycocotools(void **state)
{
    (void)state;
    FILE *f = fopen(GOLDEN "rle.txt", "r");
    char *bits = gm_alloc(LINE_MAX_BYTES, 1), *counts = gm_alloc(LINE_MAX_BYTES, 1);
    unsigned h, w;
    int n = 0;
    assert_non_null(f);
    while (fscanf(f, "%u %u %65535s %65535s", &h, &w, bits, counts) == 4) {
        struct gm_error err;
        struct gm_arena a;
        struct gm_str got;
        uint8_t *m = pixels_of(bits, h, w), *back = gm_alloc((size_t)h * w, 1);
        gm_arena_init(&a, 0);
        must(gm_rle_encode(&a, m, h, w, &got, &err), &err);
        if (!gm_str_eq_c(got, counts))
            fail_msg("%u x %u: \"%.*s\", not \"%s\"", w, h, GM_STR_ARG(got), counts);
        must(gm_rle_decode(gm_str(counts), h, w, back, &err), &err);
        assert_memory_equal(m, back, (size_t)h * w);
        gm_arena_clear(&a);
        gm_free(m);
        gm_free(back);
        n++;
    }
    fclose(f);
    gm_free(bits);
    gm_free(counts);
    assert_int_equal(n, 50);
    assert_int_equal(gm_alloc_live(), 0);
}

static void random_masks_come_back(void **state)
{
    (void)state;
    struct gm_rng rng;
    gm_rng_init(&rng, 3);
    for (int round = 0; round < 300; round++) {
        struct gm_error err;
        struct gm_arena a;
        struct gm_str counts;
        uint32_t h = (uint32_t)gm_rng_below(&rng, 90) + 1,
                 w = (uint32_t)gm_rng_below(&rng, 150) + 1;
        double density = gm_rng_uniform(&rng);
        uint8_t *m = gm_alloc((size_t)h * w, 1), *back = gm_alloc((size_t)h * w, 1);
        for (size_t i = 0; i < (size_t)h * w; i++) /* any value but 0 is inside */
            m[i] = gm_rng_uniform(&rng) < density ? (uint8_t)(gm_rng_below(&rng, 255) + 1) : 0;
        gm_arena_init(&a, 0);
        must(gm_rle_encode(&a, m, h, w, &counts, &err), &err);
        must(gm_rle_decode(counts, h, w, back, &err), &err);
        for (size_t i = 0; i < (size_t)h * w; i++)
            assert_int_equal(back[i], m[i] != 0);
        /* Another size must not fit, except that h and w may swap. */
        assert_int_equal(gm_rle_decode(counts, h, w - 1, back, &err), GM_EFORMAT);
        gm_arena_clear(&a);
        gm_free(m);
        gm_free(back);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

static void hostile_counts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",                      /* no runs */
        "1",                     /* too few pixels */
        "S2",                    /* 66 of 36 */
        " ",                     /* below the alphabet */
        "\x7f",                  /* above it */
        "P",                     /* a number that does not end */
        "PPPPPPPPPPPPPPPPPPPP1", /* one that overflows */
        "oooooooooooooooooooooo",
        "O",        /* -1 */
        "T1O",      /* 36, then -1 */
        "4444O0T1", /* a difference below zero */
        "oooooooO", /* a huge negative one */
        "T1001",    /* pixels left over behind the end */
    };
    struct gm_error err;
    uint8_t m[36];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (gm_rle_decode(gm_str(bad[i]), 6, 6, m, &err) != GM_EFORMAT)
            fail_msg("\"%s\" was taken for a mask of 6 x 6", bad[i]);
    must(gm_rle_decode(gm_str("T1"), 6, 6, m, &err), &err); /* 36 zeros are right */
    assert_int_equal(gm_rle_decode(gm_str("0"), 0, 6, m, &err), GM_EFORMAT);

    struct gm_rng rng;
    gm_rng_init(&rng, 9);
    for (int round = 0; round < 200000; round++) {
        char text[12];
        size_t n = gm_rng_below(&rng, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(round % 4 ? '0' + gm_rng_below(&rng, 64) : gm_rng_below(&rng, 256));
        (void)!gm_rle_decode((struct gm_str){text, n}, 6, 6, m, &err);
    }
}

/* Components by flooding, the slow sure way. */
static size_t flood(uint8_t *m, int h, int w, int y, int x, int connectivity)
{
    if (y < 0 || x < 0 || y >= h || x >= w || !m[y * w + x])
        return 0;
    size_t n = 1;
    m[y * w + x] = 0;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
            if (connectivity == 8 || dy == 0 || dx == 0)
                n += flood(m, h, w, y + dy, x + dx, connectivity);
    return n;
}

static void components_equal_flooding(void **state)
{
    (void)state;
    struct gm_rng rng;
    gm_rng_init(&rng, 21);
    for (int round = 0; round < 400; round++) {
        struct gm_error err;
        struct gm_components got, left, want = {0};
        uint8_t m[24 * 24], copy[24 * 24];
        uint32_t h = (uint32_t)gm_rng_below(&rng, 24) + 1, w = (uint32_t)gm_rng_below(&rng, 24) + 1;
        int connectivity = round % 2 ? 4 : 8;
        double density = gm_rng_uniform(&rng);
        for (size_t i = 0; i < (size_t)h * w; i++)
            copy[i] = m[i] = gm_rng_uniform(&rng) < density;
        for (int y = 0; y < (int)h; y++)
            for (int x = 0; x < (int)w; x++) {
                size_t n = flood(copy, (int)h, (int)w, y, x, connectivity);
                want.n += n > 0;
                want.area += n;
                want.largest = n > want.largest ? n : want.largest;
            }
        must(gm_mask_components(m, h, w, connectivity, &got, &err), &err);
        assert_int_equal(got.n, want.n);
        assert_int_equal(got.area, want.area);
        assert_int_equal(got.largest, want.largest);

        must(gm_mask_drop_small(m, h, w, connectivity, 0.5, &left, &err), &err);
        must(gm_mask_components(m, h, w, connectivity, &got, &err), &err);
        assert_int_equal(got.n, left.n);
        assert_int_equal(got.area, left.area);
        assert_int_equal(got.area, gm_mask_area(m, h, w));
        assert_int_equal(got.largest, want.largest);
        assert_true(got.n == 0 || got.area >= got.largest + (got.n - 1) * ((got.largest + 1) / 2));
    }
    uint8_t one = 1;
    struct gm_components c;
    struct gm_error err;
    assert_int_equal(gm_mask_components(&one, 1, 1, 6, &c, &err), GM_EARG);
    assert_int_equal(gm_alloc_live(), 0);
}

static void measures(void **state)
{
    (void)state;
    uint8_t a[4 * 6] = {0}, none[4 * 6] = {0};
    double box[4];
    a[1 * 6 + 2] = a[2 * 6 + 2] = a[2 * 6 + 4] = 1;
    assert_int_equal(gm_mask_area(a, 4, 6), 3);
    assert_true(gm_mask_box(a, 4, 6, box));
    assert_memory_equal(box, ((double[]){2, 1, 5, 3}), sizeof box);
    assert_false(gm_mask_box(none, 4, 6, box));
    assert_memory_equal(box, ((double[4]){0}), sizeof box);
}

/* Whether the middle of pixel (x, y) is in the loops by the even-odd rule. */
static bool is_in(const struct gm_outline *o, double x, double y)
{
    bool in = false;
    for (size_t i = 0, from = 0; i < o->n_loops; from = o->ends[i++])
        for (size_t k = from, before = o->ends[i] - 1; k < o->ends[i]; before = k++) {
            struct gm_point p = o->points[before], q = o->points[k];
            if ((p.y > y) != (q.y > y) &&
                x < p.x + (y - p.y) * ((double)q.x - p.x) / ((double)q.y - p.y))
                in = !in;
        }
    return in;
}

/* Exact outlines filled again give the mask, specks and holes included; simplified ones of a smooth
 * shape stay near it with far fewer corners. */
static void outlines_enclose_the_mask(void **state)
{
    (void)state;
    struct gm_rng rng;
    struct gm_error err;
    struct gm_arena a;
    struct gm_outline o;
    gm_arena_init(&a, 0);
    gm_rng_init(&rng, 77);
    for (int round = 0; round < 200; round++) {
        uint8_t m[20 * 20];
        uint32_t h = (uint32_t)gm_rng_below(&rng, 20) + 1, w = (uint32_t)gm_rng_below(&rng, 20) + 1;
        double density = gm_rng_uniform(&rng);
        for (size_t i = 0; i < (size_t)h * w; i++)
            m[i] = gm_rng_uniform(&rng) < density;
        must(gm_mask_outline(&a, m, h, w, 0, 0, &o, &err), &err);
        for (uint32_t y = 0; y < h; y++)
            for (uint32_t x = 0; x < w; x++)
                assert_int_equal(is_in(&o, x + 0.5, y + 0.5), m[y * w + x]);
        gm_arena_reset(&a);
    }
    enum { SIDE = 200 };
    uint8_t *m = gm_alloc(SIDE * SIDE, 1);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            m[y * SIDE + x] = (x - 100) * (x - 100) + (y - 90) * (y - 90) < 80 * 80;
    m[3] = 1; /* a speck */
    must(gm_mask_outline(&a, m, SIDE, SIDE, 1, 4, &o, &err), &err);
    assert_int_equal(o.n_loops, 1);
    assert_in_range(o.n_points, 8, 60);
    size_t wrong = 0;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            wrong += is_in(&o, x + 0.5, y + 0.5) != m[y * SIDE + x];
    assert_true(wrong < 500); /* a band of a pixel around a circle of 503 */
    gm_free(m);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_pycocotools),
        cmocka_unit_test(random_masks_come_back),
        cmocka_unit_test(hostile_counts_are_refused),
        cmocka_unit_test(components_equal_flooding),
        cmocka_unit_test(measures),
        cmocka_unit_test(outlines_enclose_the_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
