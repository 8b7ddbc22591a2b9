/* vocab.h - a hash table from strings to token ids: open addressing over FNV-1a, built once when a
 * tokenizer is loaded and read from many threads afterwards. */
#ifndef GM_TOKENIZER_VOCAB_H
#define GM_TOKENIZER_VOCAB_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gm_vocab_slot;
struct gm_vocab_entry;

struct gm_vocab {
    struct gm_vocab_slot *slots;    /* a power of two of them, at most half full */
    struct gm_vocab_entry *entries; /* in order of insertion */
    size_t n_slots, n, cap;
    struct gm_buf bytes; /* the strings, end to end */
    size_t longest;      /* bytes of the longest string */
};

/* gm_vocab_init - an empty table that will hold at most `cap` strings; cleared by gm_vocab_clear.
 * Errors: NOMEM. */
enum gm_status gm_vocab_init(struct gm_vocab *v, size_t cap, struct gm_error *err) GM_NODISCARD;
void gm_vocab_clear(struct gm_vocab *v); /* a zeroed table is fine */

/* gm_vocab_put - add a string (copied) or change its id. Errors: NOMEM (also over `cap`). */
enum gm_status gm_vocab_put(struct gm_vocab *v, struct gm_str s, int32_t id,
                            struct gm_error *err) GM_NODISCARD;

/* gm_vocab_find - the id of a string; -1 when absent. */
int32_t gm_vocab_find(const struct gm_vocab *v, struct gm_str s);

/* gm_vocab_at - string number i < v->n in order of insertion, and its id. Borrowed. */
struct gm_str gm_vocab_at(const struct gm_vocab *v, size_t i, int32_t *id);

/* gm_vocab_read - fill an empty table from the JSON text of an object of token ids, each put, and
 * *n_ids = highest id + 1. Errors: MODEL, FORMAT, NOMEM; messages name `path`. */
enum gm_status gm_vocab_read(struct gm_vocab *v, struct gm_str json, size_t *n_ids,
                             const char *path, struct gm_error *err) GM_NODISCARD;

/* gm_vocab_longest_prefix - length in bytes of the longest prefix of `s` that is in the table and
 * ends between two code points, and its id; 0 when there is none. Cost O(min(s.n, v->longest)). */
size_t gm_vocab_longest_prefix(const struct gm_vocab *v, struct gm_str s, int32_t *id);

#endif
