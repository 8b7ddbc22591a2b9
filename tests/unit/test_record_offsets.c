/* Offsets of code points and bytes: in any order the same as counted from the beginning. */
#include "unit.h"

#include "base/buf.h"
#include "base/rng.h"
#include "record/offsets.h"

#include <time.h>

/* A text of n characters of one to four bytes; at[i] = the byte of character i, at[n] its end. */
static void make_text(struct gm_buf *text, size_t *at, size_t n, struct gm_rng *r)
{
    static const char *const signs[] = {"a", " ", "\xC3\xA9", "\xE6\x97\xA5", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < n; i++) {
        at[i] = text->n;
        assert_int_equal(gm_buf_add_c(text, signs[gm_rng_below(r, 5)], NULL), GM_OK);
    }
    at[n] = text->n;
}

static void test_any_order(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 1023, 1024, 1025, 5000, 40000};
    struct gm_rng r;
    gm_rng_init(&r, 5);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k], *at = gm_alloc(n + 1, sizeof *at);
        struct gm_buf text;
        struct gm_offset cps, bytes;
        assert_non_null(at);
        gm_buf_init(&text, 1 << 20);
        make_text(&text, at, n, &r);
        gm_offset_init(&cps, gm_buf_str(&text));
        gm_offset_init(&bytes, gm_buf_str(&text));
        for (size_t round = 0; round < 3000; round++) {
            size_t i = gm_rng_below(&r, (uint32_t)n + 1);
            assert_true(gm_offset_to_cp(&cps, i));
            assert_int_equal(cps.byte, at[i]);
            assert_int_equal(gm_offset_to_byte(&bytes, at[i]), i);
            assert_int_equal(bytes.byte, at[i]);
        }
        assert_false(gm_offset_to_cp(&cps, n + 1 + gm_rng_below(&r, 9)));
        assert_int_equal(cps.byte, text.n);
        assert_int_equal(cps.cp, n);
        gm_buf_clear(&text);
        gm_free(at);
    }
}

/* From both ends in turn a walk would take 200,000 times the text's length; the marks a 1024th of that. */
static void test_no_order_is_no_walk(void **state)
{
    (void)state;
    enum { N = 1000000, ROUNDS = 100000 };
    struct gm_buf text;
    struct gm_offset at;
    gm_buf_init(&text, N);
    for (size_t i = 0; i < N; i += 10)
        assert_int_equal(gm_buf_add_c(&text, "0123456789", NULL), GM_OK);
    gm_offset_init(&at, gm_buf_str(&text));
    clock_t begun = clock();
    for (size_t i = 0; i < ROUNDS; i++) {
        assert_true(gm_offset_to_cp(&at, N - i));
        assert_true(gm_offset_to_cp(&at, i));
        assert_int_equal(gm_offset_to_byte(&at, N - i), N - i);
    }
    assert_true(clock() - begun < 20 * CLOCKS_PER_SEC); /* under a second; a walk: minutes */
    gm_buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_no_order_is_no_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
