/* image_files.h - what the tests of pictures share: the golden files, and comparing pictures. */
#ifndef GM_TESTS_IMAGE_FILES_H
#define GM_TESTS_IMAGE_FILES_H

#include "unit.h"

#include <stdio.h>

#include "base/file.h"
#include "image/image.h"

#define GOLDEN "tests/golden/image/"

static inline struct gm_buf golden_bytes(const char *name)
{
    char path[256];
    struct gm_error err;
    struct gm_buf b;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    gm_buf_init(&b, 1 << 24);
    must(gm_file_read(path, &b, &err), &err);
    return b;
}

static inline struct gm_image *golden_image(const char *name)
{
    char path[256];
    struct gm_error err;
    struct gm_image *im;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    must(gm_image_load(&im, path, &err), &err);
    return im;
}

/* Largest difference of any channel of two pictures of the same size. */
static inline int image_distance(const struct gm_image *a, const struct gm_image *b)
{
    int most = 0;
    assert_int_equal(a->w, b->w);
    assert_int_equal(a->h, b->h);
    for (size_t i = 0; i < (size_t)a->w * a->h * 3; i++) {
        int d = a->rgb[i] > b->rgb[i] ? a->rgb[i] - b->rgb[i] : b->rgb[i] - a->rgb[i];
        most = d > most ? d : most;
    }
    return most;
}

#endif
