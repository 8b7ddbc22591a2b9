/* tile.h - the values of a block of posts beside a block of the pool, computed by one thread: what
 * search.c goes over. Internal to src/similar.
 *
 * Each part is a product of matrices, and so is the sum of the parts, so that a block of scores is a
 * few products added up in a core's cache:
 *   T = t_q . t_p            I = i_q . i_p
 *   E = (sum of q's names) . (sum of p's names) + 0.8 * (types of q) . (types of p)
 *   w_T N(T) + w_I N(I) + w_E N(E) = sum over parts of f * x - f * min,  f = w / (max - min)
 * f * min is the same for all samples and left out, but for I, which not all pairs have: there it is a
 * product too, of 1 where a post has a picture. E by the best sample needs the names' own products. */
#ifndef GM_SIMILAR_TILE_H
#define GM_SIMILAR_TILE_H

#include "similar/search.h"

enum { GM_TILE_POSTS = 128, GM_TILE_POOL = 512 };

struct gm_tile;

/* gm_tile_new - what one thread needs for blocks of at most GM_TILE_POSTS posts and GM_TILE_POOL
 * samples; pool, posts and rule are borrowed. *out is yours. Errors: NOMEM. */
enum gm_status gm_tile_new(struct gm_tile **out, const struct gm_similar_vectors *pool,
                           const struct gm_similar_vectors *posts,
                           const struct gm_similar_rule *rule, struct gm_error *err) GM_NODISCARD;
void gm_tile_free(struct gm_tile *t); /* NULL-safe */

/* gm_tile_posts - take the posts [from, to) as the block's rows.
 *   factor [GM_SIMILAR_PARTS]  what each part's values are multiplied with
 *   image_min                  subtracted from I, before that, where a pair has it */
void gm_tile_posts(struct gm_tile *t, size_t from, size_t to, const double factor[GM_SIMILAR_PARTS],
                   double image_min);

/* gm_tile_part - one part's values beside the samples [from, to), from any gm_tile_posts with
 * image_min 0; gm_tile_scores - the sum of all parts whose factor is not 0.
 *   *values [posts][samples] out  borrowed until the next call
 * Errors: NOMEM. */
enum gm_status gm_tile_part(struct gm_tile *t, enum gm_similar_part part, size_t from, size_t to,
                            const float **values, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_tile_scores(struct gm_tile *t, size_t from, size_t to, const float **values,
                              struct gm_error *err) GM_NODISCARD;

#endif
