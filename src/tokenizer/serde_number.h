/* serde_number.h - a JSON number as the `tokenizers` library gets it. The library reads its files
 * with serde_json 1.0 without "float_roundtrip", which rounds up to three times: a fifth of all
 * numbers of 16 or 17 digits are one unit in the last place off. A tie between two ways to cut a
 * word then falls as those numbers say, so the right rounding would give other ids.
 * Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_SERDE_NUMBER_H
#define GM_TOKENIZER_SERDE_NUMBER_H

#include "base/str.h"

/* gm_serde_number - the value of `number`, the text of a valid JSON number; infinity where
 * serde_json calls it out of range. */
double gm_serde_number(struct gm_str number);

#endif
