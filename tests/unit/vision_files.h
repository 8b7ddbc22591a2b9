/* vision_files.h - what the tests of vision models share: where the models are, when to skip, and
 * what a person's mask must be like. Tests run in the repository's root. */
#ifndef GM_TESTS_VISION_FILES_H
#define GM_TESTS_VISION_FILES_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/models.h"
#include "image/image.h"
#include "image/mask.h"
#include "image/overlap.h"
#include "vision/detector.h"
#include "vision/matting.h"

#define PHOTOS ".deps/photos/"
#define SHARED "../shared/data/"
#define SHARED_PHOTO SHARED "images/1953977.jpg"

/* For main(): the program's home is the repository; ends as skipped when `needed` is absent. */
#define vision_tests_start(needed)                                                       \
    do {                                                                                 \
        setenv("GMNER_HOME", ".", 1);                                                    \
        skip_all_if(!gm_is_file(needed), "no %s%s", needed,                              \
                    strncmp(needed, SHARED, sizeof SHARED - 1)                           \
                        ? "; `make setup` gets it"                                       \
                        : " beside the checkout: research data that set-up cannot get"); \
    } while (0)

static inline struct gm_image *load_image(const char *path)
{
    struct gm_error err;
    struct gm_image *im;
    must(gm_image_load(&im, path, &err), &err);
    return im;
}

static inline struct gm_detector *load_detector(void)
{
    struct gm_error err;
    struct gm_arena a;
    struct gm_detector *d;
    const char *path;
    gm_arena_init(&a, 0);
    must(gm_model_path(&a, "nanodet", "nanodet.onnx", &path, &err), &err);
    must(gm_detector_load(&d, path, NULL, &err), &err);
    gm_arena_clear(&a);
    return d;
}

static inline struct gm_matting *load_matting(enum gm_matting_kind kind)
{
    struct gm_error err;
    struct gm_arena a;
    struct gm_matting *m;
    const char *path;
    const char *name = kind == GM_MATTING_POSE ? "pose" : "selfie";
    const char *file = kind == GM_MATTING_POSE ? "pose_landmark_full.tflite" : "selfie.onnx";
    gm_arena_init(&a, 0);
    must(gm_model_path(&a, name, file, &path, &err), &err);
    must(gm_matting_load(&m, kind, path, NULL, &err), &err);
    gm_arena_clear(&a);
    return m;
}

/* The overlap of two masks of one size. */
static inline double mask_iou(const uint8_t *a, const uint8_t *b, uint32_t h, uint32_t w)
{
    const uint8_t *masks[2] = {a, b};
    uint64_t *runs[2];
    size_t n[2];
    struct gm_arena arena;
    gm_arena_init(&arena, 0);
    for (size_t i = 0; i < 2; i++) {
        struct gm_str counts;
        struct gm_error err;
        must(gm_rle_encode(&arena, masks[i], h, w, &counts, &err), &err);
        must(gm_rle_to_runs(&arena, counts, h, w, &runs[i], &n[i], &err), &err);
    }
    double iou = gm_runs_iou(runs[0], n[0], runs[1], n[1]);
    gm_arena_clear(&arena);
    return iou;
}

/* What is wrong with `mask` as the mask of the person in `box`, given another model's; NULL when
 * nothing is. The bounds are the acceptance criteria of person masks. */
static inline const char *mask_fault(const uint8_t *mask, const uint8_t *other,
                                     const struct gm_image *im, const double box[4])
{
    static char text[128];
    struct gm_error err;
    struct gm_components c;
    double b[4];
    double cover = (double)gm_mask_area(mask, im->h, im->w) /
                   ((double)(box[2] - box[0]) * (double)(box[3] - box[1]));
    if (!gm_mask_box(mask, im->h, im->w, b))
        return "the mask is empty";
    /* Half-open boxes of whole pixels: the mask may reach into a pixel that the box touches. */
    if (b[0] <= box[0] - 1 || b[1] <= box[1] - 1 || b[2] >= box[2] + 1 || b[3] >= box[3] + 1)
        return "the mask leaves the box";
    must(gm_mask_components(mask, im->h, im->w, 8, &c, &err), &err);
    double share = (double)c.largest / (double)c.area, iou = mask_iou(mask, other, im->h, im->w);
    printf("    covers %.3f of the box, largest piece %.4f, IoU with the other model %.3f\n", cover,
           share, iou);
    snprintf(text, sizeof text, "covers %.3f, largest piece %.3f, IoU %.3f", cover, share, iou);
    bool good = cover >= 0.30 && cover <= 0.95 && share >= 0.98 && iou >= 0.85;
    return good ? NULL : text;
}

/* A mask without looking: the filled box (when not round), or the ellipse inscribed in it. */
static inline void fill_shape(uint8_t *mask, const struct gm_image *im, const double box[4],
                              bool round)
{
    double cx = (double)(box[0] + box[2]) / 2, cy = (double)(box[1] + box[3]) / 2;
    double rx = (double)(box[2] - box[0]) / 2, ry = (double)(box[3] - box[1]) / 2;
    for (uint32_t y = 0; y < im->h; y++)
        for (uint32_t x = 0; x < im->w; x++) {
            double u = (x + 0.5 - cx) / rx, v = (y + 0.5 - cy) / ry;
            mask[(size_t)y * im->w + x] =
                round ? u * u + v * v <= 1 : u >= -1 && u <= 1 && v >= -1 && v <= 1;
        }
}

/* Both models' masks of the person in `box` meet the criteria against each other; the box itself
 * and its ellipse do not. */
static inline void check_person_masks(struct gm_matting *selfie, struct gm_matting *pose,
                                      const struct gm_image *im, const double box[4])
{
    struct gm_error err;
    size_t n = (size_t)im->w * im->h, area;
    uint8_t *a = gm_alloc(n, 1), *b = gm_alloc(n, 1), *blind = gm_alloc(n, 1);
    must(gm_matting_run(selfie, 0, im, box, a, &area, &err), &err);
    assert_int_equal(area, gm_mask_area(a, im->h, im->w));
    must(gm_matting_run(pose, 0, im, box, b, &area, &err), &err);
    const char *fault = mask_fault(a, b, im, box);
    if (!fault)
        fault = mask_fault(b, a, im, box);
    if (fault)
        fail_msg("%s", fault);
    for (int round = 0; round < 2; round++) {
        fill_shape(blind, im, box, round);
        assert_non_null(mask_fault(blind, a, im, box));
        assert_non_null(mask_fault(blind, b, im, box));
    }
    gm_free(a);
    gm_free(b);
    gm_free(blind);
}

#endif
