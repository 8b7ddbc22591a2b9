/* How the words of a data set are cut, told from what they look like. */

#include "unit.h"

#include "text/cut.h"

#include <string.h>

/* Words parted by spaces, `times` over. */
static void count_words(struct gm_cut_counts *c, const char *words, int times)
{
    for (int i = 0; i < times; i++) {
        struct gm_str rest = gm_str(words), word;
        for (bool more = true; more;) {
            more = gm_str_cut(rest, ' ', &word, &rest);
            gm_cut_count_word(c, word);
        }
    }
}

static enum gm_word_cut cut_of(const char *words)
{
    struct gm_cut_counts c = {0};
    count_words(&c, words, 1);
    return gm_cut_of(&c);
}

static void told_by_words(void **state)
{
    (void)state;
    assert_int_equal(cut_of("I saw Ann in New York 's Mo MA 3"), GM_CUT_DICTIONARY);
    assert_int_equal(cut_of("我 在 New York 吃 饭 。"), GM_CUT_CHARACTERS);
    assert_int_equal(cut_of("我 在 北 京 吃 饭 。"), GM_CUT_CHARACTERS);
    assert_int_equal(cut_of("我 在 N e w Y o r k 吃 饭 2 0 2 4 。"), GM_CUT_LETTERS);
    assert_int_equal(cut_of("我 在 北京 吃饭 。"), GM_CUT_DICTIONARY);
    assert_int_equal(cut_of("ฉัน อยู่ ที่ กรุงเทพมหานคร"), GM_CUT_DICTIONARY);
    assert_int_equal(cut_of("か\u3099 き"), GM_CUT_CHARACTERS); /* a mark is of its letter */
}

/* A slip here and there does not change what a data set is. */
static void a_slip_is_no_rule(void **state)
{
    struct gm_cut_counts c = {0};
    (void)state;
    count_words(&c, "我 在 北 京", 10);
    count_words(&c, "吃饭", 1);
    assert_int_equal(gm_cut_of(&c), GM_CUT_CHARACTERS);
    count_words(&c, "吃饭", 4);
    assert_int_equal(gm_cut_of(&c), GM_CUT_DICTIONARY);
}

static void raw_text_alone(void **state)
{
    struct gm_cut_counts c = {0};
    (void)state;
    assert_int_equal(gm_cut_of(&c), GM_CUT_DICTIONARY);
    gm_cut_count_raw(&c, GM_STR("ฉันอยู่ที่นี่ and here"));
    assert_int_equal(gm_cut_of(&c), GM_CUT_DICTIONARY);
    gm_cut_count_raw(&c, GM_STR("我在北京"));
    assert_int_equal(gm_cut_of(&c), GM_CUT_CHARACTERS);
    count_words(&c, "我 在 北京", 1); /* words say more */
    assert_int_equal(gm_cut_of(&c), GM_CUT_DICTIONARY);
}

static void names(void **state)
{
    enum gm_word_cut cut;
    (void)state;
    for (int i = GM_CUT_SPACES; i <= GM_CUT_LETTERS; i++) {
        assert_true(gm_cut_parse(gm_str(gm_cut_name((enum gm_word_cut)i)), &cut));
        assert_int_equal(cut, i);
    }
    assert_false(gm_cut_parse(GM_STR("auto"), &cut));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_by_words),
        cmocka_unit_test(a_slip_is_no_rule),
        cmocka_unit_test(raw_text_alone),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
