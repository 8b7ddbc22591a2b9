#include "record/record_mask.h"

#include "base/alloc.h"
#include "base/host.h"
#include "image/image.h"
#include "image/mask.h"

enum gm_status gm_mask_check_size(uint64_t h, uint64_t w, struct gm_error *err)
{
    if (h == 0 || w == 0 || h > INT32_MAX || w > INT32_MAX || h * w > gm_image_max_pixels())
        return GM_FAIL(err, GM_EFORMAT,
                       "a mask of %llu x %llu pixels: at least 1 and at most %llu "
                       "in all (%s)",
                       (unsigned long long)w, (unsigned long long)h,
                       (unsigned long long)gm_image_max_pixels(), gm_option("--max-pixels"));
    return GM_OK;
}

enum gm_status gm_mask_pixels(const struct gm_rle *m, uint8_t **out, struct gm_error *err)
{
    *out = NULL;
    enum gm_status st = gm_mask_check_size(m->h, m->w, err);
    if (st != GM_OK)
        return st;
    uint8_t *mask = gm_alloc((size_t)m->h * m->w, 1);
    if (!mask)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a mask of %u x %u pixels", m->w, m->h);
    st = gm_rle_decode(m->counts, m->h, m->w, mask, err);
    if (st == GM_OK)
        *out = mask;
    else
        gm_free(mask);
    return st;
}

enum gm_status gm_region_set_mask(struct gm_region *r, struct gm_arena *a, const uint8_t *mask,
                                  uint32_t h, uint32_t w, bool keep_box, struct gm_error *err)
{
    r->mask.h = h;
    r->mask.w = w;
    if (!keep_box)
        (void)gm_mask_box(mask, h, w, r->box);
    return gm_rle_encode(a, mask, h, w, &r->mask.counts, err);
}
