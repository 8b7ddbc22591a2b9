/* normalise.h - text as a tokenizer's normaliser leaves it, with the place every byte came from.
 * A normaliser is a list of steps (steps.h); each has a file of its own (norm_*.c, charsmap.c).
 * Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_NORMALISE_H
#define GM_TOKENIZER_NORMALISE_H

#include "tokenizer/aligned_text.h"
#include "tokenizer/steps.h"

#include <stdbool.h>

extern const struct gm_step_kinds gm_normalisers;

/* gm_normalise - set `out` to the normalised form of well-formed `s`, whose first code point has
 * number `first`; `spare` is working storage. Errors: NOMEM. */
enum gm_status gm_normalise(const struct gm_steps *nz, struct gm_str s, uint32_t first,
                            struct gm_aligned_text *out, struct gm_aligned_text *spare,
                            struct gm_error *err) GM_NODISCARD;

/* The kinds of steps and their settings. */
struct gm_norm_bert {
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
};
gm_norm_run gm_norm_bert_run;

struct gm_norm_unicode {
    bool compatible, composed; /* NFD, NFKD, NFC, NFKC */
};
gm_norm_run gm_norm_unicode_run;

gm_norm_run gm_norm_lowercase_run, gm_norm_strip_accents_run; /* without settings */

struct gm_norm_strip {
    bool left, right;
};
gm_norm_run gm_norm_strip_run;

struct gm_norm_replace {
    struct gm_pattern *pattern;
    struct gm_str content;
};
gm_norm_run gm_norm_replace_run;

gm_norm_run gm_norm_charsmap_run; /* settings: struct gm_charsmap */

#endif
