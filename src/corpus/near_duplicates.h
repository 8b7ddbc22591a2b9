/* near_duplicates.h - posts of one file that are (nearly) in an earlier file: exact and near-duplicates between
 * splits, in time linear in the number of posts.
 *
 * A text is its set of lower-case words, web addresses left out. 64 minimal hashes stand for the set;
 * texts that agree in all 4 of any of 16 bands are compared by the Jaccard similarity of the sets: of each
 * band the 32 that were added last, so that a text which thousands repeat costs no more.
 * Source: Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman, Ullman,
 * Mining of Massive Datasets, chapter 3. */
#ifndef GM_CORPUS_NEAR_DUPLICATES_H
#define GM_CORPUS_NEAR_DUPLICATES_H

#include "base/status.h"
#include "base/str.h"

struct gm_near_duplicates;

struct gm_near_duplicates_match {
    size_t post;       /* number given to gm_near_duplicates_add; SIZE_MAX = none */
    double similarity; /* 0..1 */
    bool is_exact;     /* the same words in the same order */
};

/* gm_near_duplicates_new - matches are told from `similarity` on. Texts of fewer than 4 distinct words match
 * only exactly, those without words never. Errors: NOMEM. */
enum gm_status gm_near_duplicates_new(struct gm_near_duplicates **out, double similarity,
                                      struct gm_error *err) GM_NODISCARD;
void gm_near_duplicates_free(struct gm_near_duplicates *n); /* NULL-safe */

/* gm_near_duplicates_add - remember a text under a number, and look for its best match among the texts added
 * before the last gm_near_duplicates_next_file. Errors: NOMEM. */
enum gm_status gm_near_duplicates_add(struct gm_near_duplicates *n, struct gm_str text, size_t post,
                                      struct gm_near_duplicates_match *match,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_near_duplicates_find - the same look, and the text is not remembered. Errors: NOMEM. */
enum gm_status gm_near_duplicates_find(struct gm_near_duplicates *n, struct gm_str text,
                                       struct gm_near_duplicates_match *match,
                                       struct gm_error *err) GM_NODISCARD;

/* gm_near_duplicates_next_file - the texts so far can be found from now on. Errors: NOMEM. */
enum gm_status gm_near_duplicates_next_file(struct gm_near_duplicates *n,
                                            struct gm_error *err) GM_NODISCARD;

#endif
