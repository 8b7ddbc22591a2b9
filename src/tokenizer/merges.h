/* merges.h - which pairs of tokens a byte-pair encoding joins, and in what order. Built once, read
 * from many threads. Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_MERGES_H
#define GM_TOKENIZER_MERGES_H

#include "base/json.h"
#include "tokenizer/vocab.h"

struct gm_token_merge {
    int32_t a, b;  /* a -1 = a free slot of the table */
    int32_t id;    /* of the joined token */
    uint32_t rank; /* lower is earlier */
};

struct gm_merges {
    struct gm_token_merge *slots; /* [n_slots], a power of two, at most half full */
    size_t n_slots;
};

/* gm_merges_read - from "model.merges": a list of "a b" or ["a", "b"]; the token joined of a and b
 * is spelled a, then b without its first prefix_bytes. Errors: MODEL, NOMEM. */
enum gm_status gm_merges_read(struct gm_merges *m, const struct gm_json *list,
                              const struct gm_vocab *v, size_t prefix_bytes, const char *path,
                              struct gm_error *err) GM_NODISCARD;
void gm_merges_clear(struct gm_merges *m); /* a zeroed one is fine */

/* gm_merges_find - the merge of a and b; NULL = they stay apart. */
static inline const struct gm_token_merge *gm_merges_find(const struct gm_merges *m, int32_t a,
                                                          int32_t b)
{
    uint64_t h = ((uint64_t)(uint32_t)a << 32 | (uint32_t)b) * 0x9E3779B97F4A7C15u;
    for (size_t i = (size_t)(h >> 32) & (m->n_slots - 1);; i = (i + 1) & (m->n_slots - 1)) {
        const struct gm_token_merge *slot = &m->slots[i];
        if (slot->a == a && slot->b == b)
            return slot;
        if (slot->a < 0)
            return NULL;
    }
}

#endif
