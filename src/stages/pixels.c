#include "stages/pixels.h"

#include "base/parallel.h"

/* The hook holds the picture and not the post, which its owner may move. */
static void free_pixels(void *p) { gm_image_free(p); }

enum gm_status gm_post_pixels(struct gm_post *p, const struct gm_image **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    if (!p->pixels) {
        struct gm_image *im = NULL;
        struct gm_str path = gm_arena_str(&p->arena, p->image); /* ended by NUL */
        if (!p->image.n || !path.p) {
            st = !p->image.n ? GM_FAIL(err, GM_EARG, "the post has no image")
                             : GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
        GM_TRY(gm_image_load(&im, path.p, err));
        GM_TRY(gm_arena_on_clear(&p->arena, free_pixels, im, err));
        p->pixels = im;
        p->image_w = im->w;
        p->image_h = im->h;
    }
    *out = p->pixels;
done:
    return st;
}

void gm_post_drop_pixels(struct gm_post *p)
{
    if (p->pixels)
        gm_arena_drop(&p->arena, free_pixels, p->pixels);
    p->pixels = NULL;
}

struct batch {
    struct gm_post **posts;
    const char *stage;
};

static void decode_one(void *ctx, size_t i)
{
    const struct batch *b = ctx;
    struct gm_post *p = b->posts[i];
    const struct gm_image *im;
    struct gm_error e = {0};
    if (p->error.stage.n || !p->image.n)
        return;
    if (gm_post_pixels(p, &im, &e) != GM_OK)
        gm_post_fail(p, b->stage, &e);
}

void gm_posts_decode(struct gm_post **posts, size_t n, const char *stage)
{
    struct batch b = {posts, stage};
    gm_parallel_for(n, decode_one, &b);
}
