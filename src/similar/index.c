/* index.c - what differs of S from sample to sample is an inner product (tile.h). With f = w / (max - min),
 * t, i, s the vectors of text, picture and the sum of the names, c the counts of the types and h whether there
 * is a picture, of a post q and a sample p
 *
 *   q' = (sqrt(f_T) t, sqrt(f_I) i, -f_I min_I h, sqrt(f_E) s, sqrt(0.8 f_E) c, 0)
 *   p' = (sqrt(f_T) t, sqrt(f_I) i,           h, sqrt(f_E) s, sqrt(0.8 f_E) c, sqrt(M^2 - |the rest|^2))
 *
 * M is the longest sample's length: all are made equally long, so that the largest product belongs to the
 * nearest one, by which the graph goes (Bachrach et al., RecSys 2014). With E by the best sample, s and c are
 * left out, and a second graph has the pool's entities, each name with its type once,
 *
 *   e' = (name, sqrt(0.8) at the type's place),  q_e . p_e = cosine + 0.8 [same type],
 *
 * whose nearest ones' samples are candidates, too. */
#include "similar/index.h"

#include "base/alloc.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/stop.h"
#include "similar/hnsw.h"
#include "similar/pair_score.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINKS = 16,
    BUILD_BREADTH = 100,
    BREADTH = 512,      /* of a search, where k is not larger */
    NEAR_ENTITIES = 64, /* of each of the post's */
    SAMPLES_EACH = 32,  /* of such an entity */
    CANDIDATES_MAX = 8192,
    BLOCK = 256, /* rows of a task */
    WIDE = 16    /* numbers that hnswlib multiplies at once */
};

/* An entity of the pool, in order of name, type, sample. */
struct mention {
    uint32_t name, type, sample;
};

struct gm_similar_index {
    const struct gm_similar_vectors *pool;
    struct gm_similar_rule rule;
    struct gm_similar_scale scale;
    double factor[GM_SIMILAR_PARTS]; /* f; that of E is 0 where it is by the best */
    size_t dim;                      /* of a row, a multiple of WIDE */
    double length;                   /* M */
    struct gm_hnsw *graph;
    /* Of E by the best sample: */
    struct gm_hnsw *entities;
    struct mention *mentions;
    size_t n_mentions, n_entities, entity_dim;
    size_t *first; /* [n_entities + 1] of mentions */
};

static size_t padded(size_t n) { return (n + WIDE - 1) / WIDE * WIDE; }

/* ---- rows ---- */

static float *put_scaled(float *out, const struct gm_buf *rows, size_t dim, size_t i, double factor)
{
    const float *x = gm_similar_vectors_row(rows, dim, i);
    for (size_t k = 0; k < dim; k++)
        out[k] = (float)(sqrt(factor) * (double)x[k]);
    return out + dim;
}

/* Row i of v [dim], as a sample or as a post; `kinds` has room for [n_types + 1]. The last number of a sample
 * is left 0. */
static void fill_row(const struct gm_similar_index *x, const struct gm_similar_vectors *v, size_t i,
                     bool is_sample, float *kinds, float *row)
{
    size_t n_types = x->pool->n_types;
    const double *f = x->factor;
    float *out = row;
    memset(row, 0, x->dim * sizeof *row);
    if (f[GM_SIMILAR_TEXT] > 0)
        out = put_scaled(out, &v->text, v->dim, i, f[GM_SIMILAR_TEXT]);
    if (f[GM_SIMILAR_IMAGE] > 0) {
        out = put_scaled(out, &v->image, v->image_dim, i, f[GM_SIMILAR_IMAGE]);
        double h = gm_similar_vectors_has_image(v, i) ? 1 : 0;
        *out++ = (float)(is_sample ? h : -f[GM_SIMILAR_IMAGE] * x->scale.min[GM_SIMILAR_IMAGE] * h);
    }
    if (f[GM_SIMILAR_ENTITY] > 0) {
        out = put_scaled(out, &v->sum, v->dim, i, f[GM_SIMILAR_ENTITY]);
        gm_similar_vectors_kinds(v, i, n_types, kinds);
        for (size_t k = 0; k < n_types; k++)
            *out++ = (float)(sqrt(GM_SIMILAR_TYPE_BONUS * f[GM_SIMILAR_ENTITY]) * (double)kinds[k]);
    }
}

