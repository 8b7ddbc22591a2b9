/* cut.h - how words are found where no spaces are: Chinese, Japanese, Thai, Lao, Khmer, Myanmar.
 *
 * A tagger knows words as its training data has them, so that raw text has to be cut like that:
 *
 *   spaces      not at all: what spaces, punctuation and signs leave together is a word (models of before this
 *               was a choice)
 *   dictionary  words of a dictionary (word_breaks.h)
 *   characters  each Chinese or Japanese character is a word; words of other scripts as ever, Thai's and its
 *               neighbours' by dictionary: 我 在 New York 吃 饭
 *   letters     each character of any script is a word: 我 在 N e w Y o r k 吃 饭 */
#ifndef GM_TEXT_CUT_H
#define GM_TEXT_CUT_H

#include "base/str.h"

#include <stdbool.h>

enum gm_word_cut { GM_CUT_SPACES, GM_CUT_DICTIONARY, GM_CUT_CHARACTERS, GM_CUT_LETTERS };

/* gm_cut_name, _parse - as settings and gmner.json spell it. */
const char *gm_cut_name(enum gm_word_cut cut);
bool gm_cut_parse(struct gm_str name, enum gm_word_cut *cut);

/* What the words of a data set look like; zeroed at first. Counts of letters and digits. */
struct gm_cut_counts {
    size_t unspaced, unspaced_alone; /* Chinese or Japanese; those that are a word by themselves */
    size_t spaced, spaced_alone;     /* of other scripts */
    size_t raw;                      /* Chinese or Japanese, in texts that came without words */
};
void gm_cut_count_word(struct gm_cut_counts *c, struct gm_str word);
void gm_cut_count_raw(struct gm_cut_counts *c, struct gm_str text);

/* gm_cut_of - how words were cut in the data that was counted: `letters` or `characters` where nearly every
 * character stands alone; `characters`, too, where Chinese or Japanese came as raw text only, as no name ends
 * inside of a character; else `dictionary`. */
enum gm_word_cut gm_cut_of(const struct gm_cut_counts *c);

#endif
