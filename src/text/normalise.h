/* normalise.h - text as a tokenizer's normaliser leaves it, with the place every byte came from.
 * A normaliser is a list of steps: the "normalizer" of a tokenizer.json with its Sequences laid
 * flat. Each step has a file of its own (norm_*.c, charsmap.c). Internal to src/text. */
#ifndef GM_TEXT_NORMALISE_H
#define GM_TEXT_NORMALISE_H

#include "base/arena.h"
#include "base/json.h"
#include "text/normal.h"

#include <stdbool.h>

/* One step: set `out` to what it makes of `in`. Safe from any thread. Errors: NOMEM. */
typedef enum gm_status gm_norm_run(const void *settings, const struct gm_normal *in,
                                   struct gm_normal *out, struct gm_error *err);

struct gm_norm_step {
    gm_norm_run *run;
    const void *settings; /* of its own type; in the arena */
};

struct gm_normaliser {
    struct gm_norm_step *steps; /* in the arena */
    size_t n, cap;
};

/* gm_normaliser_read - steps from the "normalizer" member of a tokenizer.json (none: NULL, null);
 * all memory from `a`, which must outlive it. `path` is for messages.
 * Errors: MODEL (a kind or setting that is not supported, named), NOMEM. */
enum gm_status gm_normaliser_read(struct gm_normaliser *out, const struct gm_json *json,
                                  struct gm_arena *a, const char *path,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_normalise - set `out` to the normalised form of well-formed `s`, whose first code point has
 * number `first`; `spare` is working storage. Errors: NOMEM. */
enum gm_status gm_normalise(const struct gm_normaliser *nz, struct gm_str s, uint32_t first,
                            struct gm_normal *out, struct gm_normal *spare,
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
