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

/* The part that is shown, in whole pixels. */
static void shown_part(const struct gm_image *im, const struct gm_picture_view *view, float out[4])
{
    const double all[4] = {0, 0, im->w, im->h};
    const double *part = view && view->part ? view->part : all;
    for (int i = 0; i < 2; i++) {
        out[i] = (float)fmax(0, floor(part[i]));
        out[i + 2] = (float)fmin(all[i + 2], ceil(part[i + 2]));
    }
}

enum gm_status gm_picture_make(struct gm_picture *out, const struct gm_image *im,
                               const struct gm_picture_view *view,
                               const struct gm_picture_rule *rule, int quality,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *resized = NULL;
    uint32_t size[2];
    float part[4];
    *out = (struct gm_picture){.full_w = im->w, .full_h = im->h};
    gm_buf_init(&out->jpeg, max_jpeg_bytes);
    shown_part(im, view, part);
    float w = part[2] - part[0], h = part[3] - part[1];
    if (rule->longest == 0 || rule->grid == 0 || im->w == 0 || im->h == 0)
        return GM_FAIL(err, GM_EARG, "a picture of no pixels cannot be sent");
    if (!(w >= 1) || !(h >= 1))
        return GM_OK;
    gm_picture_size(rule, (uint32_t)w, (uint32_t)h, size);
    out->w = size[0];
    out->h = size[1];
    if (view || im->w != out->w || im->h != out->h) {
        GM_TRY(gm_image_resize(&resized, im, part, out->w, out->h, err));
        im = resized;
    }
    if (view && view->paint)
        GM_TRY(view->paint(view->user, resized, out, err));
    GM_TRY(gm_image_write_jpeg(im, quality, &out->jpeg, err));
done:
    gm_image_free(resized);
    if (st != GM_OK)
        gm_picture_clear(out);
    return st;
}

void gm_picture_clear(struct gm_picture *p) { gm_buf_clear(&p->jpeg); }
