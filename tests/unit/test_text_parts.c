/* Parts of hashtags and handles: by case, by a toy model of words, and what holds for any text. */
#include "unit.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "text/parts.h"

#include <math.h>
#include <string.h>

/* Words with their costs; any other one is not known. */
static const struct {
    const char *word;
    double cost;
} words[] = {{"asia", 9},     {"got", 7},     {"talent", 10},   {"lady", 8}, {"gaga", 12},
             {"election", 8}, {"night", 7},   {"go", 6},        {"la", 7},   {"a", 4},
             {"the", 3},      {"rapist", 12}, {"therapist", 11}};

static double cost(const void *self, struct gm_str word)
{
    (void)self;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (gm_str_eq_c(word, words[i].word))
            return words[i].cost;
    return INFINITY;
}

static const struct gm_word_costs toy = {cost, NULL, 12, 1.6};

static void are(const char *word, const struct gm_word_costs *costs, const char *want)
{
    struct gm_arena a;
    struct gm_word *parts;
    char got[256];
    size_t n, at = 0;
    gm_arena_init(&a, 0);
    assert_int_equal(gm_text_parts(gm_str(word), costs, &a, &parts, &n, NULL), GM_OK);
    for (size_t i = 0; i < n; i++) {
        size_t len = parts[i].end - parts[i].start;
        if (i)
            got[at++] = ' ';
        memcpy(got + at, word + parts[i].start, len);
        at += len;
    }
    got[at] = 0;
    assert_string_equal(got, want);
    gm_arena_clear(&a);
}

static void by_case(void **state)
{
    (void)state;
    are("DonaldTrump", NULL, "Donald Trump");
    are("NHLDraft", NULL, "NHL Draft");
    are("iPhone6Plus", NULL, "i Phone 6 Plus");
    are("Wimbledon2015", NULL, "Wimbledon 2015");
    are("Im_that", NULL, "Im_that");
    are("McCain", NULL, "Mc Cain");
    are("A", NULL, "A");
    are("7", NULL, "7");
    are("ABC", NULL, "ABC");
    are("ladygaga", NULL, "ladygaga");
    are("ÉcoleDeParis", NULL, "École De Paris");
    are("東京2020", NULL, "東京 2020");
}

static void by_words(void **state)
{
    (void)state;
    are("asiagottalent", &toy, "asia got talent");
    are("ladygaga", &toy, "lady gaga");
    are("LADYGAGA", &toy, "LADY GAGA");
    are("ElectionNight", &toy, "Election Night");
    are("therapist", &toy, "therapist"); /* one word is likelier than two */
    are("gaga", &toy, "gaga");           /* too short to be cut */
    are("bergdorf", &toy, "bergdorf");   /* nothing is known of it */
    are("ladybergdorf", &toy, "ladybergdorf");
    are("東京gaga", &toy, "東京gaga"); /* letters of ASCII only */
}

/* A long run of letters stays whole. */
static void long_runs(void **state)
{
    struct gm_arena a;
    struct gm_word *parts;
    size_t n;
    static char big[1 << 20];
    (void)state;
    memset(big, 'a', sizeof big);
    gm_arena_init(&a, 0);
    assert_int_equal(gm_text_parts((struct gm_str){big, sizeof big}, &toy, &a, &parts, &n, NULL),
                     GM_OK);
    assert_int_equal(n, 1);
    assert_int_equal(parts[0].end, sizeof big);
    gm_arena_clear(&a);
}

/* Parts follow each other without a gap, none is empty, and each begins where a code point does. */
static void any_text(void **state)
{
    static const char *const letters[] = {"a", "B", "7", "_", "é", "É", "東", "\xF0\x9F\x98\x80",
                                          "'"};
    struct gm_rng rng;
    struct gm_arena a;
    (void)state;
    gm_rng_init(&rng, 5);
    gm_arena_init(&a, 0);
    for (int round = 0; round < 3000; round++) {
        char text[128];
        struct gm_word *parts;
        size_t n, at = 0, len = 1 + gm_rng_below(&rng, 25);
        for (; len > 0; len--) {
            const char *letter = letters[gm_rng_below(&rng, sizeof letters / sizeof *letters)];
            memcpy(text + at, letter, strlen(letter));
            at += strlen(letter);
        }
        text[at] = 0;
        at = 0;
        gm_arena_reset(&a);
        assert_int_equal(gm_text_parts(gm_str(text), &toy, &a, &parts, &n, NULL), GM_OK);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(parts[i].start, at);
            assert_true(parts[i].end > at);
            at = parts[i].end;
            assert_true(((unsigned char)text[at] & 0xC0) != 0x80);
        }
        assert_int_equal(at, strlen(text));
    }
    gm_arena_clear(&a);
}

static void no_memory(void **state)
{
    struct gm_arena a;
    struct gm_word *parts;
    size_t n;
    struct gm_error err;
    (void)state;
    gm_arena_init(&a, 8);
    assert_int_equal(gm_text_parts(GM_STR("DonaldTrump"), &toy, &a, &parts, &n, &err), GM_ENOMEM);
    gm_arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_case), cmocka_unit_test(by_words),
                                       cmocka_unit_test(long_runs), cmocka_unit_test(any_text),
                                       cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
