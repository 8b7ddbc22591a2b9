/* parts.h - the words that a hashtag or handle was joined of: AsiasGotTalent is Asias, Got, Talent, and
 * ladygaga is lady, gaga.
 *
 * Cuts are made by case first: before a capital behind a small letter, before the last capital of several
 * that small letters follow (NHLDraft: NHL, Draft), and between letters and digits. A part of GM_PARTS_LEAST or
 * more ASCII letters is then cut into the likeliest words of a unigram model, where that is likelier than
 * one word that the model doesn't know.
 * Source of the second step: Norvig, Natural Language Corpus Data, 2009. */
#ifndef GM_TEXT_PARTS_H
#define GM_TEXT_PARTS_H

#include "text/segment.h"

/* What words cost: cost(self, word) is minus the natural logarithm of the probability of a word in small
 * letters; INFINITY = not a word that is known. `unknown` and `unknown_letter`: what any other word costs, and
 * each of its letters beside. */
struct gm_word_costs {
    double (*cost)(const void *self, struct gm_str word);
    const void *self;
    double unknown, unknown_letter;
};

enum { GM_PARTS_LEAST = 5, GM_PARTS_MOST_LETTERS = 64 };

/* gm_text_parts - the parts of `word` (well-formed UTF-8, not empty), in order, without a gap; `costs` NULL =
 * by case alone. *parts [*n], n >= 1, in the arena. A run of more than GM_PARTS_MOST_LETTERS letters of one
 * case stays whole. Errors: NOMEM. Cost O(bytes * 20) of costs->cost. Threads: yes. */
enum gm_status gm_text_parts(struct gm_str word, const struct gm_word_costs *costs,
                             struct gm_arena *a, struct gm_word **parts, size_t *n,
                             struct gm_error *err) GM_NODISCARD;

#endif
