/* tile.c - blocks of the values of tile.h, for posts q (rows, scaled by f beforehand) and samples p
 * (columns), row-major f32 [posts][samples]:
 *
 *   text, image, names   X_q X_p' with X [n][dim]
 *   kinds                C_q C_p' with C [n][n_types + 1]: counts of the types, then 1 where there is a
 *                        picture; the rows are scaled by f_E 0.8 and, the last column, by -f_I min_I
 *   E by the best        f_E / n_q sum over q's entities a of max over p's entities b of
 *                        (name_a . name_b + 0.8 [type_a = type_b]), 0 where p has none
 *
 * The last takes the products of all names of a group of rows and samples. Naive reference: all pairs, one by
 * one, in tests/unit/test_similar_search.c. */
#include "similar/tile.h"

#include "base/alloc.h"
#include "nn/engine.h"

#include <math.h>
#include <string.h>

enum {
    NAMES = 1024
}; /* of samples that are multiplied at once, where one post does not have more */

struct gm_tile {
    const struct gm_similar_vectors *pool, *posts;
    const struct gm_similar_rule *rule;
    struct gm_engine *engine;
    size_t from, to; /* the posts */
    double factor[GM_SIMILAR_PARTS];
    float *text, *image, *sum,
        *kinds;    /* [GM_TILE_POSTS][columns of each] the posts' rows, scaled */
    float *values; /* [GM_TILE_POSTS][GM_TILE_POOL] */
    /* Of E by the best sample: */
    size_t max_names;
    float *row_names, *names, *cosines; /* [GM_TILE_POSTS][dim], [max_names][dim], [both] */
    uint32_t *types;                    /* [max_names] */
};

/* The most names that a group of samples may have: a post's are not torn apart. */
static size_t most_names(const struct gm_similar_vectors *pool)
{
    size_t most = NAMES;
    for (size_t i = 0, n; i < pool->n; i++) {
        (void)gm_similar_vectors_entities(pool, i, &n);
        most = n > most ? n : most;
    }
    return most;
}

static bool alloc_rows(float **rows, size_t n, size_t dim)
{
    size_t all;
    *rows = gm_mul_size(n, dim, &all) ? gm_alloc_aligned(all ? all : 1, sizeof **rows) : NULL;
    return *rows != NULL;
}

