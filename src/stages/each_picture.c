#include "stages/each_picture.h"

#include "base/parallel.h"

struct batch {
    struct gm_post **posts;
    const char *stage;
    gm_picture_fn *fn;
    void *ctx;
    struct gm_limit limit;
};

static void take_turn(void *ctx, size_t lane, size_t i)
{
    const struct batch *b = ctx;
    struct gm_post *p = b->posts[i];
    const struct gm_picture_turn turn = {p, i, lane, &b->limit};
    struct gm_error e = {0};
    if (p->error.stage.n || !p->image.n || gm_limit_check(&b->limit, NULL) != GM_OK)
        return;
    enum gm_status st = b->fn(b->ctx, &turn, &e);
    if (st != GM_OK && st != GM_ECANCEL && st != GM_EAGAIN)
        gm_post_fail(p, b->stage, &e);
}

enum gm_status gm_each_picture(struct gm_post **posts, size_t n, size_t lanes, const char *stage,
                               gm_picture_fn *fn, void *ctx, struct gm_error *err)
{
    struct batch b = {posts, stage, fn, ctx, gm_limit_get()};
    gm_parallel_tasks(n, lanes, take_turn, &b);
    return gm_limit_check(&b.limit, err);
}
