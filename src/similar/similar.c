/* similar.c - posts into vectors (sentence.c, clip.c) and pools to search in. What is computed of them is in
 * search.h; here the weights are settled. Without a picture encoder w_I = 0 and
 *
 *   w_T' = w_T / (w_T + w_E),   w_E' = w_E / (w_T + w_E)
 *
 * and a pool that is asked post by post has the extremes of N from itself beside itself. Reference:
 * tests/unit/test_similar_pool.c. */
#include "similar/similar.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "similar/sentence.h"
#include "nn/engine.h"
#include "vision/clip.h"

#include <pthread.h>

enum { MAX_TYPES = 4096 };

struct gm_similar_pool {
    struct gm_sentence *sentence;
    struct gm_clip *clip;     /* NULL = none */
    pthread_mutex_t pictures; /* one call at a time: a lane is one thread's */
    struct gm_similar_rule rule;
    void (*unreadable)(void *user, const struct gm_post *post, const struct gm_error *why);
    void *user;
    struct gm_labels types;
    struct gm_similar_vectors vectors;
    struct gm_similar_scale scale; /* of the pool beside itself */
};

struct gm_similar_opts gm_similar_opts_default(void)
{
    return (struct gm_similar_opts){.rule = {.weight = {0.4, 0.2, 0.6}, .duplicate = 0.8}};
}

/* Without a picture encoder the other parts share the weight of all. */
static enum gm_status drop_pictures(struct gm_similar_rule *r, struct gm_error *err)
{
    double *w = r->weight, rest = w[GM_SIMILAR_TEXT] + w[GM_SIMILAR_ENTITY];
    if (w[GM_SIMILAR_IMAGE] <= 0)
        return GM_OK;
    if (rest <= 0)
        return GM_FAIL(err, GM_EARG,
                       "similarity of pictures alone needs a picture encoder (--clip FILE)");
    w[GM_SIMILAR_IMAGE] = 0;
    w[GM_SIMILAR_TEXT] /= rest;
    w[GM_SIMILAR_ENTITY] /= rest;
    GM_LOG(GM_LOG_INFO, "similar",
           "no picture encoder (--clip FILE): posts are compared by text=%g entity=%g",
           w[GM_SIMILAR_TEXT], w[GM_SIMILAR_ENTITY]);
    return GM_OK;
}

enum gm_status gm_similar_pool_new(struct gm_similar_pool **out, const struct gm_similar_opts *opts,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_similar_opts preset = gm_similar_opts_default(), *o = opts ? opts : &preset;
    struct gm_precision precision;
    struct gm_similar_pool *p = gm_alloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    p->rule = o->rule;
    p->unreadable = o->unreadable;
    p->user = o->user;
    pthread_mutex_init(&p->pictures, NULL);
    gm_labels_init(&p->types, MAX_TYPES);
    gm_similar_vectors_init(&p->vectors, 0, 0);
    if (!o->clip)
        GM_TRY(drop_pictures(&p->rule, err));
    if (!(p->rule.weight[0] + p->rule.weight[1] + p->rule.weight[2] > 0)) {
        st = GM_FAIL(err, GM_EARG, "no part of the similarity has a weight above 0");
        goto done;
    }
    GM_TRY(gm_sentence_load(&p->sentence, o->encoder, o->precision, err));
    if (o->clip && p->rule.weight[GM_SIMILAR_IMAGE] > 0) {
        GM_TRY(gm_precision_pick(o->precision ? o->precision : "f32", &precision, err));
        GM_TRY(gm_clip_load(&p->clip, o->clip, precision.dtype == GM_BF16, err));
    }
    gm_similar_vectors_for(p, &p->vectors);
    *out = p;
    p = NULL;
done:
    gm_similar_pool_free(p);
    return st;
}

void gm_similar_pool_free(struct gm_similar_pool *p)
{
    if (!p)
        return;
    gm_similar_vectors_clear(&p->vectors);
    gm_labels_clear(&p->types);
    gm_clip_free(p->clip);
    gm_sentence_free(p->sentence);
    pthread_mutex_destroy(&p->pictures);
    gm_free(p);
}

const struct gm_similar_vectors *gm_similar_pool_vectors(const struct gm_similar_pool *p)
{
    return &p->vectors;
}

