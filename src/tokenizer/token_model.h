/* token_model.h - what a kind of tokenizer model (WordPiece, Unigram, BPE; one file a kind) offers
 * to tokenizer.c. Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_TOKEN_MODEL_H
#define GM_TOKENIZER_TOKEN_MODEL_H

#include "base/json.h"
#include "base/status.h"
#include "base/str.h"
#include "tokenizer/vocab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One piece that a model cut from a word. */
struct gm_cut {
    int32_t id;
    size_t start, end; /* bytes of the word */
};

/* Growing list of cuts, and a block that the model works in; the caller's storage. */
struct gm_cuts {
    struct gm_cut *items;
    size_t n, cap;
    void *work; /* [cap_work] bytes */
    size_t cap_work;
};
void gm_cuts_clear(struct gm_cuts *c); /* zeroed is empty */
/* gm_cuts_work - the block, n elements of `size` bytes, holding anything. Errors: NOMEM. */
enum gm_status gm_cuts_work(struct gm_cuts *c, void **out, size_t n, size_t size,
                            struct gm_error *err) GM_NODISCARD;
enum gm_status gm_cuts_add(struct gm_cuts *c, struct gm_cut cut, struct gm_error *err) GM_NODISCARD;

/* What every model's struct begins with. */
struct gm_tokens {
    struct gm_vocab vocab; /* as the file writes them */
    int32_t unk;           /* -1 = none */
    size_t n_ids;          /* highest id + 1 */
};

struct gm_token_model {
    const char *type;      /* "model.type" of tokenizer.json */
    bool unknown_has_text; /* an unknown piece is spelled as the text, not as the unknown token */
    /* load - build the model from the "model" member; *self is freed by `free`. `vocab` is the JSON
     * text of "model.vocab" (json_scan.h), empty when there is none; an object is empty in `model`.
     * `path` is for messages. Errors: MODEL, NOMEM. */
    enum gm_status (*load)(void **self, const struct gm_json *model, struct gm_str vocab,
                           const char *path, struct gm_error *err);
    void (*free)(void *self); /* NULL-safe */
    /* cut - append the pieces of one pre-tokenised word (not empty, well-formed). Safe from any
     * thread. Errors: NOMEM. */
    enum gm_status (*cut)(const void *self, struct gm_str word, struct gm_cuts *out,
                          struct gm_error *err);
};

extern const struct gm_token_model gm_wordpiece, gm_unigram, gm_bpe, gm_fast_bpe;

/* gm_token_id_check - a token id as int32_t, gm_token_id_read - the same from JSON. Errors: MODEL
 * (out of range or no integer), naming `what`. */
enum gm_status gm_token_id_check(int32_t *out, long long id, const char *path, struct gm_str what,
                                 struct gm_error *err) GM_NODISCARD;
enum gm_status gm_token_id_read(int32_t *out, const struct gm_json *json, const char *path,
                                struct gm_str what, struct gm_error *err) GM_NODISCARD;

#endif
