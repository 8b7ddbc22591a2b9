/* segment.h - raw text cut into words the way the training data is, with offsets: where spaces part words as
 * Twitter-GMNER is, and what is written without spaces as cut.h says.
 *
 * The rules, found by counting in that data's training split, where posts of Twitter-2015 (57%) and
 * of Twitter-2017 are cut differently; where they disagree the commoner way is taken:
 *   - white space parts words; letters, digits and their marks make words;
 *   - every punctuation mark and symbol is a word of its own, also apostrophe, @, #, _, each dot of
 *     "..." and those inside numbers and abbreviations: don ' t, 1 , 000, 10 : 30, U . S .;
 *   - so is every emoji code point: skin tones, joiners, variation selectors, halves of flags;
 *   - a hyphen between letters or digits is part of the word: 7-year, Jay-Z, 2-1;
 *   - "&amp;" is the words "&amp" and ";", and any other such reference likewise;
 *   - "http://t.co/abc" is the words "http://t." and "co/abc", any other address is cut at its
 *     punctuation but not at slashes: https : //t . co/abc; one cut short is whole: "htt…". */
#ifndef GM_TEXT_SEGMENT_H
#define GM_TEXT_SEGMENT_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include "text/cut.h"

#include <stddef.h>

struct gm_word {
    size_t start, end; /* bytes of the text, half-open */
};

/* gm_segment - the words of well-formed UTF-8 `text`, in order; *spans [*n] lives in the arena.
 * Words are never empty, hold no white space, and cover everything that is not white space.
 * Errors: NOMEM; MODEL (a dictionary is needed and ICU is not there). Cost O(text.n). Threads: yes. */
enum gm_status gm_segment(struct gm_str text, enum gm_word_cut cut, struct gm_arena *a,
                          struct gm_word **spans, size_t *n, struct gm_error *err) GM_NODISCARD;

#endif
