/* Names among the lines of text in a picture. */
#include "unit.h"

#include <math.h>

#include "stages/lettering.h"

static struct gm_lettering find(const char *name, const char *const *lines, size_t n)
{
    struct gm_written texts[16];
    struct gm_post p = {.texts = texts, .n_texts = n, .has_texts = true};
    for (size_t i = 0; i < n; i++) {
        double y = 20.0 * (double)i;
        texts[i] = (struct gm_written){gm_str(lines[i]), 0.9f, {(double)i, y, 100, y + 10}, NULL};
    }
    return gm_lettering_find(&p, gm_str(name));
}

static void assert_share(const char *name, const char *line, double want)
{
    double got = find(name, &line, 1).share;
    if (fabs(got - want) > 1e-9)
        fail_msg("%s in \"%s\": %g, not %g", name, line, got, want);
}

static void test_words(void **state)
{
    (void)state;
    assert_share("Navy Yard", "NAVY", 0.5);
    assert_share("The Navy Yard", "the yard of the navy", 1); /* "the" counts for nothing */
    assert_share("Wii", "Wii U", 1);
    assert_share("Wii", "Wiimote", 0); /* a short word is a whole one */
    assert_share("Ford", "FORDS", 0);
    assert_share("UFC 189", "FC | 189", 1); /* one letter of six is missing */
    assert_share("The Of", "the of", 0);
    assert_share("Adele", "", 0);
    assert_share("\xe2\x98\x83", "\xe2\x98\x83", 0); /* a snowman has no letters */
}

static void test_hashtags(void **state)
{
    (void)state;
    assert_share("UFC189Live", "UFC LIVE", 7.0 / 10);
    assert_share("#AsiasGotTalent", "Asia's got talent", 1);
    assert_share("Wii U", "WiiU", 1); /* run together */
    assert_share("Fit Meter", "fitmeter", 1);
    assert_share("Fit Meter", "fitmat", 0);
}

static void test_misread(void **state)
{
    (void)state;
    assert_share("Temptations", "Temptat\xc3\xacons", 1); /* an accent */
    assert_share("HOLLYWOOD", "H0LLYW00D", 1);
    assert_share("Sinclair", "5INC1AIR", 1);
    assert_share("Evil", "EVIR", 0);           /* four letters must be right */
    assert_share("Disgraced", "DISGRACFD", 1); /* one of five may be wrong */
    assert_share("Disgraced", "XDISGRACEDX tonight", 1);
    assert_share("Disgraced", "D1SGRCFDX", 0);
    assert_share("\xc3\x89 Beyonc\xc3\xa9", "BEYONCE", 1);
}

static void test_box(void **state)
{
    (void)state;
    static const char *const lines[] = {"tonight", "OUTER", "x", "BANKS"};
    struct gm_lettering l = find("Outer Banks", lines, 4);
    static const double want[] = {1, 20, 100, 70};
    assert_true(l.share == 1);
    assert_memory_equal(l.box, want, sizeof want);
    l = find("Ann", lines, 4);
    assert_true(l.share == 0 && l.box[2] == 0);
}

/* Of many lines only the high ones count. */
static void test_prose(void **state)
{
    (void)state;
    struct gm_written texts[7];
    struct gm_post p = {.texts = texts, .n_texts = 7, .has_texts = true};
    for (size_t i = 0; i < 7; i++)
        texts[i] = (struct gm_written){GM_STR("a talk with Adele"), 0.9f, {0, 0, 90, 10}, NULL};
    assert_true(gm_lettering_find(&p, GM_STR("Adele")).share == 0);
    texts[3].box[3] = 13;
    assert_true(gm_lettering_find(&p, GM_STR("Adele")).share == 1);
    texts[3].box[3] = 12;
    assert_true(gm_lettering_find(&p, GM_STR("Adele")).share == 0);
    p.n_texts = 5;
    assert_true(gm_lettering_find(&p, GM_STR("Adele")).share == 1);
}

