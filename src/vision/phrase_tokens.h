/* phrase_tokens.h - phrases as the token ids of a phrase detector's input. Internal to src/vision.
 *
 *   rows  (OWL-ViT, OWLv2)     a row a phrase, all of `most` tokens: start, pieces, end, zeros; a longer one is cut
 *   line  (Grounding DINO)     one row: [CLS] pieces . pieces . … . [SEP], at most `most` tokens; phrases that
 *                              do not fit are left for the next run, and one that never would is cut. Full stops and
 *                              question marks separate phrases for the model, so that those inside of one
 *                              are left out */
#ifndef GM_VISION_PHRASE_TOKENS_H
#define GM_VISION_PHRASE_TOKENS_H

#include "base/arena.h"
#include "base/status.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>

struct gm_phrase_tokens {
    float *ids, *mask; /* [rows][cols]; mask 1 = a token */
    size_t rows, cols;
    size_t n;          /* phrases taken: the first of those given */
    size_t *from, *to; /* [n] of a line: the columns of each one's pieces */
};

/* gm_phrase_tokens_make - everything is in the arena. phrases [n], n >= 1. Errors: NOMEM, MODEL (a tokenizer
 * without the tokens around a text). Threads: yes, with separate arenas. */
enum gm_status gm_phrase_tokens_make(struct gm_phrase_tokens *out, const struct gm_tokenizer *t,
                                     bool line, size_t most, const struct gm_str *phrases, size_t n,
                                     struct gm_arena *a, struct gm_error *err) GM_NODISCARD;

#endif
