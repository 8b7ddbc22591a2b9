/* split.h - dealing posts to parts so that types, grounding and length are alike in each, and posts
 * that share an id or a text stay together. */
#ifndef GM_CORPUS_SPLIT_H
#define GM_CORPUS_SPLIT_H

#include "record/record.h"

struct gm_split;

/* gm_split_new, gm_split_free (NULL-safe). Errors: NOMEM. */
enum gm_status gm_split_new(struct gm_split **out, struct gm_error *err) GM_NODISCARD;
void gm_split_free(struct gm_split *s);

/* gm_split_add - the next post. A stratum is the post's set of entity types, whether any has a
 * box, and its number of entities (0, 1, 2, 3, more). Errors: NOMEM. */
enum gm_status gm_split_add(struct gm_split *s, const struct gm_post *p,
                            struct gm_error *err) GM_NODISCARD;

/* gm_split_deal - give each post added a part in [0, n_parts); shares [n_parts] sum to 1. The same
 * posts, shares and seed give the same parts. Within a stratum the order is random; over all of them
 * each unit goes to the part that lacks most. Cost O(n log n). Errors: NOMEM. */
enum gm_status gm_split_deal(struct gm_split *s, const double *shares, size_t n_parts,
                             uint64_t seed, struct gm_error *err) GM_NODISCARD;

/* gm_split_part - the part of post number i. */
size_t gm_split_part(const struct gm_split *s, size_t i);

#endif
