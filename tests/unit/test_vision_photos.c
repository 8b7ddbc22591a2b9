/* Detector and person masks on the demo photos. */
#include "vision_files.h"

#include "image/overlap.h"
#include "vision/coco_classes.h"

#include <math.h>

enum { MAX = 50 };

static size_t detect(struct gm_detector *d, const struct gm_image *im, struct gm_detection *out)
{
    struct gm_error err;
    size_t n;
    must(gm_detector_run(d, 0, im, im->w, im->h, out, MAX, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        const double *b = out[i].box;
        assert_true(b[0] >= 0 && b[1] >= 0 && b[2] <= im->w && b[3] <= im->h);
        assert_true(b[0] < b[2] && b[1] < b[3]);
        assert_true(i == 0 || out[i].score <= out[i - 1].score);
    }
    return n;
}

/* Boxes read off the photos by eye, to some ten pixels. */
static void finds_the_persons(void **state)
{
    (void)state;
    struct gm_detector *d = load_detector();
    struct gm_image *grace = load_image(PHOTOS "grace_hopper.jpg");
    struct gm_image *astronaut = load_image(PHOTOS "astronaut.png");
    struct gm_image *china = load_image(PHOTOS "china.jpg");
    const double grace_box[4] = {8, 12, 512, 600}, astronaut_box[4] = {15, 15, 365, 510};
    struct gm_detection first[MAX], found[MAX];
    size_t n_first = detect(d, grace, first);
    assert_true(n_first >= 1);
    assert_int_equal(first[0].class_id, GM_COCO_PERSON);
    assert_true(gm_box_iou(first[0].box, grace_box) > 0.9);
    size_t n = detect(d, astronaut, found);
    assert_true(n >= 1);
    assert_int_equal(found[0].class_id, GM_COCO_PERSON);
    assert_true(gm_box_iou(found[0].box, astronaut_box) > 0.9);
    n = detect(d, china, found); /* a palace without people */
    for (size_t i = 0; i < n; i++)
        assert_int_not_equal(found[i].class_id, GM_COCO_PERSON);
    /* The same picture gives the same bits, whatever was looked at between. */
    n = detect(d, grace, found);
    assert_int_equal(n, n_first);
    assert_memory_equal(found, first, n * sizeof *found);
    gm_image_free(grace);
    gm_image_free(astronaut);
    gm_image_free(china);
    gm_detector_free(d);
    assert_int_equal(gm_alloc_live(), 0);
}

static void tiny_and_thin_pictures(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_detector *d = load_detector();
    struct gm_matting *m = load_matting(GM_MATTING_SELFIE), *pose = load_matting(GM_MATTING_POSE);
    static const uint32_t sizes[][2] = {{1, 1}, {1, 3000}, {3000, 1}, {2, 2}, {17, 255}};
    for (size_t i = 0; i < 5; i++) {
        struct gm_image *im;
        struct gm_detection found[MAX];
        must(gm_image_new(&im, sizes[i][0], sizes[i][1], &err), &err);
        detect(d, im, found);
        uint8_t *mask = gm_alloc((size_t)im->w * im->h, 1);
        const double whole[4] = {0, 0, im->w, im->h};
        const double around[4] = {-50, -50, im->w + 50, im->h + 50};
        const double outside[4] = {im->w + 1, 0, im->w + 9, 1};
        const double empty[4] = {0, 0, 0, 0}, nan[4] = {0, 0, NAN, 1};
        size_t area;
        must(gm_matting_run(m, 0, im, whole, mask, &area, &err), &err);
        must(gm_matting_run(m, 0, im, around, mask, &area, &err), &err);
        must(gm_matting_run(pose, 0, im, whole, mask, &area, &err), &err);
        assert_int_equal(gm_matting_run(m, 0, im, outside, mask, &area, &err), GM_EARG);
        assert_int_equal(gm_matting_run(m, 0, im, empty, mask, &area, &err), GM_EARG);
        assert_int_equal(gm_matting_run(pose, 0, im, nan, mask, &area, &err), GM_EARG);
        assert_int_equal(area, 0);
        gm_free(mask);
        gm_image_free(im);
    }
    gm_detector_free(d);
    gm_matting_free(m);
    gm_matting_free(pose);
    assert_int_equal(gm_alloc_live(), 0);
}

static void masks_of_the_portraits(void **state)
{
    (void)state;
    static const char *const photos[] = {PHOTOS "grace_hopper.jpg", PHOTOS "astronaut.png"};
    struct gm_detector *d = load_detector();
    struct gm_matting *selfie = load_matting(GM_MATTING_SELFIE),
                      *pose = load_matting(GM_MATTING_POSE);
    for (size_t i = 0; i < 2; i++) {
        struct gm_image *im = load_image(photos[i]);
        struct gm_detection found[MAX];
        printf("%s\n", photos[i]);
        assert_true(detect(d, im, found) > 0);
        assert_int_equal(found[0].class_id, GM_COCO_PERSON);
        check_person_masks(selfie, pose, im, found[0].box);
        gm_image_free(im);
    }
    gm_detector_free(d);
    gm_matting_free(selfie);
    gm_matting_free(pose);
    assert_int_equal(gm_alloc_live(), 0);
}

static void coco_labels(void **state)
{
    (void)state;
    for (size_t i = 0; i < GM_COCO_CLASSES; i++)
        assert_ptr_equal(gm_coco_find(gm_str(gm_coco_class(i)->label)), gm_coco_class(i));
    assert_null(gm_coco_find(GM_STR("unicorn")));
    assert_string_equal(gm_coco_class(GM_COCO_PERSON)->label, "person");
    assert_string_equal(gm_coco_class(79)->label, "toothbrush");
}

int main(void)
{
    vision_tests_start(PHOTOS "grace_hopper.jpg");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coco_labels),
        cmocka_unit_test(finds_the_persons),
        cmocka_unit_test(tiny_and_thin_pictures),
        cmocka_unit_test(masks_of_the_portraits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