static size_t row_dim(const struct gm_similar_index *x)
{
    const struct gm_similar_vectors *v = x->pool;
    size_t n = x->factor[GM_SIMILAR_TEXT] > 0 ? v->dim : 0;
    n += x->factor[GM_SIMILAR_IMAGE] > 0 ? v->image_dim + 1 : 0;
    n += x->factor[GM_SIMILAR_ENTITY] > 0 ? v->dim + v->n_types : 0;
    return padded(n + 1);
}

static double square_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static void fill_entity(const struct gm_similar_index *x, const struct gm_buf *names, uint32_t name,
                        uint32_t type, float *row)
{
    size_t dim = x->pool->dim;
    memset(row, 0, x->entity_dim * sizeof *row);
    memcpy(row, gm_similar_vectors_row(names, dim, name), dim * sizeof *row);
    /* An entity without a type has a place of its own, which no post looks at, and is as long as the others. */
    size_t place = type < x->pool->n_types ? type : x->pool->n_types;
    row[dim + place] = (float)sqrt(GM_SIMILAR_TYPE_BONUS);
}

/* ---- work in blocks, a block a thread ---- */

struct blocks {
    const struct gm_similar_index *x;
    size_t n, row_dim;
    bool (*each)(struct blocks *b, size_t i, float *row, float *kinds);
    void *user;
    float *rows, *kinds; /* [lanes][row_dim], [lanes][n_types + 1] */
    struct gm_limit limit;
    const struct gm_similar_progress *progress;
    pthread_mutex_t one;
    size_t n_done, n_blocks;
    bool failed;
    double longest; /* of the first pass */
};

static void run_block(void *ctx, size_t lane, size_t block)
{
    struct blocks *b = ctx;
    size_t from = block * BLOCK, to = from + BLOCK < b->n ? from + BLOCK : b->n;
    struct gm_error ignored;
    bool ok = true;
    for (size_t i = from; i < to && ok && gm_limit_check(&b->limit, &ignored) == GM_OK; i++)
        ok =
            b->each(b, i, b->rows + lane * b->row_dim, b->kinds + lane * (b->x->pool->n_types + 1));
    pthread_mutex_lock(&b->one);
    b->failed = b->failed || !ok;
    b->n_done++;
    if (b->progress)
        b->progress->fn(b->progress->user, b->n_done, b->n_blocks);
    pthread_mutex_unlock(&b->one);
}

static enum gm_status run_blocks(struct blocks *b, struct gm_error *err)
{
    size_t lanes = gm_threads();
    b->n_blocks = (b->n + BLOCK - 1) / BLOCK;
    b->limit = gm_limit_get();
    pthread_mutex_init(&b->one, NULL);
    b->rows = gm_alloc(lanes, b->row_dim * sizeof *b->rows);
    b->kinds = gm_alloc(lanes, (b->x->pool->n_types + 1) * sizeof *b->kinds);
    b->failed = !b->rows || !b->kinds;
    if (!b->failed)
        gm_parallel_tasks(b->n_blocks, lanes, run_block, b);
    gm_free(b->rows);
    gm_free(b->kinds);
    pthread_mutex_destroy(&b->one);
    if (b->failed)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for an index of %zu vectors", b->n);
    return gm_limit_check(&b->limit, err);
}

/* ---- building ---- */

