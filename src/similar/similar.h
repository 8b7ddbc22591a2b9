/* similar.h - the annotated posts of a pool that are most like a post: what in-context examples are
 * picked by. What similar means is in search.h.
 *
 * A pool is indexed once and asked many times. For a stage, which sees a few posts at a time:
 *   gm_similar_pool_load(&pool, samples, n, &opts, err);
 *   gm_similar_find(pool, posts, n_posts, k, hits, n_hits, err);      from any thread
 * Its scores are on the scale of the pool beside itself, so that a post's do not depend on which other
 * posts are asked about with it. With all posts at hand, on their own scale:
 *   gm_similar_pool_new, _add …, _finish; gm_similar_embed …; gm_similar_extremes, gm_similar_search */
#ifndef GM_SIMILAR_SIMILAR_H
#define GM_SIMILAR_SIMILAR_H

#include "record/record.h"
#include "similar/pictures.h"
#include "similar/search.h"

struct gm_similar_opts {
    const char *encoder;   /* of texts and names (similar/sentence.h); NULL = "minilm" */
    const char *precision; /* of both encoders; NULL = f32 */
    const char *clip;  /* file of the picture encoder (vision/clip.h); NULL = none: the weight of
                              pictures is 0 then, the others are divided by their sum, and a line of
                              the log says so */
    const char *cache; /* file in which the pool's vectors are kept and looked for
                          (similar/vector_cache.h); NULL = none */
    bool indexed;      /* gm_similar_pool_load makes an approximate index (similar/index.h) */
    struct gm_similar_rule rule;
    gm_unreadable_fn *unreadable; /* of pictures (similar/pictures.h); NULL = not told */
    void *user;
};

/* gm_similar_opts_default - text 0.4, image 0.2, entity 0.6; near-duplicates from 0.8 on. */
struct gm_similar_opts gm_similar_opts_default(void);

struct gm_similar_pool;

/* gm_similar_pool_new - an empty pool; opts NULL = default; its strings are not kept. *out is yours.
 * Errors: IO, MODEL, FORMAT, SHAPE, NOMEM; ARG (no part is left that has a weight). */
enum gm_status gm_similar_pool_new(struct gm_similar_pool **out, const struct gm_similar_opts *opts,
                                   struct gm_error *err) GM_NODISCARD;
void gm_similar_pool_free(struct gm_similar_pool *p); /* NULL-safe */

/* gm_similar_pool_add - n more samples, with their entities; the posts are not kept. Best called with
 * hundreds at a time: they go through the encoders together. After an error the pool is of no use.
 * gm_similar_pool_finish - once, when all are there. One thread.
 * Errors: NOMEM, those of the encoders, FORMAT (more than 4,096 types), CANCEL and AGAIN. */
enum gm_status gm_similar_pool_add(struct gm_similar_pool *p, struct gm_post *const *posts,
                                   size_t n, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_similar_pool_finish(struct gm_similar_pool *p, struct gm_error *err) GM_NODISCARD;

/* gm_similar_pool_load - all of that for n samples, and the scale of the pool beside itself, which
 * gm_similar_find needs. Cost: n posts through the encoders, and n * n pairs (gm_similar_extremes); indexed
 * those of gm_similar_extremes_sampled and gm_similar_index_new. */
enum gm_status gm_similar_pool_load(struct gm_similar_pool **out, struct gm_post *const *posts,
                                    size_t n, const struct gm_similar_opts *opts,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_similar_pool_vectors - of the samples; borrowed. gm_similar_pool_rule - with the weights as they
 * are used. */
const struct gm_similar_vectors *gm_similar_pool_vectors(const struct gm_similar_pool *p);
const struct gm_similar_rule *gm_similar_pool_rule(const struct gm_similar_pool *p);

/* gm_similar_vectors_for - no posts yet, of the pool's dimensions. gm_similar_vectors_clear frees. */
void gm_similar_vectors_for(const struct gm_similar_pool *p, struct gm_similar_vectors *v);

/* gm_similar_embed - append n posts to `v`, which the pool is then asked about.
 * Errors: as gm_similar_pool_add. Threads: yes, on a pool that is finished, with separate `v`; the
 * encoders work for one call at a time. */
enum gm_status gm_similar_embed(struct gm_similar_pool *p, struct gm_post *const *posts, size_t n,
                                struct gm_similar_vectors *v, struct gm_error *err) GM_NODISCARD;

/* gm_similar_find - the k samples most like each of n posts, of a pool made by gm_similar_pool_load;
 * hits, n_hits, order, what is left out: as gm_similar_search. A post's entities are those it has by
 * now. Errors: as gm_similar_embed, gm_similar_search. Threads: yes. */
enum gm_status gm_similar_find(struct gm_similar_pool *p, struct gm_post *const *posts, size_t n,
                               size_t k, struct gm_similar_hit *hits, size_t *n_hits,
                               struct gm_error *err) GM_NODISCARD;

#endif