enum gm_status gm_tile_new(struct gm_tile **out, const struct gm_similar_vectors *pool,
                           const struct gm_similar_vectors *posts,
                           const struct gm_similar_rule *rule, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tile *t = gm_alloc(1, sizeof *t);
    *out = NULL;
    if (!t)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    t->pool = pool;
    t->posts = posts;
    t->rule = rule;
    bool ok = alloc_rows(&t->text, GM_TILE_POSTS, pool->dim) &&
              alloc_rows(&t->image, GM_TILE_POSTS, pool->image_dim) &&
              alloc_rows(&t->sum, GM_TILE_POSTS, pool->dim) &&
              alloc_rows(&t->kinds, GM_TILE_POSTS, pool->n_types + 1) &&
              alloc_rows(&t->values, GM_TILE_POSTS, GM_TILE_POOL);
    if (ok && rule->best) {
        t->max_names = most_names(pool);
        t->types = gm_alloc(t->max_names, sizeof *t->types);
        ok = t->types && alloc_rows(&t->row_names, GM_TILE_POSTS, pool->dim) &&
             alloc_rows(&t->names, t->max_names, pool->dim) &&
             alloc_rows(&t->cosines, GM_TILE_POSTS, t->max_names);
    }
    GM_TRY(ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for a block of similarities"));
    GM_TRY(gm_engine_new(&t->engine, err));
    *out = t;
    t = NULL;
done:
    gm_tile_free(t);
    return st;
}

void gm_tile_free(struct gm_tile *t)
{
    if (!t)
        return;
    float *all[] = {t->text,   t->image,     t->sum,   t->kinds,
                    t->values, t->row_names, t->names, t->cosines};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gm_free(all[i]);
    gm_free(t->types);
    gm_engine_free(t->engine);
    gm_free(t);
}

static void scale_rows(float *out, const struct gm_buf *rows, size_t dim, size_t from, size_t to,
                       double factor)
{
    const float *x = gm_similar_vectors_row(rows, dim, from);
    for (size_t i = 0; i < (to - from) * dim; i++)
        out[i] = x[i] * (float)factor;
}

void gm_tile_posts(struct gm_tile *t, size_t from, size_t to, const double factor[GM_SIMILAR_PARTS],
                   double image_min)
{
    const struct gm_similar_vectors *v = t->posts;
    size_t n_types = t->pool->n_types;
    double image = factor[GM_SIMILAR_IMAGE], entity = factor[GM_SIMILAR_ENTITY];
    t->from = from;
    t->to = to;
    memcpy(t->factor, factor, sizeof t->factor);
    scale_rows(t->text, &v->text, v->dim, from, to, factor[GM_SIMILAR_TEXT]);
    if (v->image_dim)
        scale_rows(t->image, &v->image, v->image_dim, from, to, image);
    if (!t->rule->best)
        scale_rows(t->sum, &v->sum, v->dim, from, to, entity);
    for (size_t i = from; i < to; i++) {
        float *row = t->kinds + (i - from) * (n_types + 1);
        gm_similar_vectors_kinds(v, i, n_types, row);
        for (size_t k = 0; k < n_types; k++) /* by the best sample, names bring their types along */
            row[k] = t->rule->best ? 0 : row[k] * (float)(entity * GM_SIMILAR_TYPE_BONUS);
        row[n_types] *= (float)(-image * image_min);
    }
}

/* values = (or +=) rows . (the pool's rows [from, to))' */
static enum gm_status product(struct gm_tile *t, const float *rows, const struct gm_buf *of,
                              size_t dim, size_t from, size_t to, bool add, struct gm_error *err)
{
    const struct gm_matmul d = {.m = t->to - t->from,
                                .k = dim,
                                .n = to - from,
                                .b_layout = GM_B_TRANSPOSED,
                                .accumulate = add};
    return gm_matmul_run(t->engine, &d, rows, gm_similar_vectors_row(of, dim, from), NULL,
                         t->values, err);
}

/* ---- E by the best sample ---- */

/* As many of the samples [from, to) as have at most max_names names, into t->names and t->types. */
static size_t gather_names(struct gm_tile *t, size_t from, size_t to, size_t *n_names)
{
    const struct gm_similar_vectors *v = t->pool;
    size_t i = from;
    for (*n_names = 0; i < to; i++) {
        size_t n;
        const struct gm_similar_entity *e = gm_similar_vectors_entities(v, i, &n);
        if (*n_names + n > t->max_names)
            break;
        for (size_t k = 0; k < n; k++, ++*n_names) {
            memcpy(t->names + *n_names * v->dim,
                   gm_similar_vectors_row(&v->name, v->dim, e[k].name), v->dim * sizeof(float));
            t->types[*n_names] = e[k].type;
        }
    }
    return i;
}

/* Adds to the values of the samples [from, to) what the rows' entities bring: each the largest of its
 * products with a sample's names, divided by how many entities its post has. */
static void add_best(struct gm_tile *t, const size_t *row_posts,
                     const struct gm_similar_entity *row, size_t n_rows, size_t begin, size_t end,
                     size_t from, size_t to, size_t n_names)
{
    const size_t *first = (const void *)t->pool->first.p;
    for (size_t r = 0; r < n_rows; r++) {
        const float *cosine = t->cosines + r * n_names;
        size_t n_own;
        (void)gm_similar_vectors_entities(t->posts, row_posts[r], &n_own);
        float share = (float)(t->factor[GM_SIMILAR_ENTITY] / (double)n_own);
        float *out = t->values + (row_posts[r] - t->from) * (end - begin);
        for (size_t p = from; p < to; p++) {
            float most = first[p] == first[p + 1] ? 0 : -INFINITY;
            for (size_t c = first[p] - first[from]; c < first[p + 1] - first[from]; c++) {
                float x = cosine[c] + (gm_similar_same_type(t->types[c], row[r].type)
                                           ? (float)GM_SIMILAR_TYPE_BONUS
                                           : 0);
                most = x > most ? x : most;
            }
            out[p - begin] += share * most;
        }
    }
}

/* A group of the block's entities beside a group of the samples' names. */
static enum gm_status best_of_rows(struct gm_tile *t, const size_t *row_posts,
                                   const struct gm_similar_entity *row, size_t n_rows, size_t begin,
                                   size_t end, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t dim = t->pool->dim;
    for (size_t r = 0; r < n_rows; r++)
        memcpy(t->row_names + r * dim, gm_similar_vectors_row(&t->posts->name, dim, row[r].name),
               dim * sizeof(float));
    for (size_t from = begin, to; from < end; from = to) {
        size_t n_names;
        to = gather_names(t, from, end, &n_names);
        const struct gm_matmul d = {
            .m = n_rows, .k = dim, .n = n_names, .b_layout = GM_B_TRANSPOSED};
        if (n_names)
            GM_TRY(gm_matmul_run(t->engine, &d, t->row_names, t->names, NULL, t->cosines, err));
        add_best(t, row_posts, row, n_rows, begin, end, from, to, n_names);
    }
done:
    return st;
}

static enum gm_status add_best_entities(struct gm_tile *t, size_t from, size_t to,
                                        struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t row_posts[GM_TILE_POSTS], n_rows = 0;
    struct gm_similar_entity row[GM_TILE_POSTS];
    for (size_t q = t->from; q < t->to; q++) {
        size_t n;
        const struct gm_similar_entity *e = gm_similar_vectors_entities(t->posts, q, &n);
        for (size_t k = 0; k < n; k++) {
            row_posts[n_rows] = q;
            row[n_rows++] = e[k];
            if (n_rows < GM_TILE_POSTS)
                continue;
            GM_TRY(best_of_rows(t, row_posts, row, n_rows, from, to, err));
            n_rows = 0;
        }
    }
    if (n_rows)
        st = best_of_rows(t, row_posts, row, n_rows, from, to, err);
done:
    return st;
}

/* ---- blocks ---- */

static enum gm_status entity_part(struct gm_tile *t, size_t from, size_t to, bool add,
                                  struct gm_error *err)
{
    if (!t->rule->best)
        return product(t, t->sum, &t->pool->sum, t->pool->dim, from, to, add, err);
    if (!add)
        memset(t->values, 0, (t->to - t->from) * (to - from) * sizeof *t->values);
    return add_best_entities(t, from, to, err);
}

/* Counted types and the offset of I. */
static enum gm_status add_kinds(struct gm_tile *t, size_t from, size_t to, struct gm_error *err)
{
    return product(t, t->kinds, &t->pool->kinds, t->pool->n_types + 1, from, to, true, err);
}

enum gm_status gm_tile_part(struct gm_tile *t, enum gm_similar_part part, size_t from, size_t to,
                            const float **values, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_similar_vectors *v = t->pool;
    *values = t->values;
    if (part == GM_SIMILAR_TEXT)
        return product(t, t->text, &v->text, v->dim, from, to, false, err);
    if (part == GM_SIMILAR_IMAGE)
        return product(t, t->image, &v->image, v->image_dim, from, to, false, err);
    GM_TRY(entity_part(t, from, to, false, err));
    if (!t->rule->best)
        st = add_kinds(t, from, to, err);
done:
    return st;
}

enum gm_status gm_tile_scores(struct gm_tile *t, size_t from, size_t to, const float **values,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_similar_vectors *v = t->pool;
    bool has_image = t->factor[GM_SIMILAR_IMAGE] != 0;
    *values = t->values;
    GM_TRY(
        product(t, t->text, &v->text, v->dim, from, to, false, err)); /* zeros for a factor of 0 */
    if (has_image)
        GM_TRY(product(t, t->image, &v->image, v->image_dim, from, to, true, err));
    if (t->factor[GM_SIMILAR_ENTITY] != 0)
        GM_TRY(entity_part(t, from, to, true, err));
    if (has_image || t->factor[GM_SIMILAR_ENTITY] != 0)
        st = add_kinds(t, from, to, err);
done:
    return st;
}
