/* Detector and person masks on an annotated photo of Twitter-GMNER's training split. */
#include "vision_files.h"

#include "image/overlap.h"

static void two_persons(void **state)
{
    (void)state;
    struct gm_error err;
    /* xml/1953977.xml */
    const double gold[2][4] = {{14, 2, 285, 300}, {298, 18, 574, 300}};
    const double iou_min[2] = {0.90, 0.97};
    struct gm_detector *d = load_detector();
    struct gm_matting *selfie = load_matting(GM_MATTING_SELFIE),
                      *pose = load_matting(GM_MATTING_POSE);
    struct gm_image *im = load_image(SHARED_PHOTO);
    struct gm_detection found[10];
    size_t n;
    must(gm_detector_run(d, 0, im, im->w, im->h, found, 10, &n, &err), &err);
    assert_true(n >= 2);
    for (size_t i = 0; i < 2; i++) {
        double iou = gm_box_iou(found[i].box, gold[i]);
        assert_int_equal(found[i].class_id, 0);
        printf("person %zu: IoU with the annotated box %.3f\n", i + 1, iou);
        assert_true(iou >= iou_min[i]);
        check_person_masks(selfie, pose, im, found[i].box);
    }
    gm_image_free(im);
    gm_detector_free(d);
    gm_matting_free(selfie);
    gm_matting_free(pose);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    vision_tests_start(SHARED_PHOTO);
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_persons)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