static bool measure_sample(struct blocks *b, size_t i, float *row, float *kinds)
{
    fill_row(b->x, b->x->pool, i, true, kinds, row);
    double square = square_of(row, b->x->dim);
    pthread_mutex_lock(&b->one);
    b->longest = square > b->longest ? square : b->longest;
    pthread_mutex_unlock(&b->one);
    return true;
}

static bool add_sample(struct blocks *b, size_t i, float *row, float *kinds)
{
    const struct gm_similar_index *x = b->x;
    fill_row(x, x->pool, i, true, kinds, row);
    row[x->dim - 1] = (float)sqrt(fmax(0, x->length * x->length - square_of(row, x->dim)));
    return gm_hnsw_add(x->graph, (uint32_t)i, row);
}

static enum gm_status build_graph(struct gm_similar_index *x,
                                  const struct gm_similar_progress *progress, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct blocks b = {.x = x, .n = x->pool->n, .each = measure_sample, .row_dim = x->dim};
    GM_TRY(run_blocks(&b, err));
    x->length = sqrt(b.longest);
    x->graph = gm_hnsw_new(x->dim, x->pool->n, LINKS, BUILD_BREADTH);
    if (!x->graph)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for an index of %zu samples", x->pool->n);
    b = (struct blocks){
        .x = x, .n = x->pool->n, .each = add_sample, .row_dim = x->dim, .progress = progress};
    st = run_blocks(&b, err);
done:
    return st;
}

static int by_entity(const void *a, const void *b)
{
    const struct mention *x = a, *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

/* The pool's entities in order, and where each one's mentions begin. */
static enum gm_status list_mentions(struct gm_similar_index *x, struct gm_error *err)
{
    const struct gm_similar_vectors *v = x->pool;
    size_t n = v->entities.n / sizeof(struct gm_similar_entity);
    x->mentions = gm_alloc(n, sizeof *x->mentions);
    x->first = gm_alloc(n + 1, sizeof *x->first);
    if (!x->mentions || !x->first)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for an index of %zu entities", n);
    for (size_t i = 0; i < v->n; i++) {
        size_t n_own;
        const struct gm_similar_entity *e = gm_similar_vectors_entities(v, i, &n_own);
        for (size_t k = 0; k < n_own; k++)
            x->mentions[x->n_mentions++] = (struct mention){e[k].name, e[k].type, (uint32_t)i};
    }
    qsort(x->mentions, n, sizeof *x->mentions, by_entity);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || x->mentions[i].name != x->mentions[i - 1].name ||
            x->mentions[i].type != x->mentions[i - 1].type)
            x->first[x->n_entities++] = i;
    x->first[x->n_entities] = n;
    return GM_OK;
}

static bool add_entity(struct blocks *b, size_t i, float *row, float *kinds)
{
    const struct gm_similar_index *x = b->x;
    const struct mention *m = &x->mentions[x->first[i]];
    (void)kinds;
    fill_entity(x, &x->pool->name, m->name, m->type, row);
    return gm_hnsw_add(x->entities, (uint32_t)i, row);
}

