/* refine_words.h - the words that a model gives, found again in the post's text. */
#ifndef GM_STAGES_REFINE_WORDS_H
#define GM_STAGES_REFINE_WORDS_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* A place in the text, in code points, half-open. */
struct gm_place {
    size_t start, end;
};

/* gm_find_words - the occurrence of `words` as whole words of `text` that overlaps `near` and starts
 * nearest to it: exactly as they are, else but for white space, else also but for upper and lower case.
 * *found is the view of the text there. NULL, or the reason why there is none: "not_in_text" (nowhere in the
 * text), "moved" (only elsewhere, or in the middle of a word). Cost linear in the text. */
const char *gm_find_words(struct gm_str text, struct gm_str words, struct gm_place near,
                          struct gm_place *out, struct gm_str *found);

#endif
