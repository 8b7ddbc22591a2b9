/* similar.c - posts into vectors (sentence.c, clip.c) and pools to search in. What is computed of them is in
 * search.h; here the weights are settled. Without a picture encoder w_I = 0 and
 *
 *   w_T' = w_T / (w_T + w_E),   w_E' = w_E / (w_T + w_E)
 *
 * and a pool that is asked post by post has the extremes of N from itself beside itself. Reference:
 * tests/unit/test_similar_pool.c. */
#include "similar/similar.h"

#include "base/alloc.h"
#include "base/host.h"
#include "base/log.h"
#include "similar/index.h"
#include "similar/pictures.h"
#include "similar/sentence.h"
#include "similar/vector_cache.h"

enum { MAX_TYPES = 4096 };

struct gm_similar_pool {
    struct gm_sentence *sentence;
    struct gm_pictures *pictures; /* NULL = they do not count */
    struct gm_vector_cache *kept; /* of texts and names; NULL = none are */
    struct gm_similar_rule rule;
    struct gm_labels types;
    struct gm_similar_vectors vectors;
    struct gm_similar_scale scale; /* of the pool beside itself */
    bool indexed;
    struct gm_similar_index *index; /* NULL = the search is exact */
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
        return GM_FAIL(err, GM_EARG, "similarity of pictures alone needs a picture encoder (%s)",
                       gm_option("--clip FILE"));
    w[GM_SIMILAR_IMAGE] = 0;
    w[GM_SIMILAR_TEXT] /= rest;
    w[GM_SIMILAR_ENTITY] /= rest;
    GM_LOG(GM_LOG_INFO, "similar",
           "no picture encoder (%s): posts are compared by text=%g entity=%g",
           gm_option("--clip FILE"), w[GM_SIMILAR_TEXT], w[GM_SIMILAR_ENTITY]);
    return GM_OK;
}

enum gm_status gm_similar_pool_new(struct gm_similar_pool **out, const struct gm_similar_opts *opts,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_similar_opts preset = gm_similar_opts_default(), *o = opts ? opts : &preset;
    struct gm_similar_pool *p = gm_alloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    p->rule = o->rule;
    p->indexed = o->indexed;
    gm_labels_init(&p->types, MAX_TYPES);
    gm_similar_vectors_init(&p->vectors, 0, 0);
    if (!o->clip)
        GM_TRY(drop_pictures(&p->rule, err));
    if (!(p->rule.weight[0] + p->rule.weight[1] + p->rule.weight[2] > 0)) {
        st = GM_FAIL(err, GM_EARG, "no part of the similarity has a weight above 0");
        goto done;
    }
    GM_TRY(gm_sentence_load(&p->sentence, o->encoder, o->precision, err));
    if (o->clip && p->rule.weight[GM_SIMILAR_IMAGE] > 0)
        GM_TRY(gm_pictures_load(&p->pictures, o->clip, o->precision, o->cache, o->unreadable,
                                o->user, err));
    GM_TRY(gm_vector_cache_open_model(&p->kept, o->cache, o->encoder ? o->encoder : "minilm",
                                      "sentence", o->precision, gm_sentence_dim(p->sentence), err));
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
    gm_similar_index_free(p->index);
    gm_similar_vectors_clear(&p->vectors);
    gm_labels_clear(&p->types);
    gm_pictures_free(p->pictures);
    gm_vector_cache_close(p->kept);
    gm_sentence_free(p->sentence);
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
    gm_similar_vectors_init(v, gm_sentence_dim(p->sentence), gm_pictures_dim(p->pictures));
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
    bool *has_image;                     /* [n] */
};

/* Whether the pool itself grows: then new types are numbered, too. */
static bool is_pool(const struct batch *b) { return b->v == &b->p->vectors; }

struct texts {
    struct gm_sentence *sentence;
    const struct gm_str *items;
};

static enum gm_status embed_some(void *user, const size_t *at, size_t n_at, float *fresh,
                                 struct gm_error *err)
{
    const struct texts *t = user;
    struct gm_str *some = gm_alloc(n_at, sizeof *some);
    if (!some)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu texts", n_at);
    for (size_t i = 0; i < n_at; i++)
        some[i] = t->items[at[i]];
    enum gm_status st = gm_sentence_embed(t->sentence, some, n_at, fresh, err);
    gm_free(some);
    return st;
}

/* Those of a pool are kept, as it is asked again and again; a post mostly comes once. */
static enum gm_status embed_texts(const struct batch *b, const struct gm_str *texts, size_t n,
                                  float *out, struct gm_error *err)
{
    struct texts t = {b->p->sentence, texts};
    return gm_vector_cache_embed(is_pool(b) ? b->p->kept : NULL, texts, n, b->v->dim, out,
                                 embed_some, &t, err);
}

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
    GM_TRY(embed_texts(b, fresh, n_fresh, (float *)(void *)(v->name.p + v->name.n), err));
    v->name.n += n_fresh * bytes;
done:
    return st;
}

static enum gm_status batch_alloc(struct batch *b, struct gm_error *err)
{
    b->texts = gm_arena_alloc(&b->a, b->n, sizeof *b->texts);
    b->entities = gm_arena_alloc(&b->a, b->n, sizeof(struct gm_similar_entity *));
    b->text = gm_arena_alloc(&b->a, b->n, b->v->dim * sizeof *b->text);
    b->image = gm_arena_alloc(&b->a, b->n, b->v->image_dim * sizeof *b->image);
    b->has_image = gm_arena_alloc(&b->a, b->n, sizeof *b->has_image);
    return b->texts && b->entities && b->text && b->image && b->has_image
               ? GM_OK
               : GM_FAIL(err, GM_ENOMEM, "out of memory for %zu posts", b->n);
}

enum gm_status gm_similar_embed(struct gm_similar_pool *p, struct gm_post *const *posts, size_t n,
                                struct gm_similar_vectors *v, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct batch b = {.p = p, .v = v, .posts = posts, .n = n};
    gm_arena_init(&b.a, 0);
    GM_TRY(batch_alloc(&b, err));
    for (size_t i = 0; i < n; i++)
        b.texts[i] = posts[i]->text;
    GM_TRY(embed_texts(&b, b.texts, n, b.text, err));
    GM_TRY(embed_names(&b, err));
    if (p->pictures)
        GM_TRY(gm_pictures_embed(p->pictures, posts, n, is_pool(&b), b.image, b.has_image, err));
    for (size_t i = 0; i < n; i++)
        GM_TRY(gm_similar_vectors_add(v, posts[i]->text, b.text + i * v->dim,
                                      b.has_image[i] ? b.image + i * v->image_dim : NULL,
                                      b.entities[i], posts[i]->n_entities, err));
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
    if (p->indexed) {
        GM_TRY(gm_similar_extremes_sampled(&p->vectors, &p->vectors, &p->rule, &p->scale, err));
        GM_TRY(gm_similar_index_new(&p->index, &p->vectors, &p->rule, &p->scale, NULL, err));
    } else {
        GM_TRY(gm_similar_extremes(&p->vectors, &p->vectors, &p->rule, NULL, &p->scale, err));
    }
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
    st = p->index
             ? gm_similar_index_search(p->index, &v, k, NULL, hits, n_hits, err)
             : gm_similar_search(&p->vectors, &v, &p->rule, &p->scale, k, NULL, hits, n_hits, err);
done:
    gm_similar_vectors_clear(&v);
    return st;
}
