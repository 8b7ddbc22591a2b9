/* joint.c - with f the features and g the vector of the picture (0 where there is none) of a post, w the weight:
 *
 *   u = (sqrt(1-w) f/|f| , sqrt(w) g/|g|),   v = u / |u|
 *
 * and v the "text" of the search for similar posts (search.h), whose other parts weigh nothing. */
#include "similar/joint.h"

#include "base/alloc.h"
#include "ner/tagger.h"
#include "similar/vector_cache.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { BATCH = 256 }; /* posts through the encoders at once */

struct gm_joint {
    struct gm_tagger *tagger;
    pthread_mutex_t one; /* the session serves one call at a time */
    struct gm_tagger_session *session;
    struct gm_pictures *pictures; /* NULL = texts alone */
    struct gm_vector_cache *kept; /* of features; NULL = none are */
    double image;
    struct gm_similar_rule rule;
    struct gm_similar_vectors pool;
};

struct gm_joint_opts gm_joint_opts_default(void)
{
    return (struct gm_joint_opts){.image = 0.5, .duplicate = 0.8};
}

/* x [n] to length `length`; zeros stay. */
static void scale_to(float *x, size_t n, double length)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    for (size_t i = 0; i < n && sum > 0; i++)
        x[i] = (float)((double)x[i] * length / sqrt(sum));
}

struct some {
    struct gm_joint *j;
    struct gm_post *const *posts;
};

static enum gm_status features_of_some(void *user, const size_t *at, size_t n_at, float *fresh,
                                       struct gm_error *err)
{
    const struct some *s = user;
    struct gm_post *posts[BATCH];
    for (size_t i = 0; i < n_at; i++)
        posts[i] = s->posts[at[i]];
    pthread_mutex_lock(&s->j->one);
    enum gm_status st = gm_tagger_features(s->j->session, posts, n_at, fresh, err);
    pthread_mutex_unlock(&s->j->one);
    return st;
}

/* A post's words, a line each where the input gave them, else its text behind an empty line. */
static enum gm_status content_of(const struct gm_post *p, struct gm_arena *a, struct gm_str *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, (size_t)1 << 30);
    if (!p->has_tokens)
        GM_TRY(gm_buf_printf(&b, err, "\n%.*s", GM_STR_ARG(p->text)));
    for (size_t i = 0; i < p->n_tokens; i++)
        GM_TRY(gm_buf_printf(&b, err, "%.*s\n", GM_STR_ARG(gm_post_word(p, i))));
    *out = gm_arena_str(a, gm_buf_str(&b));
    if (!out->p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&b);
    return st;
}

/* Of n <= BATCH posts. */
static enum gm_status features(struct gm_joint *j, struct gm_post *const *posts, size_t n,
                               bool keeps, float *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str contents[BATCH];
    struct gm_arena a;
    gm_arena_init(&a, 0);
    for (size_t i = 0; i < n; i++)
        GM_TRY(content_of(posts[i], &a, &contents[i], err));
    st = gm_vector_cache_embed(keeps ? j->kept : NULL, contents, n, gm_tagger_dim(j->tagger), out,
                               features_of_some, &(struct some){j, posts}, err);
done:
    gm_arena_clear(&a);
    return st;
}

/* Both parts of one post's vector. */
static void join(const struct gm_joint *j, float *text, const float *image, float *out)
{
    size_t dim = gm_tagger_dim(j->tagger), image_dim = gm_pictures_dim(j->pictures);
    memset(out, 0, (dim + image_dim) * sizeof *out);
    memcpy(out, text, dim * sizeof *out);
    scale_to(out, dim, image_dim ? sqrt(1 - j->image) : 1);
    if (image) {
        memcpy(out + dim, image, image_dim * sizeof *out);
        scale_to(out + dim, image_dim, sqrt(j->image));
    }
    scale_to(out, dim + image_dim, 1);
}

