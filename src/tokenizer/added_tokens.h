/* added_tokens.h - the added tokens of a tokenizer ("[CLS]", "<mask>", …), which are found in a text
 * before the model sees it: the leftmost first, of those the longest. Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_ADDED_TOKENS_H
#define GM_TOKENIZER_ADDED_TOKENS_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gm_added_token {
    struct gm_str text; /* as it is looked for */
    int32_t id;
    bool lstrip, rstrip; /* it swallows white space on its left, right */
};

/* A set of tokens to look for. Zeroed = empty. Immutable once sealed. */
struct gm_added_tokens {
    struct gm_added_token *tokens; /* by first byte, then longest first */
    size_t n, cap;
    size_t from[257]; /* tokens of first byte b are [from[b], from[b + 1]) */
};

/* gm_added_tokens_put - add a token; its text is copied into the arena, which must outlive the set. An
 * empty text is ignored, as it would be found everywhere. Errors: NOMEM. */
enum gm_status gm_added_tokens_put(struct gm_added_tokens *set, struct gm_arena *a,
                                   struct gm_added_token token, struct gm_error *err) GM_NODISCARD;
/* gm_added_tokens_seal - make the set ready for gm_added_tokens_next. */
void gm_added_tokens_seal(struct gm_added_tokens *set);

/* gm_added_tokens_next - the next token in s[from, s.n): sets its byte range, with the white space that it
 * swallows, and returns it; NULL when there is none. */
const struct gm_added_token *gm_added_tokens_next(const struct gm_added_tokens *set,
                                                  struct gm_str s, size_t from, size_t *start,
                                                  size_t *end);

/* gm_added_tokens_id - the id of the token that is looked for as this text; -1 = none. */
int32_t gm_added_tokens_id(const struct gm_added_tokens *set, struct gm_str text);

#endif
