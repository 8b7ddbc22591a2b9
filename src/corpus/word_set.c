#include "corpus/word_set.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "text/segment.h"
#include "text/unicode.h"

#include <stdlib.h>

/* The next word from *pos; empty at the end. */
static struct gm_str next_word(struct gm_str s, size_t *pos)
{
    while (*pos < s.n && !gm_is_word_byte(s.p[*pos]))
        ++*pos;
    size_t from = *pos;
    while (*pos < s.n && gm_is_word_byte(s.p[*pos]))
        ++*pos;
    return gm_str_sub(s, from, *pos);
}

static uint64_t lower_hash(struct gm_str word)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < word.n; i++) {
        unsigned char c = (unsigned char)word.p[i];
        h = (h ^ (c >= 'A' && c <= 'Z' ? c | 32u : c)) * 0x100000001b3u;
    }
    return h;
}

/* What follows the scheme of "https://t.co/abc", whole or cut into words, up to its code; of another address,
 * which is known only where it is whole, all up to white space or a letter that is not ASCII. */
static void skip_address(struct gm_str s, size_t *pos)
{
    size_t at = *pos;
    bool is_whole = gm_str_starts(gm_str_sub(s, at, s.n), GM_STR("://"));
    if (gm_str_eq_c(next_word(s, &at), "t") && gm_str_eq_c(next_word(s, &at), "co")) {
        (void)next_word(s, &at);
        *pos = at;
    } else {
        while (is_whole && *pos < s.n && s.p[*pos] > ' ' && s.p[*pos] < 0x7f)
            ++*pos;
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

struct reading {
    struct gm_buf *hashes;
    uint64_t exact;
};

static enum gm_status add_word(struct reading *r, struct gm_str word, struct gm_error *err)
{
    uint64_t h = lower_hash(word);
    r->exact = gm_hash64(r->exact ^ h) + h;
    return gm_buf_add(r->hashes, &h, sizeof h, err);
}

static bool is_unspaced(struct gm_str s)
{
    for (size_t at = 0; at < s.n;)
        if ((unsigned char)s.p[at] < 0x80)
            at++;
        else if (gm_cp_unspaced(gm_utf8_next(s, &at)) != GM_SPACED)
            return true;
    return false;
}

/* What stands between spaces and ASCII punctuation: a word, or where no spaces are those that a tagger sees. */
static enum gm_status add_run(struct reading *r, struct gm_str run, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_word *words;
    size_t n;
    if (!is_unspaced(run))
        return add_word(r, run, err);
    gm_arena_init(&a, 0);
    GM_TRY(gm_segment(run, GM_CUT_CHARACTERS, &a, &words, &n, err));
    for (size_t i = 0; i < n; i++)
        GM_TRY(add_word(r, gm_str_sub(run, words[i].start, words[i].end), err));
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_word_set_read(struct gm_str text, struct gm_buf *hashes, size_t *n,
                                uint64_t *exact, struct gm_error *err)
{
    size_t pos = 0, from = hashes->n;
    struct reading r = {.hashes = hashes};
    *n = 0;
    for (;;) {
        struct gm_str word = next_word(text, &pos);
        if (word.n == 0)
            break;
        if (gm_str_eq_c(word, "http") || gm_str_eq_c(word, "https")) {
            skip_address(text, &pos);
            continue;
        }
        enum gm_status st = add_run(&r, word, err);
        if (st != GM_OK)
            return st;
    }
    *exact = r.exact;
    uint64_t *v = hashes->p ? (uint64_t *)(void *)(hashes->p + from) : NULL;
    size_t all = (hashes->n - from) / sizeof *v;
    if (all)
        qsort(v, all, sizeof *v, by_value);
    for (size_t i = 0; i < all; i++)
        if (i == 0 || v[i] != v[i - 1])
            v[(*n)++] = v[i];
    hashes->n = from + *n * sizeof *v;
    return GM_OK;
}

static double jaccard(const struct gm_word_set *a, const struct gm_word_set *b)
{
    const uint64_t *x = a->words, *y = b->words;
    size_t i = 0, k = 0, both = 0;
    while (i < a->n && k < b->n) {
        both += x[i] == y[k];
        if (x[i] <= y[k])
            k += x[i++] == y[k];
        else
            k++;
    }
    size_t either = a->n + b->n - both;
    return either ? (double)both / (double)either : 0;
}

bool gm_word_set_alike(const struct gm_word_set *a, const struct gm_word_set *b, double least,
                       double *similarity, bool *is_exact)
{
    *is_exact = a->exact == b->exact && a->n == b->n;
    *similarity = *is_exact ? 1 : jaccard(a, b);
    return *is_exact ||
           (*similarity >= least && a->n >= GM_WORD_SET_MIN && b->n >= GM_WORD_SET_MIN);
}
