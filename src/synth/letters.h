/* letters.h - whether a sentence is written in the letters of other texts: the simple test of language that
 * sentences are held to. It tells scripts apart, and languages whose letters differ (Russian from Ukrainian,
 * English from French where no seed has an accent), but not English from Dutch. Private to src/synth. */
#ifndef GM_SYNTH_LETTERS_H
#define GM_SYNTH_LETTERS_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GM_SCRIPTS = 20 };

struct gm_letters {
    uint8_t *seen; /* a bit a code point, lower case; NULL while empty */
    size_t n, by_script[GM_SCRIPTS];
};

/* gm_letters_add - take a text's letters in; the object begins zeroed, and gm_letters_clear frees it.
 * Errors: NOMEM. */
enum gm_status gm_letters_add(struct gm_letters *l, struct gm_str text,
                              struct gm_error *err) GM_NODISCARD;
void gm_letters_clear(struct gm_letters *l);

/* gm_letters_are_others - true when over a tenth of the text's letters are of scripts that less than a
 * hundredth of the texts' letters are of; or, for alphabets and where the texts have 1,000 letters or more,
 * when over a fiftieth, and at least 3, of its letters are in no text at all, upper and lower case alike. */
bool gm_letters_are_others(const struct gm_letters *l, struct gm_str text);

#endif