static enum gm_status build_entities(struct gm_similar_index *x, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(list_mentions(x, err));
    x->entity_dim = padded(x->pool->dim + x->pool->n_types + 1);
    x->entities = gm_hnsw_new(x->entity_dim, x->n_entities, LINKS, BUILD_BREADTH);
    if (!x->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for an index of %zu entities", x->n_entities);
    struct blocks b = {.x = x, .n = x->n_entities, .each = add_entity, .row_dim = x->entity_dim};
    st = run_blocks(&b, err);
done:
    return st;
}

enum gm_status
gm_similar_index_new(struct gm_similar_index **out, const struct gm_similar_vectors *pool,
                     const struct gm_similar_rule *rule, const struct gm_similar_scale *scale,
                     const struct gm_similar_progress *progress, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_similar_index *x = gm_alloc(1, sizeof *x);
    *out = NULL;
    if (!x)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    x->pool = pool;
    x->rule = *rule;
    x->scale = *scale;
    for (size_t k = 0; k < GM_SIMILAR_PARTS; k++) {
        double range = scale->max[k] - scale->min[k]; /* -inf where there is no pair */
        x->factor[k] = rule->weight[k] > 0 && range > 0 ? rule->weight[k] / range : 0;
    }
    if (rule->best && x->factor[GM_SIMILAR_ENTITY] > 0)
        GM_TRY(build_entities(x, err));
    if (rule->best)
        x->factor[GM_SIMILAR_ENTITY] = 0;
    x->dim = row_dim(x);
    GM_TRY(build_graph(x, progress, err));
    *out = x;
    x = NULL;
done:
    gm_similar_index_free(x);
    return st;
}

void gm_similar_index_free(struct gm_similar_index *x)
{
    if (!x)
        return;
    gm_hnsw_free(x->graph);
    gm_hnsw_free(x->entities);
    gm_free(x->mentions);
    gm_free(x->first);
    gm_free(x);
}

/* ---- searching ---- */

struct search {
    struct gm_similar_sides sides;
    size_t k, breadth;
    struct gm_similar_hit *hits;
    size_t *n_hits;
};

static bool add_near_entities(const struct gm_similar_index *x,
                              const struct gm_similar_vectors *posts, size_t q, float *row,
                              uint32_t *ids, size_t *n)
{
    size_t n_own;
    const struct gm_similar_entity *e = gm_similar_vectors_entities(posts, q, &n_own);
    for (size_t i = 0; i < n_own; i++) {
        uint32_t near[NEAR_ENTITIES];
        fill_entity(x, &posts->name, e[i].name, e[i].type, row);
        if (e[i].type >= x->pool->n_types) /* it equals no other */
            memset(row + x->pool->dim, 0, (x->entity_dim - x->pool->dim) * sizeof *row);
        size_t n_near = gm_hnsw_search(x->entities, row, NEAR_ENTITIES, near);
        if (n_near == SIZE_MAX)
            return false;
        for (size_t k = 0; k < n_near; k++)
            for (size_t m = x->first[near[k]], end = m + SAMPLES_EACH;
                 m < x->first[near[k] + 1] && m < end && *n < CANDIDATES_MAX; m++)
                ids[(*n)++] = x->mentions[m].sample;
    }
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The candidates [n] of post q, each once, scored and ordered; the first k stay. */
static bool finish(const struct gm_similar_index *x, const struct search *s, size_t q,
                   uint32_t *ids, size_t n)
{
    struct gm_similar_hit *all = gm_alloc(n, sizeof *all);
    size_t n_all = 0;
    if (!all)
        return false;
    qsort(ids, n, sizeof *ids, by_number);
    for (size_t i = 0; i < n; i++)
        if ((i == 0 || ids[i] != ids[i - 1]) &&
            !gm_similar_vectors_alike(s->sides.posts, q, x->pool, ids[i], x->rule.duplicate))
            gm_similar_score(&s->sides, &x->scale, q, ids[i], &all[n_all++]);
    qsort(all, n_all, sizeof *all, gm_similar_best_first);
    s->n_hits[q] = n_all < s->k ? n_all : s->k;
    memcpy(s->hits + q * s->k, all, s->n_hits[q] * sizeof *all);
    gm_free(all);
    return true;
}

static bool search_post(struct blocks *b, size_t q, float *row, float *kinds)
{
    const struct search *s = b->user;
    const struct gm_similar_index *x = b->x;
    uint32_t *ids = gm_alloc(CANDIDATES_MAX + s->breadth, sizeof *ids);
    size_t n = 0;
    if (!ids)
        return false;
    fill_row(x, s->sides.posts, q, false, kinds, row);
    size_t n_near = gm_hnsw_search(x->graph, row, s->breadth, ids);
    bool ok = n_near != SIZE_MAX;
    n = ok ? n_near : 0;
    if (ok && x->entities)
        ok = add_near_entities(x, s->sides.posts, q, row, ids, &n);
    ok = ok && finish(x, s, q, ids, n);
    gm_free(ids);
    return ok;
}

enum gm_status gm_similar_index_search(const struct gm_similar_index *x,
                                       const struct gm_similar_vectors *posts, size_t k,
                                       const struct gm_similar_progress *progress,
                                       struct gm_similar_hit *hits, size_t *n_hits,
                                       struct gm_error *err)
{
    struct search s = {.sides = {x->pool, posts, &x->rule},
                       .k = k,
                       .breadth = k * 2 > BREADTH ? k * 2 : BREADTH,
                       .hits = hits,
                       .n_hits = n_hits};
    struct blocks b = {.x = x,
                       .n = posts->n,
                       .row_dim = x->dim > x->entity_dim ? x->dim : x->entity_dim,
                       .each = search_post,
                       .user = &s,
                       .progress = progress};
    return run_blocks(&b, err);
}

/* ---- extremes ---- */

enum { PAIRS_A_TASK = 4096 };

struct sampling {
    struct gm_similar_sides sides;
    struct gm_similar_scale scale;
    struct gm_limit limit;
    pthread_mutex_t one;
};

static void sample_pairs(void *ctx, size_t lane, size_t task)
{
    struct sampling *s = ctx;
    const struct gm_similar_scale unit = {.max = {1, 1, 1}};
    struct gm_similar_scale own = {.min = {INFINITY, INFINITY, INFINITY},
                                   .max = {-INFINITY, -INFINITY, -INFINITY}};
    struct gm_error ignored;
    struct gm_rng rng;
    (void)lane;
    gm_rng_init(&rng, task + 1);
    for (size_t i = 0; i < PAIRS_A_TASK && gm_limit_check(&s->limit, &ignored) == GM_OK; i++) {
        struct gm_similar_hit hit;
        size_t q = gm_rng_below(&rng, s->sides.posts->n), p = gm_rng_below(&rng, s->sides.pool->n);
        gm_similar_score(&s->sides, &unit, q, p, &hit);
        for (size_t k = 0; k < GM_SIMILAR_PARTS; k++) { /* false for NAN */
            own.min[k] = hit.value[k] < own.min[k] ? hit.value[k] : own.min[k];
            own.max[k] = hit.value[k] > own.max[k] ? hit.value[k] : own.max[k];
        }
    }
    pthread_mutex_lock(&s->one);
    for (size_t k = 0; k < GM_SIMILAR_PARTS; k++) {
        s->scale.min[k] = fmin(s->scale.min[k], own.min[k]);
        s->scale.max[k] = fmax(s->scale.max[k], own.max[k]);
    }
    pthread_mutex_unlock(&s->one);
}

enum gm_status gm_similar_extremes_sampled(const struct gm_similar_vectors *pool,
                                           const struct gm_similar_vectors *posts,
                                           const struct gm_similar_rule *rule,
                                           struct gm_similar_scale *scale, struct gm_error *err)
{
    if (!pool->n || !posts->n || pool->n <= GM_SIMILAR_PAIRS / posts->n)
        return gm_similar_extremes(pool, posts, rule, NULL, scale, err);
    struct sampling s = {.sides = {pool, posts, rule}, .limit = gm_limit_get()};
    pthread_mutex_init(&s.one, NULL);
    for (size_t k = 0; k < GM_SIMILAR_PARTS; k++) {
        s.scale.min[k] = INFINITY;
        s.scale.max[k] = -INFINITY;
    }
    gm_parallel_tasks(GM_SIMILAR_PAIRS / PAIRS_A_TASK, gm_threads(), sample_pairs, &s);
    pthread_mutex_destroy(&s.one);
    *scale = s.scale;
    return gm_limit_check(&s.limit, err);
}
