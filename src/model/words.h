/* words.h - the words of a post, whether the input gave them or they are to be found in raw text. */
#ifndef GM_MODEL_WORDS_H
#define GM_MODEL_WORDS_H

#include "record/record.h"
#include "text/segment.h"

/* gm_words_of - byte ranges and views of the n words of post `p`, in the arena: its tokens, or its
 * text segmented as the training data is. Errors: as gm_segment. */
enum gm_status gm_words_of(const struct gm_post *p, enum gm_word_cut cut, struct gm_arena *a,
                           struct gm_word **ranges, struct gm_str **words, size_t *n,
                           struct gm_error *err) GM_NODISCARD;

#endif
