/* BPE: a stretch starts as its code points; of all neighbours that have a merge, those with the
 * lowest rank are joined, the leftmost first, until none is left.
 * Source: Sennrich, Haddow, Birch, ACL 2016. The queue and its stale entries are handled as in the
 * `tokenizers` library, which in odd vocabularies decides the result.
 *
 * fastBPE (BERTweet) has a vocabulary of pieces as they come out, "x@@" within a word, and merges of pieces that need
 * not be in it, "</w>" behind the last. All neighbours of the lowest rank are joined before the next rank is looked
 * for, as transformers' BertweetTokenizer does it (layouts.h). */
#include "base/alloc.h"
#include "base/utf8.h"
#include "tokenizer/merges.h"
#include "tokenizer/token_model.h"

#include <stdio.h>
#include <string.h>

enum { N_QUICK = 0x180, MAX_AFFIX = 64 }; /* the alphabet of bytes ends at U+0143 */

struct bpe {
    struct gm_tokens base; /* first */
    struct gm_merges merges;
    bool fuse_unk, byte_fallback, ignore_merges;
    char prefix[MAX_AFFIX], suffix[MAX_AFFIX]; /* of inner code points; of the last one */
    size_t n_prefix, n_suffix;
    int32_t quick[N_QUICK]; /* ids of code points by themselves; -1 = none */
    int32_t bytes[256];     /* ids of "<0x00>" .. "<0xFF>"; -1 = none */
    bool is_fast;           /* fastBPE */
    struct gm_vocab inner;  /* of its merges: numbers of all pieces there are on the way */
};

/* A token of the stretch on its way; joined ones have length 0 in their right half. */
struct symbol {
    int32_t id;
    uint32_t len;
    uint32_t prev, next; /* UINT32_MAX = none */
};

struct job {
    uint32_t rank, at; /* join the symbol at `at` with its right neighbour */
    int32_t id;
};

/* The stretch and the jobs, a binary heap with the lowest rank, then place on top. */
struct word {
    const struct bpe *bpe;
    struct symbol *symbols; /* [n] */
    struct job *heap;       /* [n_heap]; a job for each neighbourhood there ever is: 3n at most */
    uint32_t *joined;       /* [n_joined] of fastBPE: symbols that this rank joined */
    size_t n, n_heap, n_joined;
};

static void bpe_free(void *self)
{
    struct bpe *b = self;
    if (!b)
        return;
    gm_vocab_clear(&b->base.vocab);
    gm_vocab_clear(&b->inner);
    gm_merges_clear(&b->merges);
    gm_free(b);
}

/* ---- loading ---- */

static enum gm_status read_affix(const struct gm_json *model, const char *key, char *out, size_t *n,
                                 const char *path, struct gm_error *err)
{
    struct gm_str s = {0};
    gm_json_str(gm_json_get(model, key), &s);
    if (s.n > MAX_AFFIX)
        return GM_FAIL(err, GM_EMODEL, "%s: model.%s is longer than %d bytes", path, key,
                       MAX_AFFIX);
    if (s.n)
        memcpy(out, s.p, s.n);
    *n = s.n;
    return GM_OK;
}

static enum gm_status read_options(struct bpe *b, const struct gm_json *model, const char *path,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double dropout = 0;
    struct gm_str unk;
    gm_json_num(gm_json_get(model, "dropout"), &dropout);
    if (dropout != 0)
        return GM_FAIL(err, GM_EMODEL, "%s: model.dropout is not supported; set it to null", path);
    gm_json_bool(gm_json_get(model, "fuse_unk"), &b->fuse_unk);
    gm_json_bool(gm_json_get(model, "byte_fallback"), &b->byte_fallback);
    gm_json_bool(gm_json_get(model, "ignore_merges"), &b->ignore_merges);
    GM_TRY(read_affix(model, "continuing_subword_prefix", b->prefix, &b->n_prefix, path, err));
    GM_TRY(read_affix(model, "end_of_word_suffix", b->suffix, &b->n_suffix, path, err));
    b->base.unk = -1;
    if (!gm_json_str(gm_json_get(model, "unk_token"), &unk))
        return GM_OK;
    b->base.unk = gm_vocab_find(&b->base.vocab, unk);
    if (b->base.unk < 0)
        st = GM_FAIL(err, GM_EMODEL, "%s: the unknown token %.*s is not in model.vocab", path,
                     GM_STR_ARG(unk));
done:
    return st;
}

