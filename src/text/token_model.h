/* token_model.h - what a kind of tokenizer model ("WordPiece" now; one file a kind) offers to
 * tokenizer.c. Internal to src/text. */
#ifndef GM_TEXT_TOKEN_MODEL_H
#define GM_TEXT_TOKEN_MODEL_H

#include "base/json.h"
#include "base/status.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* One piece that a model cut from a word. */
struct gm_cut {
    int32_t id;
    size_t start, end; /* bytes of the word */
};

/* Growing list of cuts; the caller's storage. */
struct gm_cuts {
    struct gm_cut *items;
    size_t n, cap;
};
enum gm_status gm_cuts_add(struct gm_cuts *c, struct gm_cut cut, struct gm_error *err) GM_NODISCARD;

struct gm_token_model {
    const char *type; /* "model.type" of tokenizer.json */
    /* load - build the model from the "model" member; *self is freed by `free`. Where "model.vocab"
     * is an object, it is empty in `model`, and `vocab` is its JSON text (json_scan.h); else
     * `vocab` is empty. `path` is for messages. Errors: MODEL, NOMEM. */
    enum gm_status (*load)(void **self, const struct gm_json *model, struct gm_str vocab,
                           const char *path, struct gm_error *err);
    void (*free)(void *self); /* NULL-safe */
    /* cut - append the pieces of one pre-tokenised word (not empty, well-formed). Safe from any
     * thread. Errors: NOMEM. */
    enum gm_status (*cut)(const void *self, struct gm_str word, struct gm_cuts *out,
                          struct gm_error *err);
    int32_t (*id)(const void *self, struct gm_str token); /* -1 = not in the vocabulary */
    int32_t (*unk)(const void *self);
    size_t (*n_ids)(const void *self); /* highest id + 1 */
};

extern const struct gm_token_model gm_wordpiece;

/* gm_token_id_check - a token id as int32_t, gm_token_id_read - the same from JSON. Errors: MODEL
 * (out of range or no integer), naming `what`. */
enum gm_status gm_token_id_check(int32_t *out, long long id, const char *path, struct gm_str what,
                                 struct gm_error *err) GM_NODISCARD;
enum gm_status gm_token_id_read(int32_t *out, const struct gm_json *json, const char *path,
                                struct gm_str what, struct gm_error *err) GM_NODISCARD;

#endif
