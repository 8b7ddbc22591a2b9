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

#include <stdbool.h>
#include <stddef.h>

struct gm_word {
    size_t start, end; /* bytes of the text, half-open */
};

/* gm_segment - the words of well-formed UTF-8 `text`, in order; *spans [*n] lives in the arena.
 * Words are never empty, hold no white space, and cover everything that is not white space.
 * Errors: NOMEM; MODEL (a dictionary is needed and ICU is not there). Cost O(text.n). Threads: yes. */
enum gm_status gm_segment(struct gm_str text, enum gm_word_cut cut, struct gm_arena *a,
                          struct gm_word **spans, size_t *n, struct gm_error *err) GM_NODISCARD;

/* gm_letter_end - the byte behind the letter or digit at byte `at` < s.n and the marks on it; `at` where none is there.
 * gm_is_word_edge - whether a name may begin or end at byte `at` <= s.n, where a character begins: not between two letters
 * or digits, nor between one and its marks; but between any two characters of which one is of a script without spaces.
 * Quotation marks, dashes, emoji, flags and "…" are no letters, nor is the keycap behind a digit. (A hyphen or
 * apostrophe is an edge, too: of "Jay-Z" both halves may be looked for.)
 * gm_next_word - what stands between the next two edges from *at on that has letters or digits, and *at behind it; .n 0
 * at the end. A character without spaces is a word by itself.
 * Pure; cost O(1) but for marks, gm_next_word O(what is passed). Ill-formed bytes are no letters. */
size_t gm_letter_end(struct gm_str s, size_t at);
bool gm_is_word_edge(struct gm_str s, size_t at);
struct gm_str gm_next_word(struct gm_str s, size_t *at);

#endif
