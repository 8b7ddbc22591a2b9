/* Mending of wrongly decoded text: what was meant comes back with its places, all else stays as it is. */
#include "unit.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "text/mend.h"

#include <string.h>

static void is(const char *broken, const char *want)
{
    struct gm_arena a;
    struct gm_mended m;
    gm_arena_init(&a, 0);
    assert_int_equal(gm_mend(gm_str(broken), &a, &m, NULL), GM_OK);
    assert_int_equal(m.text.n, strlen(want));
    assert_memory_equal(m.text.p, want, m.text.n);
    if (strcmp(broken, want) == 0)
        assert_null(m.from);
    else
        assert_non_null(m.from);
    gm_arena_clear(&a);
}

static void cases(void **state)
{
    (void)state;
    is("Iâ€™m at the cafÃ© ðŸ˜€", "I’m at the café 😀");
    is("â€œquotedâ€\xC2\x9D â€” Â£5", "“quoted” — £5");
    is("That¡¯s 4 x¡\xC2\xAD", "That’s 4 x…");
    is("¡°Lo M¨¢s Le¨ªdo¡±", "“Lo Más Leído”");
    /* nothing to mend */
    is("plain", "plain");
    is("", "");
    is("¡Hola! ¿Qué tal? São Paulo, Â, Ã", "¡Hola! ¿Qué tal? São Paulo, Â, Ã");
    is("“CAFÉ’s” naïve façade 東京 😀", "“CAFÉ’s” naïve façade 東京 😀");
    is("â", "â");
    is("â€", "â€");
    is("¡", "¡");
}

/* Of what it was, a mended character has the bytes from its first to the next one's. */
static void places(void **state)
{
    static const char text[] = "aâ€™b¡¯c";
    const size_t want[] = {0, 1, 1, 1, 9, 10, 10, 10, 14, 15};
    struct gm_arena a;
    struct gm_mended m;
    (void)state;
    gm_arena_init(&a, 0);
    assert_int_equal(gm_mend(gm_str(text), &a, &m, NULL), GM_OK);
    assert_int_equal(m.text.n, 9);
    for (size_t i = 0; i <= m.text.n; i++)
        assert_int_equal(m.from[i], want[i]);
    gm_arena_clear(&a);
}

/* A text of letters that UTF-8 writes in two to four bytes, broken on purpose, comes back. */
static size_t put_broken(const char *s, char *out)
{
    static const uint16_t windows_1252[] = {
        0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
    size_t n = 0;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        n += gm_utf8_put(c >= 0x80 && c < 0xA0 ? windows_1252[c - 0x80] : c, out + n);
    }
    out[n] = 0;
    return n;
}

static size_t put(char *out, const char *letter)
{
    memcpy(out, letter, strlen(letter));
    return strlen(letter);
}

static void any_text(void **state)
{
    static const char *const letters[] = {"a", " ", "é", "ö", "’", "…", "“", "→", "😀", "£", "#"};
    struct gm_rng rng;
    struct gm_arena a;
    (void)state;
    gm_rng_init(&rng, 3);
    gm_arena_init(&a, 0);
    for (int round = 0; round < 2000; round++) {
        char text[256], broken[1024];
        size_t at = 0;
        struct gm_mended m;
        for (size_t len = gm_rng_below(&rng, 20); len > 0; len--)
            at += put(text + at, letters[gm_rng_below(&rng, sizeof letters / sizeof *letters)]);
        text[at] = 0;
        size_t n = put_broken(text, broken);
        gm_arena_reset(&a);
        assert_int_equal(gm_mend((struct gm_str){broken, n}, &a, &m, NULL), GM_OK);
        assert_int_equal(m.text.n, strlen(text));
        assert_memory_equal(m.text.p, text, m.text.n);
        for (size_t i = 1; m.from && i <= m.text.n; i++)
            assert_true(m.from[i] >= m.from[i - 1]);
        assert_true(!m.from || m.from[m.text.n] == n);
    }
    gm_arena_clear(&a);
}

static void no_memory(void **state)
{
    struct gm_arena a;
    struct gm_mended m;
    struct gm_error err;
    (void)state;
    gm_arena_init(&a, 4);
    assert_int_equal(gm_mend(GM_STR("Iâ€™m"), &a, &m, &err), GM_ENOMEM);
    gm_arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases), cmocka_unit_test(places),
                                       cmocka_unit_test(any_text), cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
