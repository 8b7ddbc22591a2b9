/* index.h - the search for similar samples through an approximate index, for pools of millions: what search.c
 * compares with every sample, a graph finds among a few thousand. Its candidates are scored and ordered as
 * search.h says, in f64; what it may miss is a sample, never a score.
 *
 * Which thread added which sample first is not the same from run to run, so that what is missed may differ;
 * with one thread it does not. */
#ifndef GM_SIMILAR_INDEX_H
#define GM_SIMILAR_INDEX_H

#include "similar/search.h"

/* gm_similar_extremes_sampled - as gm_similar_extremes, of so many random pairs, always the same ones, in
 * place of all, where there are more. A pair outside of what they say has a part under 0 or over 1. Errors:
 * NOMEM, CANCEL, AGAIN. Threads: yes. */
enum { GM_SIMILAR_PAIRS = 1 << 21 };
enum gm_status gm_similar_extremes_sampled(const struct gm_similar_vectors *pool,
                                           const struct gm_similar_vectors *posts,
                                           const struct gm_similar_rule *rule,
                                           struct gm_similar_scale *scale,
                                           struct gm_error *err) GM_NODISCARD;

struct gm_similar_index;

/* gm_similar_index_new - of a pool, for one rule and scale; the pool is borrowed and does not change. *out is
 * yours. progress as in gm_similar_extremes (NULL = none). Memory: 4 bytes a number of all parts that have a
 * weight, a sample, and 150 more. Errors: NOMEM, CANCEL, AGAIN. Uses the thread budget.
 * Cost: about pool * log(pool) * 2,000 products of such rows. */
enum gm_status
gm_similar_index_new(struct gm_similar_index **out, const struct gm_similar_vectors *pool,
                     const struct gm_similar_rule *rule, const struct gm_similar_scale *scale,
                     const struct gm_similar_progress *progress, struct gm_error *err) GM_NODISCARD;
void gm_similar_index_free(struct gm_similar_index *x); /* NULL-safe */

/* gm_similar_index_search - as gm_similar_search, of the candidates. Threads: yes. */
enum gm_status gm_similar_index_search(const struct gm_similar_index *x,
                                       const struct gm_similar_vectors *posts, size_t k,
                                       const struct gm_similar_progress *progress,
                                       struct gm_similar_hit *hits, size_t *n_hits,
                                       struct gm_error *err) GM_NODISCARD;

#endif
