/* normalise.h - text as a tokenizer's normaliser leaves it, with the place every byte came from. */
#ifndef GM_TEXT_NORMALISE_H
#define GM_TEXT_NORMALISE_H

#include "base/json.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Settings of a BertNormalizer. */
struct gm_normaliser {
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
};

/* A normalised text; the caller's storage, reused from text to text. One thread at a time. */
struct gm_normal {
    char *p;       /* [n] bytes, well-formed UTF-8 */
    uint32_t *src; /* [n] number of the code point of the source that each byte came from */
    size_t n, cap;
    struct gm_normal_mark *run; /* combining marks waiting to be put in order */
    size_t n_run, cap_run;
};

void gm_normal_init(struct gm_normal *t);  /* empty; allocates nothing */
void gm_normal_clear(struct gm_normal *t); /* free the memory; usable again */

/* gm_normaliser_read - settings from the "normalizer" member of a tokenizer.json (NULL = absent).
 * Only BertNormalizer is known. `path` is for messages. Errors: MODEL. */
enum gm_status gm_normaliser_read(struct gm_normaliser *out, const struct gm_json *json,
                                  const char *path, struct gm_error *err) GM_NODISCARD;

/* gm_normalise - set `out` to the normalised form of well-formed `s`, whose first code point has
 * number `first`. As the `tokenizers` library's BertNormalizer: controls are removed and white
 * space made plain, ideographs are put between spaces, accents are stripped after canonical
 * decomposition (NFD, with its ordering of marks), capitals are lowered.
 * Errors: NOMEM. Cost O(s.n), but for runs of combining marks, which are sorted. */
enum gm_status gm_normalise(const struct gm_normaliser *nz, struct gm_str s, uint32_t first,
                            struct gm_normal *out, struct gm_error *err) GM_NODISCARD;

#endif
