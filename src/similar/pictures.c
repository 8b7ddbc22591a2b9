#include "similar/pictures.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/parallel.h"
#include "base/sha256.h"
#include "base/stop.h"
#include "nn/engine.h"
#include "similar/vector_cache.h"
#include "vision/clip.h"

#include <pthread.h>

struct gm_pictures {
    struct gm_clip *clip;
    struct gm_vector_cache *kept; /* NULL = none are */
    pthread_mutex_t one;          /* call at a time: a lane is one thread's */
    gm_unreadable_fn *unreadable;
    void *user;
};

/* How clip.c prepares a picture: another number where that changes what a model sees of it. */
enum { PREPARED = 2 };

static enum gm_status open_kept(struct gm_pictures *p, const char *clip, bool bf16,
                                const char *cache, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf encoder;
    gm_buf_init(&encoder, (size_t)1 << 20);
    if (!cache)
        return GM_OK;
    GM_TRY(gm_fingerprint_network("clip", clip, &encoder, err));
    GM_TRY(gm_buf_printf(&encoder, err, "%s %d", bf16 ? "bf16" : "f32", PREPARED));
    st = gm_vector_cache_open(&p->kept, cache, gm_buf_str(&encoder), gm_clip_dim(p->clip), err);
done:
    gm_buf_clear(&encoder);
    return st;
}

enum gm_status gm_pictures_load(struct gm_pictures **out, const char *clip, const char *precision,
                                const char *cache, gm_unreadable_fn *unreadable, void *user,
                                struct gm_error *err)
{
    struct gm_precision of;
    struct gm_pictures *p = gm_alloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    pthread_mutex_init(&p->one, NULL);
    p->unreadable = unreadable;
    p->user = user;
    enum gm_status st = gm_precision_pick(precision ? precision : "f32", &of, err);
    if (st == GM_OK)
        st = gm_clip_load(&p->clip, clip, of.dtype == GM_BF16, err);
    if (st == GM_OK)
        st = open_kept(p, clip, of.dtype == GM_BF16, cache, err);
    if (st == GM_OK)
        *out = p;
    else
        gm_pictures_free(p);
    return st;
}

void gm_pictures_free(struct gm_pictures *p)
{
    if (!p)
        return;
    gm_vector_cache_close(p->kept);
    gm_clip_free(p->clip);
    pthread_mutex_destroy(&p->one);
    gm_free(p);
}

size_t gm_pictures_dim(const struct gm_pictures *p) { return p ? gm_clip_dim(p->clip) : 0; }

/* What came of one post's picture. */
struct outcome {
    char content[GM_SHA256_HEX]; /* of its file; "" = not looked at */
    bool known;                  /* its vector was kept */
    enum gm_status st;
    struct gm_error err;
};

struct work {
    struct gm_pictures *p;
    struct gm_post *const *posts;
    bool keeps;
    float *out;
    struct outcome *outcomes;
    struct gm_limit limit; /* of the thread that waits */
};

static void embed_one(void *ctx, size_t lane, size_t i)
{
    struct work *w = ctx;
    struct outcome *o = &w->outcomes[i];
    struct gm_image *im = NULL;
    struct gm_arena a;
    if (!w->posts[i]->image.n)
        return;
    gm_arena_init(&a, 0);
    struct gm_str path = gm_arena_str(&a, w->posts[i]->image); /* ended by NUL */
    o->st =
        path.p ? gm_limit_check(&w->limit, &o->err) : GM_FAIL(&o->err, GM_ENOMEM, "out of memory");
    float *out = w->out + i * gm_clip_dim(w->p->clip);
    if (o->st == GM_OK && w->keeps && gm_is_file(path.p))
        o->st = gm_sha256_file(path.p, o->content, &o->err);
    if (o->content[0])
        gm_vector_cache_get(w->p->kept, &(struct gm_str){o->content, GM_SHA256_HEX - 1}, 1, out,
                            &o->known);
    if (o->st == GM_OK && !o->known)
        o->st = gm_image_load(&im, path.p, &o->err);
    if (o->st == GM_OK && !o->known)
        o->st = gm_clip_run(w->p->clip, lane, im, out, &o->err);
    gm_image_free(im);
    gm_arena_clear(&a);
}

/* A picture that can't be read is told of; anything else that goes wrong ends the work. */
static enum gm_status judge(const struct work *w, size_t n, bool *has, struct gm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct outcome *o = &w->outcomes[i];
        has[i] = w->posts[i]->image.n > 0 && o->st == GM_OK;
        if (o->st == GM_EIO || o->st == GM_EFORMAT) {
            if (w->p->unreadable)
                w->p->unreadable(w->p->user, w->posts[i], &o->err);
        } else if (o->st != GM_OK) {
            if (err)
                *err = o->err;
            return o->st;
        }
    }
    return GM_OK;
}

/* What was made anew, for the next time. */
static enum gm_status keep(const struct work *w, size_t n, const bool *has, struct gm_error *err)
{
    struct gm_str *contents = gm_alloc(n, sizeof *contents);
    bool *known = gm_alloc(n, sizeof *known);
    for (size_t i = 0; contents && known && i < n; i++) {
        contents[i] = (struct gm_str){w->outcomes[i].content, GM_SHA256_HEX - 1};
        known[i] = !has[i] || w->outcomes[i].known || !w->outcomes[i].content[0];
    }
    enum gm_status st = GM_OK;
    if (contents && known)
        gm_vector_cache_put(w->p->kept, contents, n, w->out, known);
    else
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu pictures", n);
    gm_free(contents);
    gm_free(known);
    return st;
}

enum gm_status gm_pictures_embed(struct gm_pictures *p, struct gm_post *const *posts, size_t n,
                                 bool keeps, float *out, bool *has, struct gm_error *err)
{
    struct work w = {
        .p = p, .posts = posts, .keeps = keeps && p->kept, .out = out, .limit = gm_limit_get()};
    w.outcomes = gm_alloc(n, sizeof *w.outcomes);
    if (!w.outcomes)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu pictures", n);
    pthread_mutex_lock(&p->one);
    gm_parallel_tasks(n, gm_clip_lanes(p->clip), embed_one, &w);
    pthread_mutex_unlock(&p->one);
    enum gm_status st = gm_limit_check(&w.limit, err);
    if (st == GM_OK)
        st = judge(&w, n, has, err);
    if (st == GM_OK && w.keeps)
        st = keep(&w, n, has, err);
    gm_free(w.outcomes);
    return st;
}