const struct gm_similar_rule *gm_similar_pool_rule(const struct gm_similar_pool *p)
{
    return &p->rule;
}

void gm_similar_vectors_for(const struct gm_similar_pool *p, struct gm_similar_vectors *v)
{
    gm_similar_vectors_init(v, gm_sentence_dim(p->sentence), p->clip ? gm_clip_dim(p->clip) : 0);
}

/* ---- posts to vectors ---- */

/* Posts on their way into vectors. */
struct batch {
    struct gm_similar_pool *p;
    struct gm_similar_vectors *v;
    struct gm_post *const *posts;
    size_t n;
    struct gm_arena a;
    struct gm_str *texts;                /* [n] */
    struct gm_similar_entity **entities; /* [n][post's n_entities] */
    float *text, *image;                 /* [n][dim], [n][image_dim] */
    enum gm_status *image_st;            /* [n] of reading the picture */
    struct gm_error *image_err;          /* [n] */
    struct gm_limit limit;               /* of the thread that waits */
};

/* Whether the pool itself grows: then new types are numbered, too. */
static bool is_pool(const struct batch *b) { return b->v == &b->p->vectors; }

static enum gm_status type_of(const struct batch *b, struct gm_str type, uint32_t *id,
                              struct gm_error *err)
{
    *id = GM_LABEL_NONE;
    if (type.n && is_pool(b))
        return gm_labels_add(&b->p->types, type, id, err);
    if (type.n)
        *id = gm_labels_find(&b->p->types, type);
    return GM_OK;
}