static enum gm_status bpe_load(void **self, const struct gm_json *model, struct gm_str vocab,
                               const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct bpe *b = gm_alloc(1, sizeof *b);
    *self = NULL;
    if (!b)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (!gm_str_starts(vocab, GM_STR("{"))) {
        st = GM_FAIL(err, GM_EMODEL, "%s: model.vocab must be an object of token ids", path);
        goto done;
    }
    GM_TRY(gm_vocab_read(&b->base.vocab, vocab, &b->base.n_ids, path, err));
    GM_TRY(read_options(b, model, path, err));
    GM_TRY(gm_merges_read(&b->merges, gm_json_get(model, "merges"), &b->base.vocab, b->n_prefix,
                          path, err));
    for (uint32_t cp = 0; cp < N_QUICK; cp++) {
        char text[4];
        b->quick[cp] = gm_vocab_find(&b->base.vocab, (struct gm_str){text, gm_utf8_put(cp, text)});
    }
    for (unsigned i = 0; i < 256; i++) {
        char name[8];
        int n = snprintf(name, sizeof name, "<0x%02X>", i);
        b->bytes[i] = gm_vocab_find(&b->base.vocab, (struct gm_str){name, (size_t)n});
    }
    *self = b;
    b = NULL;
done:
    bpe_free(b);
    return st;
}

static enum gm_status put_inner(struct gm_vocab *v, struct gm_str s, struct gm_error *err)
{
    return gm_vocab_find(v, s) >= 0 ? GM_OK : gm_vocab_put(v, s, (int32_t)v->n, err);
}

/* Numbers for the pieces of all merges, "a b", and for what they join to. */
static enum gm_status read_inner(struct bpe *b, const struct gm_json *merges, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf joined;
    gm_buf_init(&joined, 1 << 24);
    GM_TRY(gm_vocab_init(&b->inner, 3 * gm_json_count(merges) + 1, err));
    for (size_t i = 0; i < gm_json_count(merges); i++) {
        struct gm_str line = {0}, first, second;
        gm_json_str(gm_json_at(merges, i), &line);
        (void)gm_str_cut(line, ' ', &first, &second);
        gm_buf_reset(&joined);
        GM_TRY(gm_buf_add_str(&joined, first, err));
        GM_TRY(gm_buf_add_str(&joined, second, err));
        GM_TRY(put_inner(&b->inner, first, err));
        GM_TRY(put_inner(&b->inner, second, err));
        GM_TRY(put_inner(&b->inner, gm_buf_str(&joined), err));
    }
done:
    gm_buf_clear(&joined);
    return st;
}

static enum gm_status fast_load(void **self, const struct gm_json *model, struct gm_str vocab,
                                const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    static const char suffix[] = "</w>";
    const struct gm_json *merges = gm_json_get(model, "merges");
    struct bpe *b = gm_alloc(1, sizeof *b);
    *self = NULL;
    if (!b)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    b->is_fast = true;
    GM_TRY(gm_vocab_read(&b->base.vocab, vocab, &b->base.n_ids, path, err));
    GM_TRY(read_options(b, model, path, err));
    b->n_suffix = sizeof suffix - 1;
    memcpy(b->suffix, suffix, b->n_suffix);
    GM_TRY(read_inner(b, merges, err));
    GM_TRY(gm_merges_read(&b->merges, merges, &b->inner, 0, path, err));
    *self = b;
    b = NULL;
done:
    bpe_free(b);
    return st;
}

