/* search.h - the k posts of a pool that are most similar to each of some posts, in memory that does
 * not grow with posts x pool.
 *
 * Of a post q and a sample p of the pool
 *   T(q,p)  cosine of their texts' vectors
 *   I(q,p)  cosine of their pictures' vectors
 *   E(q,p)  sum over all pairs (entity of q, entity of p) of the cosine of their names' vectors, + 0.8
 *           if their types are equal; 0 if either has no entity. BEST in place of the sum: the mean over
 *           q's entities of the largest such value among p's, which does not favour long samples
 *   S(q,p)  = w_T N(T) + w_I N(I) + w_E N(E),  N(x) = (x - min) / (max - min)
 * with the least and the largest value of all pairs (q,p), near-duplicates too. Of a pair of which one
 * has no picture there is no I: it does not count for the extremes, and its N(I) is 0. A part whose
 * values are all equal has N = 0.
 * Source: the multimodal similarity of ReFineG's in-context samples, arXiv 2509.10975. */
#ifndef GM_SIMILAR_SEARCH_H
#define GM_SIMILAR_SEARCH_H

#include "similar/vectors.h"

#define GM_SIMILAR_TYPE_BONUS 0.8

enum gm_similar_part {
    GM_SIMILAR_TEXT,
    GM_SIMILAR_IMAGE,
    GM_SIMILAR_ENTITY,
    GM_SIMILAR_PARTS /* how many there are */
};

enum { GM_SIMILAR_MAX_K = 1000 };

/* What similar means. */
struct gm_similar_rule {
    double weight[GM_SIMILAR_PARTS]; /* >= 0; a part of weight 0 is not computed */
    bool best;                       /* E by the best sample entity of each of the post's */
    double duplicate; /* samples whose words are this similar to the post's are left out; 0..1 */
};

/* The extremes of each part; min > max where no pair has it, or its weight is 0. */
struct gm_similar_scale {
    double min[GM_SIMILAR_PARTS], max[GM_SIMILAR_PARTS];
};

struct gm_similar_hit {
    size_t post; /* number of the sample in the pool, from 0 */
    double score;
    double value[GM_SIMILAR_PARTS]; /* T, I, E; NAN where there is none (no picture, weight 0) */
    double part[GM_SIMILAR_PARTS];  /* N of them */
};

/* Called with the number of pairs of blocks that are done, from any thread, one at a time. */
struct gm_similar_progress {
    void (*fn)(void *user, size_t done, size_t total);
    void *user;
};

/* gm_similar_extremes - over all pairs of the n `posts` and the samples of `pool`, whose types were
 * counted (gm_similar_vectors_count_types).
 *   progress  NULL = none
 * Errors: NOMEM, CANCEL and AGAIN (base/stop.h). Threads: yes; uses the budget of base/parallel.h.
 * Cost 2 * posts * pool * (2 dim + image_dim) additions and multiplications. */
enum gm_status
gm_similar_extremes(const struct gm_similar_vectors *pool, const struct gm_similar_vectors *posts,
                    const struct gm_similar_rule *rule, const struct gm_similar_progress *progress,
                    struct gm_similar_scale *scale, struct gm_error *err) GM_NODISCARD;

/* gm_similar_search - the k samples of the largest S, best first, the earlier one first where two
 * are equal, for each of the n posts; samples that are near-duplicates of the post, and so the post
 * itself, are left out.
 *   k      in [1, GM_SIMILAR_MAX_K]
 *   hits   [n][k] out
 *   n_hits [n] out  how many there are: fewer than k where the pool has no more
 * Candidates are found in f32; scores, parts and order are computed in f64 from the vectors.
 * Errors, threads, cost: as gm_similar_extremes. */
enum gm_status
gm_similar_search(const struct gm_similar_vectors *pool, const struct gm_similar_vectors *posts,
                  const struct gm_similar_rule *rule, const struct gm_similar_scale *scale,
                  size_t k, const struct gm_similar_progress *progress, struct gm_similar_hit *hits,
                  size_t *n_hits, struct gm_error *err) GM_NODISCARD;

#endif
