/* Overlaps: boxes by hand and against counting pixels, masks against pycocotools
 * (tests/golden/coco-masks.txt, made by tests/ref/coco_reference.py). */
#include "post_files.h"

#include "base/rng.h"
#include "image/mask.h"
#include "image/overlap.h"

#include <math.h>

static void test_boxes_by_hand(void **state)
{
    (void)state;
    const struct {
        double a[4], b[4], iou;
    } cases[] = {
        {{0, 0, 10, 10}, {0, 0, 10, 10}, 1},
        {{0, 0, 10, 10}, {0, 0, 10, 20}, 0.5},
        {{0, 0, 10, 10}, {10, 0, 20, 10}, 0},
        {{5, 5, 5, 5}, {5, 5, 5, 5}, 0},
        {{0, 0, 10, 10}, {5, 5, 5, 9}, 0},
        {{0, 0, 2, 2}, {1, 1, 3, 3}, 1.0 / 7},
        {{0, 0, 10, 0}, {0, 0, 10, 0}, 0},
        {{-5, -5, 5, 5}, {0, 0, 5, 5}, 0.25},
        /* In f32 the first is a little over one half; Python's doubles say a little under. */
        {{0.1, 0, 0.3, 1}, {0.1, 0, 0.5, 1}, 0.49999999999999994},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(gm_box_iou(cases[i].a, cases[i].b) == cases[i].iou);
        assert_true(gm_box_iou(cases[i].b, cases[i].a) == cases[i].iou);
    }
}

/* Whole-numbered boxes are sets of pixels. */
static void test_boxes_by_pixels(void **state)
{
    (void)state;
    enum { SIDE = 8 };
    struct gm_rng r;
    gm_rng_init(&r, 4);
    for (size_t n = 0; n < 2000; n++) {
        double box[2][4];
        size_t in[3] = {0};
        for (size_t i = 0; i < 2; i++)
            for (size_t k = 0; k < 2; k++) {
                size_t from = gm_rng_below(&r, SIDE), to = from + gm_rng_below(&r, SIDE - from + 1);
                box[i][k] = (double)from;
                box[i][k + 2] = (double)to;
            }
        for (size_t y = 0; y < SIDE; y++)
            for (size_t x = 0; x < SIDE; x++) {
                bool at[2];
                for (size_t i = 0; i < 2; i++)
                    at[i] = (double)x >= box[i][0] && (double)x < box[i][2] &&
                            (double)y >= box[i][1] && (double)y < box[i][3];
                in[at[0] + at[1]]++;
            }
        size_t all = in[1] + in[2];
        double want = all ? (double)in[2] / (double)all : 0;
        assert_true(gm_box_iou(box[0], box[1]) == want);
    }
}

static void test_masks_as_pycocotools(void **state)
{
    (void)state;
    char line[8192], *save;
    size_t n = 0;
    FILE *f = fopen("tests/golden/coco-masks.txt", "r");
    assert_non_null(f);
    for (; fgets(line, sizeof line, f); n++) {
        uint32_t h = (uint32_t)strtoul(strtok_r(line, " ", &save), NULL, 10);
        uint32_t w = (uint32_t)strtoul(strtok_r(NULL, " ", &save), NULL, 10);
        struct gm_arena a;
        uint64_t *runs[2];
        size_t n_runs[2];
        gm_arena_init(&a, 0);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(gm_rle_to_runs(&a, gm_str(strtok_r(NULL, " ", &save)), h, w, &runs[i],
                                            &n_runs[i], NULL),
                             GM_OK);
        double want = strtod(strtok_r(NULL, " \n", &save), NULL);
        assert_true(gm_runs_iou(runs[0], n_runs[0], runs[1], n_runs[1]) == want);
        assert_true(gm_runs_iou(runs[1], n_runs[1], runs[0], n_runs[0]) == want);
        assert_true(gm_runs_iou(runs[0], n_runs[0], NULL, 0) == 0);
        gm_arena_clear(&a);
    }
    fclose(f);
    assert_int_equal(n, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_boxes_by_hand),
                                       leak_checked(test_boxes_by_pixels),
                                       leak_checked(test_masks_as_pycocotools)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
