/* select.h - which posts are most worth annotating next, by what a tagger is unsure of. */
#ifndef GM_CORPUS_SELECT_H
#define GM_CORPUS_SELECT_H

#include "record/record.h"

/* gm_post_uncertainty - of a predicted post, in nats: the sum, over its entities and the candidates beside them,
 * of the entropy of "this is right" by the calibrated score p, -p log p - (1 - p) log(1 - p). Source: total
 * token entropy of Settles and Craven, EMNLP 2008, with spans in place of tokens. */
double gm_post_uncertainty(const struct gm_post *p);

struct gm_select;

/* gm_select_new - posts whose texts are near-duplicates (near_duplicates.h) from `similarity` on are chosen once.
 * Errors: NOMEM. */
enum gm_status gm_select_new(struct gm_select **out, double similarity,
                             struct gm_error *err) GM_NODISCARD;
void gm_select_free(struct gm_select *s); /* NULL-safe */

/* gm_select_known - a post that is annotated already: neither it nor its near-duplicates are chosen; all of these
 * come before gm_select_pick. gm_select_add - the next post to choose from; one that failed is counted and never
 * chosen. Errors: NOMEM. */
enum gm_status gm_select_known(struct gm_select *s, const struct gm_post *p,
                               struct gm_error *err) GM_NODISCARD;
enum gm_status gm_select_add(struct gm_select *s, const struct gm_post *p,
                             struct gm_error *err) GM_NODISCARD;

/* gm_select_pick - numbers of the at most n most uncertain posts, in order of being added from 0, most uncertain
 * first, of equals the earlier; borrowed. *n_left_out: near-duplicates met on the way. A post of which nothing is
 * unsure is not chosen. Errors: NOMEM. Cost O(posts log posts). */
enum gm_status gm_select_pick(struct gm_select *s, size_t n, const size_t **chosen,
                              size_t *n_chosen, size_t *n_left_out,
                              struct gm_error *err) GM_NODISCARD;

#endif
