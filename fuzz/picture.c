/* Pictures of every kind, by their content: what decodes has its pixels, also when a smaller one will
 * do, and what doesn't says why. */
#include "fuzz.h"

#include "image/image.h"

static void look_at(enum gm_status st, struct gm_image *im, const struct gm_error *err)
{
    if ((st == GM_OK) != (im != NULL) || (st != GM_OK && err->msg[0] == 0))
        abort();
    unsigned sum = 0;
    for (size_t i = 0; im && i < (size_t)im->w * im->h * 3; i++)
        sum += ((const volatile uint8_t *)im->rgb)[i];
    (void)sum;
    gm_image_free(im);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_image *im;
    uint32_t whole[2];
    struct gm_error err = {0};
    gm_image_max_pixels_set(1 << 18); /* a bomb is refused as it is with the limit of every day */
    enum gm_status st = gm_image_decode(&im, (struct gm_str){(const char *)data, size}, &err);
    look_at(st, im, &err);
    err.msg[0] = 0;
    st = gm_image_load_small(&im, fuzz_file(data, size), 8, whole, &err);
    if (st == GM_OK && (im->w > whole[0] || im->h > whole[1]))
        abort();
    look_at(st, im, &err);
    fuzz_end();
    return 0;
}
