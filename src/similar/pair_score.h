/* pair_score.h - the similarity of one post and one sample in f64, as search.h says it: what candidates of any
 * origin are ordered by. Internal to src/similar. */
#ifndef GM_SIMILAR_PAIR_SCORE_H
#define GM_SIMILAR_PAIR_SCORE_H

#include "similar/search.h"

/* A search's two sides, and what similar means in it; all borrowed. */
struct gm_similar_sides {
    const struct gm_similar_vectors *pool, *posts;
    const struct gm_similar_rule *rule;
};

/* gm_similar_score - of post q and sample s: values, their parts on the scale, and S. Pure. */
void gm_similar_score(const struct gm_similar_sides *x, const struct gm_similar_scale *scale,
                      size_t q, size_t s, struct gm_similar_hit *hit);

/* gm_similar_best_first - for qsort of hits: the larger score, then the earlier sample. */
int gm_similar_best_first(const void *a, const void *b);

#endif
