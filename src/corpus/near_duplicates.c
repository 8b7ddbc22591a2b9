#include "corpus/near_duplicates.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"
#include "corpus/word_set.h"

/* Boilerplate makes crowded buckets; a few looks tell whether a text is new, and keep time linear. */
enum { N_BANDS = 16, N_ROWS = 4, N_HASHES = N_BANDS * N_ROWS, MAX_LOOKS = 32 };

struct text {
    size_t post;
    uint64_t exact;        /* of the words in order */
    size_t words, n_words; /* sorted set of word hashes: [words, words + n_words) of near.words */
    uint64_t bands[N_BANDS];
};

struct entry {
    uint64_t key;  /* of a band, or of the exact text */
    uint32_t text; /* + 1; 0 = free */
    uint32_t next; /* further entry of the key, + 1; 0 = none */
};

struct gm_near_duplicates {
    double similarity;
    struct gm_buf words; /* uint64_t */
    struct gm_buf texts; /* struct text */
    size_t n_indexed;    /* of texts */
    struct gm_buf entries;
    uint32_t *slots; /* [n_slots] first entry of a key, + 1 */
    size_t n_slots;
};

enum gm_status gm_near_duplicates_new(struct gm_near_duplicates **out, double similarity,
                                      struct gm_error *err)
{
    struct gm_near_duplicates *n = gm_alloc(1, sizeof *n);
    *out = n;
    if (!n)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    n->similarity = similarity;
    gm_buf_init(&n->words, SIZE_MAX / 2);
    gm_buf_init(&n->texts, SIZE_MAX / 2);
    gm_buf_init(&n->entries, (size_t)UINT32_MAX * sizeof(struct entry));
    return GM_OK;
}

void gm_near_duplicates_free(struct gm_near_duplicates *n)
{
    if (!n)
        return;
    gm_buf_clear(&n->words);
    gm_buf_clear(&n->texts);
    gm_buf_clear(&n->entries);
    gm_free(n->slots);
    gm_free(n);
}

/* Row k's hash of a word is a mix of the word's with k; its least is the row's. */
static void sign(const struct gm_near_duplicates *n, struct text *t)
{
    const uint64_t *v = (const uint64_t *)(const void *)n->words.p + t->words;
    for (size_t band = 0; band < N_BANDS; band++) {
        uint64_t key = band;
        for (size_t row = 0; row < N_ROWS; row++) {
            uint64_t least = UINT64_MAX, salt = gm_hash64(band * N_ROWS + row + 1);
            for (size_t i = 0; i < t->n_words; i++) {
                uint64_t h = gm_hash64(v[i] ^ salt);
                least = h < least ? h : least;
            }
            key = gm_hash64(key ^ least);
        }
        t->bands[band] = key;
    }
}

static struct gm_word_set set_of(const struct gm_near_duplicates *n, const struct text *t)
{
    const uint64_t *v = (const void *)n->words.p;
    return (struct gm_word_set){v + t->words, t->n_words, t->exact};
}

static uint32_t *slot_of(const struct gm_near_duplicates *n, uint64_t key)
{
    const struct entry *e = (const void *)n->entries.p;
    size_t i = gm_hash64(key) & (n->n_slots - 1);
    while (n->slots[i] && e[n->slots[i] - 1].key != key)
        i = (i + 1) & (n->n_slots - 1);
    return &n->slots[i];
}

/* The best of the texts in the bucket of `key`. */
static void look(const struct gm_near_duplicates *n, uint64_t key, const struct text *t,
                 struct gm_near_duplicates_match *match)
{
    const struct entry *e = (const void *)n->entries.p;
    const struct text *texts = (const void *)n->texts.p;
    if (!n->n_slots)
        return;
    uint32_t at = *slot_of(n, key);
    for (size_t looks = 0; at && looks < MAX_LOOKS; at = e[at - 1].next, looks++) {
        const struct text *other = &texts[e[at - 1].text - 1];
        struct gm_word_set mine = set_of(n, t), its = set_of(n, other);
        double similarity;
        bool exact;
        if (gm_word_set_alike(&mine, &its, n->similarity, &similarity, &exact) &&
            (match->post == SIZE_MAX || (exact && !match->is_exact) ||
             similarity > match->similarity))
            *match = (struct gm_near_duplicates_match){other->post, similarity, exact};
    }
}

