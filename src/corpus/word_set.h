/* word_set.h - a text as the set of its lower-case words, web addresses left out, and whether two
 * texts are nearly the same one. Where no spaces are between words, they are those of GM_CUT_CHARACTERS (text/cut.h):
 * raw Chinese and the same as CoNLL of characters have the same words. */
#ifndef GM_CORPUS_WORD_SET_H
#define GM_CORPUS_WORD_SET_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts of fewer distinct words are alike only when they are the same. */
enum { GM_WORD_SET_MIN = 4 };

struct gm_word_set {
    const uint64_t *words; /* [n] hashes, ascending, each once; borrowed */
    size_t n;
    uint64_t exact; /* of the words in their order */
};

/* gm_word_set_read - append the hashes of a text's words to `hashes` (uint64_t), ascending and each
 * once; *n of them. *exact is equal for texts of the same words in the same order.
 * Errors: NOMEM; MODEL (as gm_segment). Cost O(bytes + n log n). */
enum gm_status gm_word_set_read(struct gm_str text, struct gm_buf *hashes, size_t *n,
                                uint64_t *exact, struct gm_error *err) GM_NODISCARD;

/* gm_word_set_alike - whether a and b are the same words in the same order (*is_exact), or sets of at
 * least GM_WORD_SET_MIN words whose Jaccard similarity is `least` or more. *similarity is 1 or the
 * Jaccard similarity. Pure; cost O(a.n + b.n). */
bool gm_word_set_alike(const struct gm_word_set *a, const struct gm_word_set *b, double least,
                       double *similarity, bool *is_exact);

#endif