/* ---- cutting ---- */

static void add_symbol(struct word *w, int32_t id, size_t len)
{
    uint32_t i = (uint32_t)w->n++;
    w->symbols[i] = (struct symbol){id, (uint32_t)len, i ? i - 1 : UINT32_MAX, UINT32_MAX};
    if (i)
        w->symbols[i - 1].next = i;
}

/* The code point at s[at, end) as the vocabulary writes it, with its affixes. */
static struct gm_str spelling(const struct bpe *b, struct gm_str s, size_t at, size_t end,
                              char text[2 * MAX_AFFIX + 4])
{
    size_t n = 0;
    if (at > 0) {
        memcpy(text, b->prefix, b->n_prefix);
        n = b->n_prefix;
    }
    memcpy(text + n, s.p + at, end - at);
    n += end - at;
    if (end == s.n) {
        memcpy(text + n, b->suffix, b->n_suffix);
        n += b->n_suffix;
    }
    return (struct gm_str){text, n};
}

static bool add_bytes(struct word *w, struct gm_str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (w->bpe->bytes[(unsigned char)text.p[i]] < 0)
            return false;
    for (size_t i = 0; i < text.n; i++)
        add_symbol(w, w->bpe->bytes[(unsigned char)text.p[i]], 1);
    return true;
}

/* The stretch's code points. One that has no token is the unknown token, or falls out where the
 * model has none. */
static void add_chars(struct word *w, struct gm_str s)
{
    const struct bpe *b = w->bpe;
    char text[2 * MAX_AFFIX + 4];
    size_t unk_len = 0; /* of the unknown token that waits */
    bool plain = b->n_prefix == 0 && b->n_suffix == 0;
    for (size_t at = 0, end = 0; at < s.n; at = end) {
        uint32_t cp = gm_utf8_next(s, &end);
        bool quick = plain && cp < N_QUICK;
        struct gm_str t = quick ? gm_str_sub(s, at, end) : spelling(b, s, at, end, text);
        const struct gm_vocab *v = b->is_fast ? &b->inner : &b->base.vocab;
        int32_t id = quick ? b->quick[cp] : gm_vocab_find(v, t);
        if (id >= 0 || b->is_fast) { /* without a number it is joined to nothing */
            if (unk_len)
                add_symbol(w, b->base.unk, unk_len);
            unk_len = 0;
            add_symbol(w, id, end - at);
            continue;
        }
        if ((b->byte_fallback && add_bytes(w, t)) || b->base.unk < 0)
            continue;
        if (unk_len && !b->fuse_unk) {
            add_symbol(w, b->base.unk, unk_len);
            unk_len = 0;
        }
        unk_len += end - at;
    }
    if (unk_len)
        add_symbol(w, b->base.unk, unk_len);
}

