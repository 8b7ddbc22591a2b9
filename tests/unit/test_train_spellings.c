/* Other spellings of training posts: what each word was is known exactly, entities stay what they are, and
 * the same seed spells alike. */
#include "unit.h"

#include "train/spellings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const post[] = {
    "Yesterday", "J",   ".",    "K",      ".",       "Rowling", "and",        "Serena",
    "Williams",  "saw", "the",  "Dallas", "Stars",   "’",       "café",       "in",
    "London",    ",",   "with", "#",      "Ham4Ham", "fans",    "everywhere", "today"};
static const char *const users[] = {"anna", "Bob_99"};
enum { N = sizeof post / sizeof *post };

/* Entities: J . K . Rowling, Serena Williams, Dallas Stars, London, Ham4Ham. */
static const uint8_t place[N] = {0, 1, 2, 2, 2, 2, 0, 1, 2, 0, 0, 1,
                                 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};

struct seen {
    int hashed, joined, retweets, cuts, lost, upper, lower, same;
};

static bool equal_fold(struct gm_str a, struct gm_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (tolower((unsigned char)a.p[i]) != tolower((unsigned char)b.p[i]))
            return false;
    return true;
}

/* The ASCII letters and digits of words [from, to): what no way of spelling changes but in case. */
static struct gm_str letters(const struct gm_str *w, size_t from, size_t to, char *out)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        for (size_t k = 0; k < w[i].n; k++)
            if (isalnum((unsigned char)w[i].p[k]))
                out[n++] = w[i].p[k];
    return (struct gm_str){out, n};
}

/* Every word is its source, in other letters, joined with what follows, cut or lost; entities begin where they
 * began. */
static void check(const struct gm_str *words, const struct gm_spelling *s, struct seen *seen)
{
    size_t next = 0; /* source that is due */
    assert_true(s->n > 0);
    for (size_t i = 0; i < s->n; i++) {
        size_t from = s->sources[i];
        char buf[256], own[256];
        if (from == GM_SPELLING_NEW) {
            assert_int_equal(s->places[i], GM_OUTSIDE);
            continue;
        }
        assert_true(from >= next && from < N);
        assert_true(from == next); /* none is left out but behind a cut */
        assert_int_equal(s->places[i], place[from]);
        size_t to = from + 1;
        bool last = i + 2 == s->n; /* what may be cut */
        struct gm_str word = letters(s->words, i, i + 1, own);
        if (i > 0 && gm_str_eq_c(s->words[i - 1], "#") && s->sources[i - 1] == GM_SPELLING_NEW) {
            seen->hashed++;
            while (to < N && !equal_fold(letters(words, from, to, buf), word))
                to++;
            seen->joined += to > from + 1;
            assert_true(last || equal_fold(letters(words, from, to, buf), word));
            if (place[from] == GM_BEGINS) /* as much as the whole entity */
                while (to < N && place[to] == GM_CONTINUES)
                    to++;
        } else {
            seen->lost += memchr(s->words[i].p, '?', s->words[i].n) != NULL;
            assert_true(last || equal_fold(letters(words, from, to, buf), word));
        }
        next = to;
    }
    seen->retweets += gm_str_eq_c(s->words[0], "RT");
    bool cut = gm_str_eq_c(s->words[s->n - 1], "…") || (gm_str_eq_c(s->words[s->n - 1], "?"));
    seen->cuts += cut;
    assert_true(cut || next == N);
}

static void post_words(struct gm_str *out)
{
    for (size_t i = 0; i < N; i++)
        out[i] = gm_str(post[i]);
}

static void any_seed(void **state)
{
    struct gm_str words[N], names[] = {gm_str(users[0]), gm_str(users[1])};
    struct seen seen = {0};
    struct gm_arena a;
    (void)state;
    post_words(words);
    gm_arena_init(&a, 0);
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct gm_rng rng;
        struct gm_spelling s;
        gm_rng_init(&rng, seed);
        gm_arena_reset(&a);
        assert_int_equal(gm_spell(words, place, N, names, 2, &rng, &a, &s, NULL), GM_OK);
        check(words, &s, &seen);
        bool same = s.n == N, upper = true, lower = true;
        for (size_t i = 0; i < s.n; i++)
            for (size_t k = 0; k < s.words[i].n; k++) {
                upper = upper && !islower((unsigned char)s.words[i].p[k]);
                lower = lower && !isupper((unsigned char)s.words[i].p[k]);
            }
        for (size_t i = 0; i < N && same; i++)
            same = gm_str_eq(s.words[i], words[i]);
        seen.same += same;
        seen.upper += upper;
        seen.lower += lower;
    }
    /* each way is there about as often as it should be */
    assert_in_range(seen.retweets, 400, 600);
    assert_in_range(seen.cuts, 400, 700);
    assert_in_range(seen.hashed, 2000, 5000);
    assert_true(seen.joined > 500 && seen.lost > 150 && seen.same > 200);
    assert_true(seen.upper > 50 && seen.lower > 50);
    gm_arena_clear(&a);
}

static void same_seed(void **state)
{
    struct gm_str words[N];
    struct gm_arena a;
    (void)state;
    post_words(words);
    gm_arena_init(&a, 0);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct gm_rng r1, r2;
        struct gm_spelling x, y;
        gm_rng_init(&r1, seed);
        gm_rng_init(&r2, seed);
        assert_int_equal(gm_spell(words, place, N, words, 1, &r1, &a, &x, NULL), GM_OK);
        assert_int_equal(gm_spell(words, place, N, words, 1, &r2, &a, &y, NULL), GM_OK);
        assert_int_equal(x.n, y.n);
        for (size_t i = 0; i < x.n; i++) {
            assert_true(gm_str_eq(x.words[i], y.words[i]));
            assert_int_equal(x.places[i], y.places[i]);
            assert_int_equal(x.sources[i], y.sources[i]);
        }
    }
    gm_arena_clear(&a);
}

/* Nobody to retweet, hardly a word, none at all, no memory. */
static void edges(void **state)
{
    struct gm_str one = GM_STR("London");
    uint8_t begins = GM_BEGINS;
    struct gm_arena a;
    (void)state;
    gm_arena_init(&a, 0);
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct gm_rng rng;
        struct gm_spelling s;
        gm_rng_init(&rng, seed);
        assert_int_equal(gm_spell(&one, &begins, 1, NULL, 0, &rng, &a, &s, NULL), GM_OK);
        assert_true(s.n == 1 || (s.n == 2 && gm_str_eq_c(s.words[0], "#")));
        assert_int_equal(s.places[s.n - 1], GM_BEGINS);
        assert_int_equal(gm_spell(NULL, NULL, 0, NULL, 0, &rng, &a, &s, NULL), GM_OK);
        assert_int_equal(s.n, 0);
    }
    gm_arena_clear(&a);
    struct gm_rng rng;
    struct gm_spelling s;
    struct gm_error err;
    gm_rng_init(&rng, 1);
    gm_arena_init(&a, 16);
    assert_int_equal(gm_spell(&one, &begins, 1, NULL, 0, &rng, &a, &s, &err), GM_ENOMEM);
    gm_arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_seed), cmocka_unit_test(same_seed),
                                       cmocka_unit_test(edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