/* Numbers for the posts' entities; names that are new go through the encoder, each once. */
static enum gm_status embed_names(struct batch *b, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_similar_vectors *v = b->v;
    struct gm_str *fresh = NULL;
    size_t n_fresh = 0, cap = 0, bytes = v->dim * sizeof(float);
    for (size_t i = 0; i < b->n; i++) {
        const struct gm_post *post = b->posts[i];
        b->entities[i] = gm_arena_alloc(&b->a, post->n_entities, sizeof **b->entities);
        GM_TRY(b->entities[i] ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
        for (size_t k = 0; k < post->n_entities; k++) {
            struct gm_similar_entity *e = &b->entities[i][k];
            size_t known = v->names.n;
            GM_TRY(type_of(b, post->entities[k].type, &e->type, err));
            GM_TRY(gm_labels_add(&v->names, post->entities[k].text, &e->name, err));
            if (v->names.n == known)
                continue;
            GM_TRY(GM_ARENA_GROW(&b->a, fresh, n_fresh, cap, err));
            fresh[n_fresh++] = post->entities[k].text;
        }
    }
    GM_TRY(gm_buf_reserve(&v->name, n_fresh * bytes, err));
    GM_TRY(gm_sentence_embed(b->p->sentence, fresh, n_fresh,
                             (float *)(void *)(v->name.p + v->name.n), err));
    v->name.n += n_fresh * bytes;
done:
    return st;
}

static void embed_picture(void *ctx, size_t lane, size_t i)
{
    struct batch *b = ctx;
    struct gm_image *im = NULL;
    const struct gm_post *post = b->posts[i];
    struct gm_arena a;
    enum gm_status st = gm_limit_check(&b->limit, &b->image_err[i]);
    gm_arena_init(&a, 0);
    if (st == GM_OK && post->image.n) {
        struct gm_str path = gm_arena_str(&a, post->image); /* ended by NUL */
        st = path.p ? gm_image_load(&im, path.p, &b->image_err[i])
                    : GM_FAIL(&b->image_err[i], GM_ENOMEM, "out of memory");
        if (st == GM_OK)
            st =
                gm_clip_run(b->p->clip, lane, im, b->image + i * b->v->image_dim, &b->image_err[i]);
    }
    b->image_st[i] = st;
    gm_image_free(im);
    gm_arena_clear(&a);
}

/* A picture that can't be read is told of; anything else that goes wrong ends the work. */
static enum gm_status embed_pictures(struct batch *b, struct gm_error *err)
{
    pthread_mutex_lock(&b->p->pictures);
    gm_parallel_tasks(b->n, gm_clip_lanes(b->p->clip), embed_picture, b);
    enum gm_status st = gm_limit_check(&b->limit, err);
    for (size_t i = 0; i < b->n && st == GM_OK; i++) {
        if (b->image_st[i] == GM_EIO || b->image_st[i] == GM_EFORMAT) {
            if (b->p->unreadable)
                b->p->unreadable(b->p->user, b->posts[i], &b->image_err[i]);
        } else if (b->image_st[i] != GM_OK) {
            st = b->image_st[i];
            if (err)
                *err = b->image_err[i];
        }
    }
    pthread_mutex_unlock(&b->p->pictures);
    return st;
}

static enum gm_status batch_alloc(struct batch *b, struct gm_error *err)
{
    b->texts = gm_arena_alloc(&b->a, b->n, sizeof *b->texts);
    b->entities = gm_arena_alloc(&b->a, b->n, sizeof(struct gm_similar_entity *));
    b->text = gm_arena_alloc(&b->a, b->n, b->v->dim * sizeof *b->text);
    b->image = gm_arena_alloc(&b->a, b->n, b->v->image_dim * sizeof *b->image);
    b->image_st = gm_arena_alloc(&b->a, b->n, sizeof *b->image_st);
    b->image_err = gm_arena_alloc(&b->a, b->p->clip ? b->n : 0, sizeof *b->image_err);
    return b->texts && b->entities && b->text && b->image && b->image_st && b->image_err
               ? GM_OK
               : GM_FAIL(err, GM_ENOMEM, "out of memory for %zu posts", b->n);
}

enum gm_status gm_similar_embed(struct gm_similar_pool *p, struct gm_post *const *posts, size_t n,
                                struct gm_similar_vectors *v, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct batch b = {.p = p, .v = v, .posts = posts, .n = n, .limit = gm_limit_get()};
    gm_arena_init(&b.a, 0);
    GM_TRY(batch_alloc(&b, err));
    for (size_t i = 0; i < n; i++)
        b.texts[i] = posts[i]->text;
    GM_TRY(gm_sentence_embed(p->sentence, b.texts, n, b.text, err));
    GM_TRY(embed_names(&b, err));
    if (p->clip)
        GM_TRY(embed_pictures(&b, err));
    for (size_t i = 0; i < n; i++) {
        bool seen = p->clip && posts[i]->image.n && b.image_st[i] == GM_OK;
        GM_TRY(gm_similar_vectors_add(v, posts[i]->text, b.text + i * v->dim,
                                      seen ? b.image + i * v->image_dim : NULL, b.entities[i],
                                      posts[i]->n_entities, err));
    }
done:
    gm_arena_clear(&b.a);
    return st;
}

/* ---- the pool ---- */

enum gm_status gm_similar_pool_add(struct gm_similar_pool *p, struct gm_post *const *posts,
                                   size_t n, struct gm_error *err)
{
    return gm_similar_embed(p, posts, n, &p->vectors, err);
}

enum gm_status gm_similar_pool_finish(struct gm_similar_pool *p, struct gm_error *err)
{
    return gm_similar_vectors_count_types(&p->vectors, p->types.n, err);
}

enum gm_status gm_similar_pool_load(struct gm_similar_pool **out, struct gm_post *const *posts,
                                    size_t n, const struct gm_similar_opts *opts,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_similar_pool *p = NULL;
    *out = NULL;
    GM_TRY(gm_similar_pool_new(&p, opts, err));
    GM_TRY(gm_similar_pool_add(p, posts, n, err));
    GM_TRY(gm_similar_pool_finish(p, err));
    GM_TRY(gm_similar_extremes(&p->vectors, &p->vectors, &p->rule, NULL, &p->scale, err));
    *out = p;
    p = NULL;
done:
    gm_similar_pool_free(p);
    return st;
}

enum gm_status gm_similar_find(struct gm_similar_pool *p, struct gm_post *const *posts, size_t n,
                               size_t k, struct gm_similar_hit *hits, size_t *n_hits,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_similar_vectors v;
    gm_similar_vectors_for(p, &v);
    GM_TRY(gm_similar_embed(p, posts, n, &v, err));
    st = gm_similar_search(&p->vectors, &v, &p->rule, &p->scale, k, NULL, hits, n_hits, err);
done:
    gm_similar_vectors_clear(&v);
    return st;
}