static bool before(struct job a, struct job b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

/* The merge of a symbol with its right neighbour; NULL = none. */
static const struct gm_token_merge *merge_at(const struct word *w, uint32_t left)
{
    const struct symbol *a = &w->symbols[left];
    if (a->len == 0 || a->next == UINT32_MAX || a->id < 0 || w->symbols[a->next].id < 0)
        return NULL;
    return gm_merges_find(&w->bpe->merges, a->id, w->symbols[a->next].id);
}

static void push(struct word *w, uint32_t left)
{
    const struct gm_token_merge *m = merge_at(w, left);
    if (!m)
        return;
    struct job job = {m->rank, left, m->id};
    size_t i = w->n_heap++;
    for (; i > 0 && before(job, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = job;
}

static struct job pop(struct word *w)
{
    struct job top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->n_heap; i = child) {
        if (child + 1 < w->n_heap && before(w->heap[child + 1], w->heap[child]))
            child++;
        if (!before(w->heap[child], last))
            break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return top;
}

/* Join the symbol at `at` with its right neighbour. */
static void join_right(struct word *w, uint32_t at, int32_t id)
{
    struct symbol *a = &w->symbols[at], *b = &w->symbols[a->next];
    a->id = id;
    a->len += b->len;
    a->next = b->next;
    b->len = 0;
    if (a->next != UINT32_MAX)
        w->symbols[a->next].prev = at;
}

/* New neighbours of what was joined at `at`. */
static void push_around(struct word *w, uint32_t at)
{
    const struct symbol *a = &w->symbols[at];
    if (a->prev != UINT32_MAX)
        push(w, a->prev);
    if (a->next != UINT32_MAX)
        push(w, at);
}

static void merge_all(struct word *w)
{
    for (size_t i = 0; i + 1 < w->n; i++)
        push(w, (uint32_t)i);
    while (w->n_heap) {
        struct job job = pop(w);
        const struct gm_token_merge *m = merge_at(w, job.at);
        /* fastBPE: what a rank joined has new neighbours only when all of that rank is joined */
        bool is_last = w->bpe->is_fast && (!w->n_heap || w->heap[0].rank != job.rank);
        if (m && m->id == job.id) { /* else the pair has changed since */
            join_right(w, job.at, job.id);
            if (w->bpe->is_fast)
                w->joined[w->n_joined++] = job.at;
            else
                push_around(w, job.at);
        }
        for (size_t i = 0; i < w->n_joined && is_last; i++)
            push_around(w, w->joined[i]);
        w->n_joined = is_last ? 0 : w->n_joined;
    }
}

/* The id of the piece s[at, end) of a word as fastBPE's vocabulary writes it. */
static int32_t fast_id(const struct bpe *b, struct gm_str s, size_t at, size_t end)
{
    enum { LONGEST = 256 }; /* bytes; what is longer is no piece of any vocabulary */
    char text[LONGEST + 2];
    size_t n = end - at;
    if (n > LONGEST)
        return b->base.unk;
    memcpy(text, s.p + at, n);
    memcpy(text + n, "@@", 2);
    int32_t id = gm_vocab_find(&b->base.vocab, (struct gm_str){text, end < s.n ? n + 2 : n});
    return id < 0 ? b->base.unk : id;
}

static enum gm_status bpe_cut(const void *self, struct gm_str s, struct gm_cuts *out,
                              struct gm_error *err)
{
    const struct bpe *b = self;
    enum gm_status st = GM_OK;
    void *work;
    int32_t whole = b->ignore_merges ? gm_vocab_find(&b->base.vocab, s) : -1;
    if (whole >= 0)
        return gm_cuts_add(out, (struct gm_cut){whole, 0, s.n}, err);
    size_t most = b->byte_fallback ? s.n * (1 + b->n_prefix) + b->n_suffix : s.n;
    GM_TRY(gm_cuts_work(out, &work, most,
                        sizeof(struct symbol) + 3 * sizeof(struct job) + sizeof(uint32_t), err));
    struct word w = {.bpe = b, .symbols = work, .heap = (void *)((struct symbol *)work + most)};
    w.joined = (void *)(w.heap + 3 * most);
    add_chars(&w, s);
    merge_all(&w);
    /* Lengths count from the start also where code points fell out, as in the library. */
    for (size_t i = 0, at = 0; i < w.n; i++) {
        size_t end = at + w.symbols[i].len;
        int32_t id = b->is_fast ? fast_id(b, s, at, end) : w.symbols[i].id;
        if (w.symbols[i].len && end <= s.n)
            GM_TRY(gm_cuts_add(out, (struct gm_cut){id, at, end}, err));
        at = end;
    }
done:
    return st;
}

const struct gm_token_model gm_bpe = {
    .type = "BPE",
    .load = bpe_load,
    .free = bpe_free,
    .cut = bpe_cut,
};

const struct gm_token_model gm_fast_bpe = {
    .type = "fastBPE",
    .load = fast_load,
    .free = bpe_free,
    .cut = bpe_cut,
};
