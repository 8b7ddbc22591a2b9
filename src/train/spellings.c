/* spellings.c - each way below is taken or not by itself, with the probabilities of `chance`; they are what
 * reads like tweets, not fitted to any. A post where none is taken stays as it is. */
#include "train/spellings.h"

#include "base/utf8.h"

#include <ctype.h>
#include <string.h>

static const struct {
    double retweet, hash, name, plain, upper, lower, name_upper, cut, lost;
} chance = {
    .retweet = 0.25,   /* "RT @user:" in front */
    .hash = 0.5,       /* some words of the post are hashtags: */
    .name = 0.6,       /*   an entity is */
    .plain = 0.06,     /*   a word that is none is, or two joined */
    .upper = 0.1,      /* the whole post in capitals */
    .lower = 0.15,     /* the whole post in small letters */
    .name_upper = 0.1, /* an entity in capitals */
    .cut = 0.25,       /* the end is cut off, with "…" */
    .lost = 0.15,      /* what is not ASCII has become "?" */
};

enum { LONGEST_HASHTAG = 40, LEAST_LEFT = 6, LEAST_PLAIN = 4 };
#define ELLIPSIS "\xE2\x80\xA6"

struct speller {
    struct gm_rng *rng;
    struct gm_arena *a;
    struct gm_spelling x; /* the post as it is so far; room for `cap` words */
    size_t cap;
};

static bool takes(struct speller *s, double chance_of_it)
{
    return gm_rng_uniform(s->rng) < chance_of_it;
}

/* ---- lists of words ---- */

static enum gm_status list_new(struct speller *s, size_t cap, struct gm_error *err)
{
    s->x = (struct gm_spelling){.words = gm_arena_alloc(s->a, cap, sizeof *s->x.words),
                                .places = gm_arena_alloc(s->a, cap, 1),
                                .sources = gm_arena_alloc(s->a, cap, sizeof *s->x.sources)};
    s->cap = cap;
    return s->x.words && s->x.places && s->x.sources ? GM_OK
                                                     : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* The caller has made room. */
static void put(struct speller *s, struct gm_str word, enum gm_spelling_place place, size_t source)
{
    size_t i = s->x.n++;
    s->x.words[i] = word;
    s->x.places[i] = (uint8_t)place;
    s->x.sources[i] = source;
}

/* ---- letters ---- */

static char to_upper(char c) { return (char)toupper((unsigned char)c); }
static char to_lower(char c) { return (char)tolower((unsigned char)c); }

/* Word w with each ASCII letter changed by fn. */
static enum gm_status change(struct speller *s, size_t w, char (*fn)(char), struct gm_error *err)
{
    struct gm_str from = s->x.words[w];
    char *p = gm_arena_alloc(s->a, from.n, 1);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < from.n; i++)
        p[i] = (unsigned char)from.p[i] < 0x80 ? fn(from.p[i]) : from.p[i];
    s->x.words[w] = (struct gm_str){p, from.n};
    return GM_OK;
}

static enum gm_status change_case(struct speller *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool upper = takes(s, chance.upper), lower = !upper && takes(s, chance.lower);
    bool name = false;
    for (size_t w = 0; w < s->x.n && st == GM_OK; w++) {
        if (s->x.places[w] == GM_BEGINS)
            name = takes(s, chance.name_upper);
        bool inside = s->x.places[w] != GM_OUTSIDE;
        if (upper || lower || (inside && name))
            st = change(s, w, lower ? to_lower : to_upper, err);
    }
    return st;
}

/* ---- hashtags ---- */

static bool is_alnum(struct gm_str w)
{
    for (size_t i = 0; i < w.n; i++)
        if ((unsigned char)w.p[i] < 0x80 && !isalnum((unsigned char)w.p[i]))
            return false;
    return w.n > 0;
}

/* Words [from, to) joined, without their punctuation: DonaldTrump, donaldtrump, DONALDTRUMP. Empty where that
 * is no hashtag. */
