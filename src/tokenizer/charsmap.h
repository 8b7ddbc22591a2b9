/* charsmap.h - the character map that sentencepiece compiles from its normalisation rules
 * (nmt_nfkc and others), which tokenizer.json carries as normalizer "Precompiled": a double-array
 * trie over UTF-8 from strings to places in a text of replacements that end with NUL.
 * Source: Darts-clone's unit layout (BSD), sentencepiece's normalizer.h. Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_CHARSMAP_H
#define GM_TOKENIZER_CHARSMAP_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gm_charsmap {
    const uint32_t *units; /* [n_units] of the trie */
    size_t n_units;
    struct gm_str texts; /* replacements, each ended by NUL */
};

/* gm_charsmap_read - from the base64 of a tokenizer.json; memory from `a`. Every step of a search
 * is checked, so that a broken map gives odd text but never a crash. Errors: MODEL, NOMEM. */
enum gm_status gm_charsmap_read(struct gm_charsmap *out, struct gm_str base64, struct gm_arena *a,
                                const char *path, struct gm_error *err) GM_NODISCARD;

/* gm_charsmap_find - the replacement for the SHORTEST prefix of `s` that the map has (the library
 * takes that one where sentencepiece takes the longest); false: none. Threads: yes. */
bool gm_charsmap_find(const struct gm_charsmap *m, struct gm_str s, struct gm_str *replacement);

#endif
