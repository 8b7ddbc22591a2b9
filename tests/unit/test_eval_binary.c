/* Accuracy, F1 and AUC against counting every pair. */
#include "post_files.h"

#include "base/rng.h"
#include "eval/binary.h"

#include <math.h>

static double auc_by_pairs(const double *s, const bool *y, size_t n)
{
    double right = 0, pairs = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            if (!y[i] || y[k])
                continue;
            pairs++;
            right += s[i] > s[k] ? 1 : s[i] == s[k] ? 0.5 : 0;
        }
    return right / pairs;
}

static void test_auc_random(void **state)
{
    (void)state;
    struct gm_rng r;
    gm_rng_init(&r, 7);
    for (size_t round = 0; round < 300; round++) {
        double s[80], auc;
        bool y[80];
        size_t n = 2 + gm_rng_below(&r, 79), levels = 1 + gm_rng_below(&r, 30);
        for (size_t i = 0; i < n; i++) {
            s[i] = (double)gm_rng_below(&r, levels) / 7; /* many ties */
            y[i] = gm_rng_below(&r, 3) == 0;
        }
        y[0] = true;
        y[1] = false;
        assert_int_equal(gm_auc(s, y, n, &auc, NULL), GM_OK);
        assert_true(fabs(auc - auc_by_pairs(s, y, n)) < 1e-12);
    }
}

static void test_auc_undefined(void **state)
{
    (void)state;
    double s[] = {1, 2, NAN}, auc;
    bool yes[] = {true, true, true}, mixed[] = {true, false, true};
    assert_int_equal(gm_auc(s, yes, 0, &auc, NULL), GM_OK);
    assert_true(isnan(auc));
    assert_int_equal(gm_auc(s, yes, 2, &auc, NULL), GM_OK);
    assert_true(isnan(auc)); /* one class */
    assert_int_equal(gm_auc(s, mixed, 3, &auc, NULL), GM_OK);
    assert_true(isnan(auc)); /* a score that is none */
    assert_int_equal(gm_auc(s, mixed, 2, &auc, NULL), GM_OK);
    assert_true(auc == 0);
}

static void test_threshold(void **state)
{
    (void)state;
    const double s[] = {0.9, 0.5, 0.4, 0.5, 0.1};
    const bool y[] = {true, true, true, false, false};
    struct gm_binary b = gm_binary_count(s, y, 5, 0.5);
    assert_int_equal(b.tp, 2);
    assert_int_equal(b.fp, 1);
    assert_int_equal(b.fn, 1);
    assert_int_equal(b.tn, 1);
    assert_true(fabs(gm_binary_accuracy(b) - 0.6) < 1e-15);
    assert_true(fabs(gm_score_f1(gm_binary_score(b)) - 2.0 / 3) < 1e-15);
    struct gm_binary none = gm_binary_count(s, y, 0, 0.5);
    assert_true(gm_binary_accuracy(none) == 0 && gm_score_f1(gm_binary_score(none)) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_auc_random),
                                       leak_checked(test_auc_undefined),
                                       leak_checked(test_threshold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