static enum gm_status join(struct speller *s, const struct gm_str *words, size_t from, size_t to,
                           struct gm_str *out, struct gm_error *err)
{
    char joined[LONGEST_HASHTAG];
    size_t n = 0, n_digits = 0, way = gm_rng_below(s->rng, 10);
    *out = GM_STR("");
    for (size_t w = from; w < to; w++) {
        if (!is_alnum(words[w]))
            continue;
        if (n + words[w].n > sizeof joined)
            return GM_OK;
        for (size_t i = 0; i < words[w].n; i++, n++) {
            char c = words[w].p[i];
            bool ascii = (unsigned char)c < 0x80;
            n_digits += ascii && isdigit((unsigned char)c);
            joined[n] = !ascii                    ? c
                        : way < 3                 ? to_lower(c)
                        : way < 4                 ? to_upper(c)
                        : i == 0 && to > from + 1 ? to_upper(c)
                                                  : c;
        }
    }
    if (n < 2 || n_digits == n)
        return GM_OK;
    *out = gm_arena_str(s->a, (struct gm_str){joined, n});
    return out->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* The words from `w` on that would become one hashtag: an entity, or plain words. */
static size_t hashed_end(struct speller *s, const struct gm_spelling *was, size_t w)
{
    size_t end = w + 1;
    if (was->places[w] == GM_BEGINS) {
        while (end < was->n && was->places[end] == GM_CONTINUES)
            end++;
        return takes(s, chance.name) ? end : w;
    }
    if (was->places[w] != GM_OUTSIDE || was->words[w].n < LEAST_PLAIN || !is_alnum(was->words[w]) ||
        !takes(s, chance.plain))
        return w;
    if (end < was->n && was->places[end] == GM_OUTSIDE && is_alnum(was->words[end]) &&
        takes(s, 0.5))
        end++;
    return end;
}

static bool is_marked(const struct gm_spelling *was, size_t w)
{
    return w > 0 && (gm_str_eq_c(was->words[w - 1], "#") || gm_str_eq_c(was->words[w - 1], "@"));
}

static enum gm_status hash_words(struct speller *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_spelling was = s->x;
    GM_TRY(list_new(s, 2 * was.n, err));
    for (size_t w = 0; w < was.n;) {
        struct gm_str tag = GM_STR("");
        size_t end = is_marked(&was, w) ? w : hashed_end(s, &was, w);
        if (end > w)
            GM_TRY(join(s, was.words, w, end, &tag, err));
        if (tag.n) {
            put(s, GM_STR("#"), GM_OUTSIDE, GM_SPELLING_NEW);
            put(s, tag, was.places[w], was.sources[w]);
            w = end;
        } else {
            put(s, was.words[w], was.places[w], was.sources[w]);
            w++;
        }
    }
done:
    return st;
}

/* ---- the post's ends ---- */

static enum gm_status add_retweet(struct speller *s, const struct gm_str *users, size_t n_users,
                                  struct gm_error *err)
{
    struct gm_spelling was = s->x;
    enum gm_status st = list_new(s, was.n + 4, err);
    if (st != GM_OK)
        return st;
    put(s, GM_STR("RT"), GM_OUTSIDE, GM_SPELLING_NEW);
    put(s, GM_STR("@"), GM_OUTSIDE, GM_SPELLING_NEW);
    put(s, users[gm_rng_below(s->rng, n_users)], GM_OUTSIDE, GM_SPELLING_NEW);
    put(s, GM_STR(":"), GM_OUTSIDE, GM_SPELLING_NEW);
    for (size_t w = 0; w < was.n; w++)
        put(s, was.words[w], was.places[w], was.sources[w]);
    return GM_OK;
}

/* The post ends within a word of its second half. */
static enum gm_status cut_end(struct speller *s, struct gm_error *err)
{
    struct gm_spelling was = s->x;
    if (was.n < LEAST_LEFT)
        return GM_OK;
    size_t last = was.n / 2 + gm_rng_below(s->rng, was.n - was.n / 2);
    struct gm_str word = was.words[last];
    size_t left = gm_utf8_offset(word, 1 + gm_rng_below(s->rng, gm_utf8_count(word)));
    enum gm_status st = list_new(s, last + 2, err);
    if (st != GM_OK)
        return st;
    for (size_t w = 0; w < last; w++)
        put(s, was.words[w], was.places[w], was.sources[w]);
    /* what is left of a name may be too little to be one */
    bool is_name = was.places[last] == GM_CONTINUES || 2 * left >= word.n;
    put(s, gm_str_sub(word, 0, left), is_name ? was.places[last] : GM_OUTSIDE,
        is_name ? was.sources[last] : GM_SPELLING_NEW);
    put(s, GM_STR(ELLIPSIS), GM_OUTSIDE, GM_SPELLING_NEW);
    return GM_OK;
}

/* ---- what is lost ---- */

/* Every word that is no ASCII at all is "?", and so is every such letter of a word. */
static enum gm_status lose(struct speller *s, struct gm_error *err)
{
    for (size_t w = 0; w < s->x.n; w++) {
        struct gm_str word = s->x.words[w];
        size_t n = 0, n_lost = 0;
        char *p = gm_arena_alloc(s->a, word.n, 1);
        if (!p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        for (size_t i = 0; i < word.n;) {
            uint32_t cp = gm_utf8_next(word, &i);
            n_lost += cp >= 0x80;
            p[n++] = cp < 0x80 ? (char)cp : '?';
        }
        if (n_lost && n_lost == n)
            s->x.words[w] = GM_STR("?");
        else if (n_lost)
            s->x.words[w] = (struct gm_str){p, n};
    }
    return GM_OK;
}

enum gm_status gm_spell(const struct gm_str *words, const uint8_t *places, size_t n,
                        const struct gm_str *users, size_t n_users, struct gm_rng *rng,
                        struct gm_arena *a, struct gm_spelling *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct speller s = {.rng = rng, .a = a};
    GM_TRY(list_new(&s, n, err));
    for (size_t w = 0; w < n; w++)
        put(&s, words[w], places[w], w);
    if (takes(&s, chance.hash))
        GM_TRY(hash_words(&s, err));
    GM_TRY(change_case(&s, err));
    if (n_users && takes(&s, chance.retweet))
        GM_TRY(add_retweet(&s, users, n_users, err));
    if (takes(&s, chance.cut))
        GM_TRY(cut_end(&s, err));
    if (takes(&s, chance.lost))
        GM_TRY(lose(&s, err));
    *out = s.x;
done:
    return st;
}
