/* image.c - pictures as objects: allocation, size limits, turning. */
#include "image/image.h"

#include "base/alloc.h"
#include "base/host.h"
#include "image/image_internal.h"

#include <string.h>

static _Atomic uint64_t max_pixels = GM_IMAGE_MAX_PIXELS;

void gm_image_max_pixels_set(uint64_t n) { max_pixels = n ? n : GM_IMAGE_MAX_PIXELS; }

uint64_t gm_image_max_pixels(void)
{
    const struct gm_host *host = gm_host_get();
    return host && host->max_pixels ? host->max_pixels : max_pixels;
}

static bool is_allowed(uint64_t w, uint64_t h)
{
    return w > 0 && h > 0 && w <= GM_IMAGE_MAX_SIDE && h <= GM_IMAGE_MAX_SIDE &&
           w * h <= gm_image_max_pixels();
}

enum gm_status gm_image_check_size(uint64_t w, uint64_t h, struct gm_error *err)
{
    if (w == 0 || h == 0)
        return GM_FAIL(err, GM_EFORMAT, "the picture has no pixels");
    if (is_allowed(w, h))
        return GM_OK;
    bool side = w > GM_IMAGE_MAX_SIDE || h > GM_IMAGE_MAX_SIDE;
    return GM_FAIL(err, GM_EFORMAT,
                   "the header claims %llu x %llu pixels; the limit is %d a side and %llu in all: "
                   "scale the picture down%s%s",
                   (unsigned long long)w, (unsigned long long)h, GM_IMAGE_MAX_SIDE,
                   (unsigned long long)gm_image_max_pixels(),
                   side ? "" : ", or raise the limit with ", side ? "" : gm_option("--max-pixels"));
}

enum gm_status gm_image_new(struct gm_image **out, uint32_t w, uint32_t h, struct gm_error *err)
{
    *out = NULL;
    if (!is_allowed(w, h))
        return GM_FAIL(err, GM_EARG, "cannot make a picture of %u x %u pixels", w, h);
    struct gm_image *im = gm_alloc(1, sizeof *im);
    uint8_t *rgb = gm_alloc((size_t)w * h, 3);
    if (!im || !rgb) {
        gm_free(im);
        gm_free(rgb);
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a picture of %u x %u pixels", w, h);
    }
    *im = (struct gm_image){w, h, rgb};
    *out = im;
    return GM_OK;
}

void gm_image_free(struct gm_image *im)
{
    if (im)
        gm_free(im->rgb);
    gm_free(im);
}

void gm_image_blend(struct gm_image *im, const uint8_t *rgba)
{
    size_t n = (size_t)im->w * im->h;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++) {
            unsigned a = rgba[4 * i + 3];
            unsigned mixed = rgba[4 * i + c] * a + 255 * (255 - a);
            im->rgb[3 * i + c] = (uint8_t)((mixed + 127) / 255);
        }
}

/* Where pixel (x, y) of the upright picture lies in the stored one, as strides from an origin. */
struct walk {
    ptrdiff_t origin, right, down;
};

static struct walk walk_of(int orientation, ptrdiff_t w, ptrdiff_t h)
{
    ptrdiff_t last_x = w - 1, last_y = (h - 1) * w;
    switch (orientation) {
    case 2: return (struct walk){last_x, -1, w};           /* mirrored */
    case 3: return (struct walk){last_x + last_y, -1, -w}; /* half a turn */
    case 4: return (struct walk){last_y, 1, -w};           /* upside down */
    case 5: return (struct walk){0, w, 1};                 /* transposed */
    case 6: return (struct walk){last_y, -w, 1};           /* turn right */
    case 7: return (struct walk){last_x + last_y, -w, -1}; /* transposed on the other diagonal */
    case 8: return (struct walk){last_x, w, -1};           /* turn left */
    default: return (struct walk){0, 1, w};
    }
}

enum gm_status gm_image_orient(struct gm_image *im, int orientation, struct gm_error *err)
{
    if (orientation < 2 || orientation > 8)
        return GM_OK;
    uint32_t w = orientation < 5 ? im->w : im->h, h = orientation < 5 ? im->h : im->w;
    uint8_t *rgb = gm_alloc((size_t)w * h, 3), *to = rgb;
    if (!rgb)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a picture of %u x %u pixels", w, h);
    struct walk step = walk_of(orientation, (ptrdiff_t)im->w, (ptrdiff_t)im->h);
    for (ptrdiff_t y = 0; y < (ptrdiff_t)h; y++)
        for (ptrdiff_t x = 0; x < (ptrdiff_t)w; x++, to += 3)
            memcpy(to, im->rgb + 3 * (step.origin + x * step.right + y * step.down), 3);
    gm_free(im->rgb);
    *im = (struct gm_image){w, h, rgb};
    return GM_OK;
}