/* A sentence that holds the name mentions it, unless the name stands on its own as well. */
static void test_mentions(void **state)
{
    (void)state;
    static const char *const said[] = {"so they say that Silver Harbour is", "off, and Silver"},
                             *const half[] = {"a word about Silver Street today"},
                             *const cover[] = {"as told in Silver Harbour by her", "SILVER",
                                               "HARBOUR"},
                             *const title[] = {"the Silver Harbour story"};
    struct gm_lettering l = find("Silver Harbour", said, 1);
    assert_true(l.is_mention && l.share == 1);
    assert_false(
        find("Silver Harbour", said, 2).is_mention); /* "off, and Silver": two words more */
    assert_false(find("Silver Harbour", half, 1).is_mention); /* 6 of 13 letters: not read */
    assert_false(find("Silver Harbour", cover, 3).is_mention);
    assert_false(find("Silver Harbour", title, 1).is_mention);
    assert_false(find("Bank", said, 2).is_mention);
}

/* Six lines of five words, none of them much higher than the others. */
static void test_pages(void **state)
{
    (void)state;
    struct gm_written texts[6];
    struct gm_post p = {.texts = texts, .n_texts = 6, .has_texts = true};
    for (size_t i = 0; i < 6; i++)
        texts[i] = (struct gm_written){GM_STR("what a week it was"), 0.9f, {0, 0, 90, 10}, NULL};
    assert_true(gm_lettering_is_page(&p));
    assert_false(gm_lettering_find(&p, GM_STR("Adele")).is_mention);
    texts[1].text = texts[4].text = texts[5].text = GM_STR("to all of them");
    assert_true(gm_lettering_is_page(&p));
    texts[0].text = GM_STR("it was of them");
    assert_false(gm_lettering_is_page(&p));
    texts[0].text = GM_STR("of all of them and us");
    texts[2].box[3] = 15;
    assert_false(gm_lettering_is_page(&p)); /* a heading, or a poster */
    texts[2].box[3] = 14;
    p.n_texts = 5;
    assert_false(gm_lettering_is_page(&p));
}

/* The least edits by trying every part of the line, against what the search says. */
static size_t plain_edits(const char *w, size_t m, const char *s, size_t n)
{
    if (m == 0 || n == 0)
        return m + n;
    size_t a = plain_edits(w + 1, m - 1, s + 1, n - 1) + (w[0] != s[0]);
    size_t b = plain_edits(w + 1, m - 1, s, n) + 1, c = plain_edits(w, m, s + 1, n - 1) + 1;
    return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

static void test_edits_against_all_parts(void **state)
{
    (void)state;
    uint32_t random = 1;
    size_t n_found = 0;
    for (size_t round = 0; round < 300; round++) {
        char w[6] = "", s[9] = "";
        const char *line = s;
        for (size_t i = 0; i < 13; i++) {
            random = random * 1664525U + 1013904223U;
            *(i < 5 ? &w[i] : &s[i - 5]) = (char)('a' + (random >> 24) % 3);
        }
        size_t best = 5;
        for (size_t from = 0; from <= 8; from++)
            for (size_t to = from; to <= 8; to++) {
                size_t d = plain_edits(w, 5, s + from, to - from);
                best = d < best ? d : best;
            }
        n_found += best <= 1;
        assert_share(w, line, best <= 1);
    }
    assert_true(n_found > 30 && n_found < 270);
}

static void test_same_person(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"Obama", "OBAMA", true},
        {"Robert Downey, JR", "RobertDowneyJr", true},
        {"John Adams", "Adams", true},
        {"John", "John Adams", true},
        {"JohnAdams", "Adams", true},
        {"John Quincy Adams", "Quincy", false},
        {"John Adams", "John Quincy Adams", false},
        {"Jo", "Jo Smith", false}, /* too short to tell */
        {"Adam", "John Adams", false},
        {"Beyonc\xc3\xa9", "BEYONCE", true},
        {"Ann", "Bob", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (gm_name_is_same(gm_str(cases[i].a), gm_str(cases[i].b)) != cases[i].same ||
            gm_name_is_same(gm_str(cases[i].b), gm_str(cases[i].a)) != cases[i].same)
            fail_msg("%s / %s", cases[i].a, cases[i].b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),       cmocka_unit_test(test_hashtags),
        cmocka_unit_test(test_misread),     cmocka_unit_test(test_box),
        cmocka_unit_test(test_prose),       cmocka_unit_test(test_mentions),
        cmocka_unit_test(test_pages),       cmocka_unit_test(test_edits_against_all_parts),
        cmocka_unit_test(test_same_person),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