/* Append n <= BATCH posts to v. */
static enum gm_status embed(struct gm_joint *j, struct gm_post *const *posts, size_t n,
                            struct gm_similar_vectors *v, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t dim = gm_tagger_dim(j->tagger), image_dim = gm_pictures_dim(j->pictures);
    bool has[BATCH] = {false};
    float *text = gm_alloc(n, dim * sizeof *text), *image = gm_alloc(n, image_dim * sizeof *image);
    float *both = gm_alloc(dim + image_dim, sizeof *both);
    if (!text || !both || !image) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu posts", n);
        goto done;
    }
    bool keeps = v == &j->pool; /* a pool is asked again and again */
    GM_TRY(features(j, posts, n, keeps, text, err));
    if (j->pictures)
        GM_TRY(gm_pictures_embed(j->pictures, posts, n, keeps, image, has, err));
    for (size_t i = 0; i < n; i++) {
        join(j, text + i * dim, has[i] ? image + i * image_dim : NULL, both);
        GM_TRY(gm_similar_vectors_add(v, posts[i]->text, both, NULL, NULL, 0, err));
    }
done:
    gm_free(text);
    gm_free(image);
    gm_free(both);
    return st;
}

static void vectors_init(const struct gm_joint *j, struct gm_similar_vectors *v)
{
    gm_similar_vectors_init(v, gm_tagger_dim(j->tagger) + gm_pictures_dim(j->pictures), 0);
}

static enum gm_status load_models(struct gm_joint *j, const struct gm_joint_opts *o,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_tagger_opts to = {.precision = o->precision ? o->precision : "f32"};
    GM_TRY(gm_tagger_load(&j->tagger, o->tagger ? o->tagger : "ner-default", &to, err));
    GM_TRY(gm_tagger_session_new(&j->session, j->tagger, err));
    GM_TRY(gm_vector_cache_open_model(&j->kept, o->cache, o->tagger ? o->tagger : "ner-default",
                                      "features", o->precision, gm_tagger_dim(j->tagger), err));
    if (o->clip)
        st = gm_pictures_load(&j->pictures, o->clip, o->precision, o->cache, o->unreadable, o->user,
                              err);
done:
    return st;
}

enum gm_status gm_joint_load(struct gm_joint **out, struct gm_post *const *posts, size_t n,
                             const struct gm_joint_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_joint_opts preset = gm_joint_opts_default(), *o = opts ? opts : &preset;
    struct gm_joint *j = gm_alloc(1, sizeof *j);
    *out = NULL;
    if (!j)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    pthread_mutex_init(&j->one, NULL);
    gm_similar_vectors_init(&j->pool, 0, 0);
    j->image = o->image;
    j->rule =
        (struct gm_similar_rule){.weight = {[GM_SIMILAR_TEXT] = 1}, .duplicate = o->duplicate};
    GM_TRY(load_models(j, o, err));
    vectors_init(j, &j->pool);
    for (size_t from = 0, m; from < n; from += m) {
        m = n - from < BATCH ? n - from : BATCH;
        GM_TRY(embed(j, posts + from, m, &j->pool, err));
    }
    GM_TRY(gm_similar_vectors_count_types(&j->pool, 0, err));
    *out = j;
    j = NULL;
done:
    gm_joint_free(j);
    return st;
}

void gm_joint_free(struct gm_joint *j)
{
    if (!j)
        return;
    gm_similar_vectors_clear(&j->pool);
    gm_pictures_free(j->pictures);
    gm_vector_cache_close(j->kept);
    gm_tagger_session_free(j->session);
    gm_tagger_free(j->tagger);
    pthread_mutex_destroy(&j->one);
    gm_free(j);
}

enum gm_status gm_joint_find(struct gm_joint *j, struct gm_post *post, size_t k,
                             struct gm_similar_hit *hits, size_t *n_hits, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_similar_scale scale = {.min = {0, 0, 0}, .max = {1, 0, 0}}; /* N(T) = T */
    struct gm_similar_vectors v;
    vectors_init(j, &v);
    GM_TRY(embed(j, &post, 1, &v, err));
    st = gm_similar_search(&j->pool, &v, &j->rule, &scale, k, NULL, hits, n_hits, err);
done:
    gm_similar_vectors_clear(&v);
    return st;
}
