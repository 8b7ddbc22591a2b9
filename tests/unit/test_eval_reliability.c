/* Calibration error, risk and coverage: by hand, and ties against every order that they allow. */
#include "post_files.h"

#include "base/rng.h"
#include "eval/reliability.h"

#include <math.h>

static void near(double have, double want)
{
    if (!(fabs(have - want) < 1e-12))
        fail_msg("%.17g is not %.17g", have, want);
}

static void test_by_hand(void **state)
{
    (void)state;
    struct gm_judged j[] = {{0.5, true},  {1, true},     {0, false},
                            {0.95, true}, {0.48, false}, {0.94, false}};
    struct gm_bin bins[GM_ECE_BINS];
    double risk[GM_COVERAGES];
    gm_judged_sort(j, 6);
    near(j[0].confidence, 1);
    near(j[5].confidence, 0);
    near(gm_ece(j, 6, false, bins), (fabs(2.89 - 2) + fabs(0.98 - 1)) / 6);
    assert_int_equal(bins[14].n, 3);
    assert_int_equal(bins[14].right, 2);
    near(bins[14].confidence, 2.89);
    assert_int_equal(bins[7].n, 2);
    assert_int_equal(bins[0].n, 1);
    near(gm_ece(j, 6, true, bins), (0 + 0.05 + 0.94 + 0.5 + 0.48 + 0) / 6); /* each alone */
    near(gm_aurc(j, 6, risk), (0 + 0 + 1.0 / 3 + 1.0 / 4 + 2.0 / 5 + 3.0 / 6) / 6);
    near(risk[0], 0);
    near(risk[49], 1.0 / 3); /* 3 of 6 */
    near(risk[50], 1.0 / 4); /* 51% of 6 are 4 */
    near(risk[99], 0.5);
    near(gm_aurc_best(6, 3), (1.0 / 4 + 2.0 / 5 + 3.0 / 6) / 6);
}

static void test_edges(void **state)
{
    (void)state;
    struct gm_bin bins[GM_ECE_BINS];
    double risk[GM_COVERAGES];
    struct gm_judged at_edges[GM_ECE_BINS];
    for (size_t i = 0; i < GM_ECE_BINS; i++) /* the upper edge belongs to the bin */
        at_edges[GM_ECE_BINS - 1 - i] = (struct gm_judged){(double)(i + 1) / GM_ECE_BINS, true};
    (void)gm_ece(at_edges, GM_ECE_BINS, false, bins);
    for (size_t i = 0; i < GM_ECE_BINS; i++)
        assert_int_equal(bins[i].n, 1);
    near(gm_ece(NULL, 0, false, bins), 0);
    near(gm_aurc(NULL, 0, risk), 0);
    near(risk[99], 0);
    near(gm_aurc_best(0, 0), 0);
    near(gm_aurc_best(5, 5), 0);
    near(gm_aurc_best(5, 0), 1);
    struct gm_judged one = {0.25, false};
    near(gm_aurc(&one, 1, risk), 1);
    near(risk[0], 1);
    near(gm_ece(&one, 1, true, bins), 0.25);
}

/* Mean AURC over all orders of n answers in which the surer come first. */
static double over_orders(const struct gm_judged *j, size_t n)
{
    double sum = 0;
    size_t n_orders = 0, n_codes = 1;
    for (size_t i = 0; i < n; i++)
        n_codes *= n;
    for (size_t code = 0; code < n_codes; code++) {
        size_t order[5], used = 0, c = code;
        bool fits = true;
        for (size_t k = 0; k < n; k++, c /= n) {
            order[k] = c % n;
            fits = fits && !(used >> order[k] & 1) &&
                   (k == 0 || j[order[k]].confidence <= j[order[k - 1]].confidence);
            used |= (size_t)1 << order[k];
        }
        double wrong = 0, area = 0;
        for (size_t k = 0; k < n && fits; k++) {
            wrong += !j[order[k]].right;
            area += wrong / (double)(k + 1);
        }
        sum += area / (double)n;
        n_orders += fits;
    }
    return sum / (double)n_orders;
}

static void test_ties(void **state)
{
    (void)state;
    struct gm_rng r;
    gm_rng_init(&r, 5);
    for (size_t round = 0; round < 200; round++) {
        struct gm_judged j[5];
        size_t n = 1 + gm_rng_below(&r, 5), levels = 1 + gm_rng_below(&r, 4);
        for (size_t i = 0; i < n; i++)
            j[i] = (struct gm_judged){(double)gm_rng_below(&r, levels) / 4, gm_rng_below(&r, 2)};
        double want = over_orders(j, n);
        gm_judged_sort(j, n);
        near(gm_aurc(j, n, NULL), want);
    }
}

/* Answers of one confidence share a bin, whatever their order. */
static void test_mass_of_ties(void **state)
{
    (void)state;
    struct gm_judged j[30];
    struct gm_bin bins[GM_ECE_BINS];
    for (size_t i = 0; i < 30; i++)
        j[i] = (struct gm_judged){i < 20 ? 0.8 : 0.3, i % 2};
    near(gm_ece(j, 30, true, bins), (20 * 0.3 + 10 * 0.2) / 30);
    assert_int_equal(bins[0].n, 10); /* the least sure */
    assert_int_equal(bins[5].n, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_mass_of_ties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
