#include "llm/picture.h"

#include <math.h>

static const size_t max_jpeg_bytes = (size_t)64 << 20;

/* A side of the smaller picture: rounded, never 0. */
static uint32_t scaled(uint32_t side, double scale)
{
    long n = lround((double)side * scale);
    return n < 1 ? 1 : (uint32_t)n;
}

enum gm_status gm_picture_make(struct gm_picture *out, const struct gm_image *im, uint32_t longest,
                               int quality, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *small = NULL;
    uint32_t side = im->w > im->h ? im->w : im->h;
    *out = (struct gm_picture){.full_w = im->w, .full_h = im->h, .w = im->w, .h = im->h};
    gm_buf_init(&out->jpeg, max_jpeg_bytes);
    if (longest == 0 || side == 0)
        return GM_FAIL(err, GM_EARG, "a picture of no pixels cannot be sent");
    if (side > longest) {
        const float all[4] = {0, 0, (float)im->w, (float)im->h};
        double scale = (double)longest / side;
        out->w = scaled(im->w, scale);
        out->h = scaled(im->h, scale);
        GM_TRY(gm_image_resize(&small, im, all, out->w, out->h, err));
        im = small;
    }
    GM_TRY(gm_image_write_jpeg(im, quality, &out->jpeg, err));
done:
    gm_image_free(small);
    if (st != GM_OK)
        gm_picture_clear(out);
    return st;
}

void gm_picture_clear(struct gm_picture *p) { gm_buf_clear(&p->jpeg); }
