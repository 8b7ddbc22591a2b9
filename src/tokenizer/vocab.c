#include "tokenizer/vocab.h"

#include "base/alloc.h"
#include "base/json_scan.h"
#include "tokenizer/token_model.h"

#include <string.h>

struct gm_vocab_slot {
    uint32_t check; /* upper half of the hash: most misses end here, without touching the entry */
    uint32_t entry; /* index + 1; 0 = free */
};

struct gm_vocab_entry {
    uint32_t at, len; /* of `bytes` */
    int32_t id;
};

/* FNV-1a by steps, as gm_str_hash: the hash of a prefix is a stage of the whole string's. */
static const uint64_t HASH_START = 0xcbf29ce484222325u;
static uint64_t hash_step(uint64_t h, char c) { return (h ^ (unsigned char)c) * 0x100000001b3u; }

enum gm_status gm_vocab_init(struct gm_vocab *v, size_t cap, struct gm_error *err)
{
    *v = (struct gm_vocab){.n_slots = 16, .cap = cap};
    gm_buf_init(&v->bytes, UINT32_MAX / 2);
    while (v->n_slots / 2 < cap && v->n_slots <= UINT32_MAX / 2)
        v->n_slots *= 2;
    v->slots = gm_alloc(v->n_slots, sizeof *v->slots);
    v->entries = gm_alloc(cap, sizeof *v->entries);
    if (v->slots && v->entries && v->n_slots / 2 >= cap)
        return GM_OK;
    gm_vocab_clear(v);
    return GM_FAIL(err, GM_ENOMEM, "out of memory for a vocabulary of %zu tokens", cap);
}

void gm_vocab_clear(struct gm_vocab *v)
{
    gm_free(v->slots);
    gm_free(v->entries);
    gm_buf_clear(&v->bytes);
    *v = (struct gm_vocab){0};
}

/* The slot that holds the string of hash `h`, or the free one where it belongs. */
static struct gm_vocab_slot *find_slot(const struct gm_vocab *v, struct gm_str s, uint64_t h)
{
    for (size_t i = (size_t)h & (v->n_slots - 1);; i = (i + 1) & (v->n_slots - 1)) {
        struct gm_vocab_slot *slot = &v->slots[i];
        if (slot->entry == 0)
            return slot;
        if (slot->check != h >> 32)
            continue;
        const struct gm_vocab_entry *e = &v->entries[slot->entry - 1];
        if (gm_str_eq(s, (struct gm_str){v->bytes.p + e->at, e->len}))
            return slot;
    }
}

enum gm_status gm_vocab_put(struct gm_vocab *v, struct gm_str s, int32_t id, struct gm_error *err)
{
    uint64_t h = gm_str_hash(s);
    struct gm_vocab_slot *slot = find_slot(v, s, h);
    if (slot->entry) {
        v->entries[slot->entry - 1].id = id;
        return GM_OK;
    }
    if (v->n == v->cap)
        return GM_FAIL(err, GM_ENOMEM, "a vocabulary of over %zu tokens", v->cap);
    size_t at = v->bytes.n;
    enum gm_status st = gm_buf_add_str(&v->bytes, s, err);
    if (st != GM_OK)
        return st;
    v->entries[v->n++] = (struct gm_vocab_entry){(uint32_t)at, (uint32_t)s.n, id};
    *slot = (struct gm_vocab_slot){(uint32_t)(h >> 32), (uint32_t)v->n};
    if (s.n > v->longest)
        v->longest = s.n;
    return GM_OK;
}

int32_t gm_vocab_find(const struct gm_vocab *v, struct gm_str s)
{
    const struct gm_vocab_slot *slot = find_slot(v, s, gm_str_hash(s));
    return slot->entry ? v->entries[slot->entry - 1].id : -1;
}

struct gm_str gm_vocab_at(const struct gm_vocab *v, size_t i, int32_t *id)
{
    const struct gm_vocab_entry *e = &v->entries[i];
    *id = e->id;
    return (struct gm_str){v->bytes.p + e->at, e->len};
}

enum gm_status gm_vocab_read(struct gm_vocab *v, struct gm_str json, size_t *n_ids,
                             const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf scratch;
    struct gm_scan_pairs pairs = {.text = json, .key = &scratch};
    struct gm_str token;
    long long id_read;
    int32_t id;
    bool has;
    size_t n = 0;
    gm_buf_init(&scratch, 1 << 20);
    *n_ids = 0;
    for (size_t at = 0; (at = gm_str_find(json, GM_STR(":"), at)) != SIZE_MAX; at++)
        n++; /* each member has a colon */
    GM_TRY(gm_vocab_init(v, n, err));
    for (;;) {
        st = gm_scan_next(&pairs, &token, &id_read, &has, err);
        if (st == GM_EFORMAT)
            gm_error_prefix(err, "%s: model.vocab must be an object of token ids", path);
        if (st != GM_OK || !has)
            goto done;
        GM_TRY(gm_token_id_check(&id, id_read, path, token, err));
        GM_TRY(gm_vocab_put(v, token, id, err));
        if ((size_t)id >= *n_ids)
            *n_ids = (size_t)id + 1;
    }
done:
    gm_buf_clear(&scratch);
    return st;
}

size_t gm_vocab_longest_prefix(const struct gm_vocab *v, struct gm_str s, int32_t *id)
{
    size_t best = 0, end = s.n < v->longest ? s.n : v->longest;
    uint64_t h = HASH_START;
    for (size_t i = 0; i < end; i++) {
        h = hash_step(h, s.p[i]);
        if (i + 1 < s.n && ((unsigned char)s.p[i + 1] & 0xC0) == 0x80)
            continue; /* within a code point */
        const struct gm_vocab_slot *slot = find_slot(v, (struct gm_str){s.p, i + 1}, h);
        if (slot->entry) {
            best = i + 1;
            *id = v->entries[slot->entry - 1].id;
        }
    }
    return best;
}
