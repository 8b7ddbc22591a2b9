/* Unigram: a stretch is cut into the pieces with the highest sum of scores (Viterbi). A code point
 * that is no piece by itself may stand for the unknown token, ten below the lowest score; unknown
 * ones in a row are one. With byte_fallback they become their bytes' tokens "<0x..>".
 * Source: Kudo, ACL 2018; sentencepiece's EncodeOptimized, whose order of sums and ties the
 * `tokenizers` library keeps, as this does. */
#include "base/alloc.h"
#include "base/json_scan.h"
#include "base/utf8.h"
#include "tokenizer/serde_number.h"
#include "tokenizer/token_model.h"
#include "tokenizer/trie.h"

#include <math.h>
#include <stdio.h>

struct unigram {
    struct gm_tokens base; /* first */
    struct gm_trie trie;
    double *scores; /* [n_ids] */
    double unk_score;
    bool byte_fallback;
    int32_t bytes[256]; /* ids of "<0x00>" .. "<0xFF>"; -1 = none */
};

/* The best path to one byte of the stretch. */
struct best {
    double score;
    int32_t id;     /* of the last piece */
    uint32_t start; /* where it starts; UINT32_MAX = no path yet */
};

static void unigram_free(void *self)
{
    struct unigram *u = self;
    if (!u)
        return;
    gm_vocab_clear(&u->base.vocab);
    gm_trie_clear(&u->trie);
    gm_free(u->scores);
    gm_free(u);
}

/* `text` is the list's JSON text, for the scores are read as the library reads them. */
static enum gm_status load_pieces(struct unigram *u, const struct gm_json *vocab,
                                  struct gm_str text, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_json_count(vocab), at = 0;
    double least = INFINITY;
    if (gm_json_kind(vocab) != GM_JSON_ARRAY || n == 0)
        return GM_FAIL(err, GM_EMODEL, "%s: model.vocab of a Unigram model must be a list", path);
    GM_TRY(gm_vocab_init(&u->base.vocab, n, err));
    u->scores = gm_alloc(n, sizeof *u->scores);
    if (!u->scores)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a vocabulary of %zu tokens", n);
    for (size_t i = 0; i < n; i++) {
        const struct gm_json *pair = gm_json_at(vocab, i);
        struct gm_str token, score;
        int32_t id;
        if (!gm_json_str(gm_json_at(pair, 0), &token) ||
            !gm_json_num(gm_json_at(pair, 1), &u->scores[i]) || !gm_scan_score(text, &at, &score))
            return GM_FAIL(err, GM_EMODEL, "%s: model.vocab[%zu] is not a token and its score",
                           path, i);
        u->scores[i] = gm_serde_number(score);
        GM_TRY(gm_token_id_check(&id, (long long)i, path, token, err));
        GM_TRY(gm_vocab_put(&u->base.vocab, token, id, err));
        least = u->scores[i] < least ? u->scores[i] : least;
    }
    u->base.n_ids = n;
    u->unk_score = least - 10;
done:
    return st;
}

static enum gm_status unigram_load(void **self, const struct gm_json *model, struct gm_str vocab,
                                   const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    long long unk = -1;
    struct unigram *u = gm_alloc(1, sizeof *u);
    *self = NULL;
    if (!u)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(load_pieces(u, gm_json_get(model, "vocab"), vocab, path, err));
    GM_TRY(gm_trie_build(&u->trie, &u->base.vocab, err));
    gm_json_bool(gm_json_get(model, "byte_fallback"), &u->byte_fallback);
    if (!gm_json_int(gm_json_get(model, "unk_id"), &unk) || unk < 0 ||
        (size_t)unk >= u->base.n_ids) {
        st = GM_FAIL(err, GM_EMODEL, "%s: model.unk_id must be the number of a token", path);
        goto done;
    }
    u->base.unk = (int32_t)unk;
    for (unsigned b = 0; b < 256; b++) {
        char name[8];
        int n = snprintf(name, sizeof name, "<0x%02X>", b);
        u->bytes[b] = gm_vocab_find(&u->base.vocab, (struct gm_str){name, (size_t)n});
    }
    *self = u;
    u = NULL;
done:
    unigram_free(u);
    return st;
}

static size_t char_bytes(unsigned char c) { return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4; }

static void relax(struct best *to, double score, int32_t id, size_t start)
{
    if (to->start == UINT32_MAX || score > to->score)
        *to = (struct best){score, id, (uint32_t)start};
}

/* best[i] of all places i between code points of the stretch. */
static void viterbi(const struct unigram *u, struct gm_str s, struct best *best)
{
    best[0].score = 0;
    for (size_t i = 1; i <= s.n; i++)
        best[i].start = UINT32_MAX;
    for (size_t at = 0, width; at < s.n; at += width) {
        double here = best[at].score;
        bool has_single = false;
        width = char_bytes((unsigned char)s.p[at]);
        for (size_t i = at, node = 0; i < s.n;) {
            node = gm_trie_child(&u->trie, (uint32_t)node, (unsigned char)s.p[i++]);
            if (node == 0)
                break;
            int32_t id = u->trie.nodes[node].id;
            if (id < 0)
                continue;
            relax(&best[i], u->scores[id] + here, id, at);
            has_single = has_single || i - at == width;
        }
        if (!has_single)
            relax(&best[at + width], u->unk_score + here, u->base.unk, at);
    }
}

/* Unknown bytes [start, end) of the stretch, as one token or as their bytes' tokens; the list is
 * being filled backwards. */
static enum gm_status add_unknown(const struct unigram *u, struct gm_str s, size_t start,
                                  size_t end, struct gm_cuts *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str text = gm_str_sub(s, start, end);
    int32_t id = gm_vocab_find(&u->base.vocab, text); /* the unknown token spelled out, for one */
    bool as_bytes = id < 0 && u->byte_fallback;
    for (size_t i = 0; i < text.n && as_bytes; i++)
        as_bytes = u->bytes[(unsigned char)text.p[i]] >= 0;
    if (!as_bytes)
        return gm_cuts_add(out, (struct gm_cut){id < 0 ? u->base.unk : id, start, end}, err);
    for (size_t i = text.n; i-- > 0 && st == GM_OK;)
        st = gm_cuts_add(out, (struct gm_cut){u->bytes[(unsigned char)text.p[i]], start, end}, err);
    return st;
}

static enum gm_status unigram_cut(const void *self, struct gm_str s, struct gm_cuts *out,
                                  struct gm_error *err)
{
    const struct unigram *u = self;
    enum gm_status st = GM_OK;
    void *work;
    size_t n_before = out->n;
    GM_TRY(gm_cuts_work(out, &work, s.n + 1, sizeof(struct best), err));
    struct best *best = work;
    viterbi(u, s, best);
    for (size_t end = s.n; end > 0;) {
        size_t start = best[end].start;
        if (best[end].id != u->base.unk) {
            GM_TRY(gm_cuts_add(out, (struct gm_cut){best[end].id, start, end}, err));
            end = start;
            continue;
        }
        while (start > 0 && best[start].id == u->base.unk)
            start = best[start].start;
        GM_TRY(add_unknown(u, s, start, end, out, err));
        end = start;
    }
    for (size_t a = n_before, b = out->n; a + 1 < b; a++) {
        struct gm_cut c = out->items[a];
        out->items[a] = out->items[--b];
        out->items[b] = c;
    }
done:
    return st;
}

const struct gm_token_model gm_unigram = {
    .type = "Unigram",
    .unknown_has_text = true,
    .load = unigram_load,
    .free = unigram_free,
    .cut = unigram_cut,
};
