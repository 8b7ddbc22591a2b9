#include "stages/pixels.h"

/* The hook holds the picture and not the post, which its owner may move. */
static void free_pixels(void *p) { gm_image_free(p); }

/* Whether what is decoded is a copy of fewer pixels a side than asked for. */
static bool is_small(const struct gm_post *p, uint32_t side_min)
{
    const struct gm_image *im = p->pixels;
    uint32_t side = im->w < im->h ? im->w : im->h;
    return im->w != p->image_w && (side_min == 0 || side < side_min);
}

enum gm_status gm_post_pixels(struct gm_post *p, uint32_t side_min, const struct gm_image **out,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf path;
    *out = NULL;
    gm_buf_init(&path, SIZE_MAX - 1);
    if (p->pixels && is_small(p, side_min))
        gm_post_drop_pixels(p);
    if (!p->pixels) {
        struct gm_image *im = NULL;
        uint32_t size[2];
        if (!p->image.n) {
            st = GM_FAIL(err, GM_EARG, "the post has no image");
            goto done;
        }
        /* Ended by NUL; not in the post's arena, as it may be the picture itself. */
        GM_TRY(gm_buf_add_str(&path, p->image, err));
        GM_TRY(gm_image_load_small(&im, path.p, side_min, size, err));
        GM_TRY(gm_arena_on_clear(&p->arena, free_pixels, im, err));
        p->pixels = im;
        p->image_w = size[0];
        p->image_h = size[1];
    }
    *out = p->pixels;
done:
    gm_buf_clear(&path);
    return st;
}

void gm_post_drop_pixels(struct gm_post *p)
{
    if (p->pixels)
        gm_arena_drop(&p->arena, free_pixels, p->pixels);
    p->pixels = NULL;
}