/* The words of a text are put behind those of the others. */
static enum gm_status read_text(struct gm_near_duplicates *n, struct gm_str text, struct text *t,
                                struct gm_near_duplicates_match *match, struct gm_error *err)
{
    *match = (struct gm_near_duplicates_match){.post = SIZE_MAX};
    t->words = n->words.n / sizeof(uint64_t);
    enum gm_status st = gm_word_set_read(text, &n->words, &t->n_words, &t->exact, err);
    if (st != GM_OK || t->n_words == 0)
        return st;
    sign(n, t);
    for (size_t band = 0; band < N_BANDS; band++)
        look(n, t->bands[band], t, match);
    return GM_OK;
}

enum gm_status gm_near_duplicates_add(struct gm_near_duplicates *n, struct gm_str text, size_t post,
                                      struct gm_near_duplicates_match *match, struct gm_error *err)
{
    struct text t = {.post = post};
    enum gm_status st = read_text(n, text, &t, match, err);
    if (st == GM_OK && t.n_words)
        st = gm_buf_add(&n->texts, &t, sizeof t, err);
    return st;
}

enum gm_status gm_near_duplicates_find(struct gm_near_duplicates *n, struct gm_str text,
                                       struct gm_near_duplicates_match *match, struct gm_error *err)
{
    struct text t = {.post = SIZE_MAX};
    size_t before = n->words.n;
    enum gm_status st = read_text(n, text, &t, match, err);
    n->words.n = before;
    return st;
}

/* Slots for what is there and what comes, at most half full. */
static enum gm_status grow(struct gm_near_duplicates *n, size_t n_entries, struct gm_error *err)
{
    const struct entry *e = (const void *)n->entries.p;
    size_t n_slots = n->n_slots ? n->n_slots : 1024, old = n->entries.n / sizeof *e;
    while (n_slots / 2 < n_entries)
        n_slots *= 2;
    if (n_slots == n->n_slots)
        return GM_OK;
    uint32_t *slots = gm_alloc(n_slots, sizeof *slots);
    if (!slots)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu texts",
                       n->texts.n / sizeof(struct text));
    gm_free(n->slots);
    n->slots = slots;
    n->n_slots = n_slots;
    /* The newest entry of a key heads its chain, so that going backwards keeps the chains. */
    for (size_t i = old; i-- > 0;) {
        uint32_t *slot = slot_of(n, e[i].key);
        if (!*slot)
            *slot = (uint32_t)i + 1;
    }
    return GM_OK;
}

enum gm_status gm_near_duplicates_next_file(struct gm_near_duplicates *n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct text *texts = (const void *)n->texts.p;
    size_t n_texts = n->texts.n / sizeof *texts;
    if (n_texts > UINT32_MAX / N_BANDS - 1)
        return GM_FAIL(err, GM_ENOMEM, "too many texts to look for near-duplicates in");
    GM_TRY(grow(n, n_texts * N_BANDS, err));
    for (; n->n_indexed < n_texts; n->n_indexed++)
        for (size_t band = 0; band < N_BANDS; band++) {
            uint64_t key = texts[n->n_indexed].bands[band];
            uint32_t *slot = slot_of(n, key);
            struct entry e = {key, (uint32_t)n->n_indexed + 1, *slot};
            GM_TRY(gm_buf_add(&n->entries, &e, sizeof e, err));
            *slot = (uint32_t)(n->entries.n / sizeof e);
        }
done:
    return st;
}
