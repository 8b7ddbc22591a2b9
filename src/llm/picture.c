#include "llm/picture.h"

#include <math.h>

static const size_t max_jpeg_bytes = (size_t)64 << 20;

void gm_picture_size(const struct gm_picture_rule *rule, uint32_t w, uint32_t h, uint32_t out[2])
{
    const double sides[2] = {w, h}, grid = rule->grid;
    double most = fmax(grid, floor(rule->longest / grid) * grid), scale = 1;
    bool is_larger = sides[0] * sides[1] < rule->min_pixels;
    if (is_larger)
        scale = sqrt(rule->min_pixels / (sides[0] * sides[1]));
    if (fmax(sides[0], sides[1]) * scale > most) {
        scale = most / fmax(sides[0], sides[1]);
        is_larger = false;
    }
    for (int i = 0; i < 2; i++) {
        double cells = sides[i] * scale / grid;
        cells = is_larger ? ceil(cells - 1e-9) : round(cells);
        out[i] = (uint32_t)fmin(most, fmax(grid, cells * grid));
    }
}

enum gm_status gm_picture_make(struct gm_picture *out, const struct gm_image *im,
                               const struct gm_picture_rule *rule, int quality,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *resized = NULL;
    uint32_t size[2];
    *out = (struct gm_picture){.full_w = im->w, .full_h = im->h};
    gm_buf_init(&out->jpeg, max_jpeg_bytes);
    if (rule->longest == 0 || rule->grid == 0 || im->w == 0 || im->h == 0)
        return GM_FAIL(err, GM_EARG, "a picture of no pixels cannot be sent");
    gm_picture_size(rule, im->w, im->h, size);
    out->w = size[0];
    out->h = size[1];
    if (im->w != out->w || im->h != out->h) {
        const float all[4] = {0, 0, (float)im->w, (float)im->h};
        GM_TRY(gm_image_resize(&resized, im, all, out->w, out->h, err));
        im = resized;
    }
    GM_TRY(gm_image_write_jpeg(im, quality, &out->jpeg, err));
done:
    gm_image_free(resized);
    if (st != GM_OK)
        gm_picture_clear(out);
    return st;
}

void gm_picture_clear(struct gm_picture *p) { gm_buf_clear(&p->jpeg); }
