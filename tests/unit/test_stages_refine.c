/* Parts of refine that need no model: the words of an answer found in the text again, and new entities among
 * what all answers come to. (Answers about the post's own entities: test_stages_llm.c.) */
#include "stages/refine_merge.h"
#include "stages/refine_words.h"

#include "unit.h"

static void words_are_found_again(void **state)
{
    (void)state;
    static const char text[] = "Ann McÉWAN met Mc Éwan's mcéwans in OLD  York, old york";
    static const struct {
        const char *words;
        struct gm_place near, want; /* want empty: `why` */
        const char *why;
    } cases[] = {
        {"McÉWAN", {4, 10}, {4, 10}, NULL},
        {"mcéwan", {4, 10}, {4, 10}, NULL},    /* but for case */
        {"McÉwan", {15, 22}, {15, 22}, NULL},  /* but for white space */
        {"MC éwan", {15, 22}, {15, 22}, NULL}, /* but for both */
        {"old york", {36, 39}, {36, 45}, NULL},
        {"old york", {47, 50}, {47, 55}, NULL}, /* exactly as it is */
        {"old york", {40, 52}, {47, 55}, NULL}, /* exactly before nearer */
        {"York", {0, 3}, {0, 0}, "moved"},
        {"Yor", {41, 45}, {0, 0}, "moved"}, /* half a word */
        {"Ann  Lee", {0, 3}, {0, 0}, "not_in_text"},
        {" ", {0, 3}, {0, 0}, "not_in_text"},
        {"", {0, 3}, {0, 0}, "not_in_text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_place got = {0, 0};
        struct gm_str found = {NULL, 0};
        const char *why =
            gm_find_words(gm_str(text), gm_str(cases[i].words), cases[i].near, &got, &found);
        if (!!why != !!cases[i].why || (why && strcmp(why, cases[i].why) != 0) ||
            got.start != cases[i].want.start || got.end != cases[i].want.end)
            fail_msg("%s: %s %zu-%zu", cases[i].words, why ? why : "", got.start, got.end);
    }
}

/* Quotation marks, dashes, emoji, flags and what is written without spaces are no part of the word beside them;
 * accents are. */
static void words_beside_other_signs(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
        struct gm_place want; /* empty: moved */
    } cases[] = {
        {"Obama speaks", "Obama", {0, 5}},
        {"Obama’s speech", "Obama", {0, 5}},
        {"He said “Obama” twice", "Obama", {9, 14}},
        {"Go 🇺🇸Obama🇺🇸", "Obama", {5, 10}},
        {"now—Obama…", "Obama", {4, 9}},
        {"1️⃣Obama❤️", "Obama", {3, 8}},
        {"奥巴马今天在北京演讲", "北京", {6, 8}},
        {"在Obama前", "Obama", {1, 6}},
        {"ไปกรุงเทพ", "กรุงเทพ", {2, 9}},
        {"Éobama", "obama", {0, 0}},
        {"E\u0301obama", "obama", {0, 0}},
        {"Obama\u0301", "Obama", {0, 0}},
        {"オバマ\u3099", "オバマ", {0, 0}},
        {"обамаcare", "обама", {0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_place got = {0, 0};
        struct gm_str found;
        const char *why = gm_find_words(gm_str(cases[i].text), gm_str(cases[i].words),
                                        (struct gm_place){0, 100}, &got, &found);
        if (!why != (cases[i].want.end > 0) || got.start != cases[i].want.start ||
            got.end != cases[i].want.end)
            fail_msg("%s: %s %zu-%zu", cases[i].text, why ? why : "", got.start, got.end);
    }
}

/* Old entities at single letters of a text, "a" to "h" = 0 to 7; new ones behind them. */
static struct gm_merge old(size_t start, size_t end, bool asked)
{
    return (struct gm_merge){.start = start, .end = end, .asked = asked};
}

static struct gm_merge changed(size_t start, size_t end, size_t to_start, size_t to_end)
{
    struct gm_merge m = old(start, end, true);
    m.changed = true;
    m.to_start = to_start;
    m.to_end = to_end;
    return m;
}

static struct gm_merge new_one(size_t start, size_t end)
{
    struct gm_merge m = changed(start, end, start, end);
    m.is_new = true;
    return m;
}

/* "1-", "3>": which rows are gone, and which have taken others in. */
static const char *merged(struct gm_merge *m, size_t n)
{
    static char out[100];
    size_t used = 0;
    gm_refine_merge(m, n);
    out[0] = 0;
    for (size_t i = 0; i < n; i++)
        if (m[i].removed || m[i].merged || m[i].why)
            used += (size_t)snprintf(out + used, sizeof out - used, "%zu%s%s%s ", i,
                                     m[i].removed ? "-" : "", m[i].merged ? ">" : "",
                                     m[i].why ? "!" : "");
    return out;
}

static void new_entities(void **state)
{
    (void)state;
    struct gm_merge beside[] = {old(0, 1, true), old(2, 3, false), new_one(4, 5)};
    assert_string_equal(merged(beside, 3), "");
    /* what was not asked about protects its span, and so does what was kept */
    struct gm_merge over[] = {old(0, 2, false), new_one(1, 3)};
    assert_string_equal(merged(over, 2), "1-! ");
    struct gm_merge part[] = {old(0, 2, true), new_one(1, 3)};
    assert_string_equal(merged(part, 2), "1-! ");
    /* nothing new in the place of what is there */
    struct gm_merge same[] = {old(0, 2, true), new_one(0, 2)};
    assert_string_equal(merged(same, 2), "1-! ");
    /* a change takes it in, or goes before it */
    struct gm_merge in[] = {changed(0, 1, 0, 3), new_one(2, 3)};
    assert_string_equal(merged(in, 2), "0> 1- ");
    struct gm_merge across[] = {changed(0, 1, 0, 3), new_one(2, 4)};
    assert_string_equal(merged(across, 2), "1-! ");
    /* two parts of what was one; and the larger of two takes in the smaller */
    struct gm_merge split[] = {changed(0, 4, 0, 2), new_one(3, 4)};
    assert_string_equal(merged(split, 2), "");
    struct gm_merge two[] = {old(0, 1, false), new_one(2, 3), new_one(2, 4)};
    assert_string_equal(merged(two, 3), "1- 2> ");
    struct gm_merge twice[] = {new_one(2, 3), new_one(2, 3)};
    assert_string_equal(merged(twice, 2), "0> 1- ");
    /* a removal is void where a refused new one would have taken it in; a new one never comes back */
    struct gm_merge half[] = {old(0, 1, true), old(1, 3, false), new_one(0, 2)};
    half[0].removed = true;
    assert_string_equal(merged(half, 3), "2-! ");
    struct gm_merge gone[] = {changed(0, 1, 0, 4), old(3, 5, false), new_one(2, 3)};
    gone[2].removed = true;
    assert_string_equal(merged(gone, 3), "0! 2- ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found_again),
        cmocka_unit_test(words_beside_other_signs),
        cmocka_unit_test(new_entities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
