/* From marginals to scores: the fit is the optimum of a loss written down here again, finds what
 * the answers were drawn from, and never turns the order around. */
#include "post_files.h"

#include "base/rng.h"
#include "train/calibration_report.h"

#include <math.h>

enum { MANY = 20000 };

static double formula(double m, const double w[3])
{
    return 1 / (1 + exp(-(w[0] * log(m) - w[1] * log(1 - m) + w[2])));
}

static double loss(const struct gm_judged *j, size_t n, const double w[3])
{
    double sum = (pow(w[0] - 1, 2) + pow(w[1] - 1, 2) + pow(w[2], 2)) / 2;
    for (size_t i = 0; i < n; i++) {
        double p = formula(j[i].confidence, w);
        sum -= log(j[i].right ? p : 1 - p);
    }
    return sum;
}

static void draw(struct gm_rng *r, struct gm_judged *j, size_t n, const double w[3])
{
    for (size_t i = 0; i < n; i++) {
        j[i].confidence = 0.001 + 0.998 * gm_rng_uniform(r);
        j[i].right = gm_rng_uniform(r) < formula(j[i].confidence, w);
    }
}

/* The loss is convex, so that a point below all its neighbours is the optimum; slopes of 0 have
 * neighbours on one side only. */
static void check_optimum(const struct gm_judged *j, size_t n)
{
    struct gm_calibration c = gm_calibration_fit(j, n);
    const double w[3] = {c.a, c.b, c.c};
    double here = loss(j, n, w);
    assert_true(c.fitted && c.a >= 0 && c.b >= 0);
    for (size_t k = 0; k < 3; k++)
        for (double d = -1e-3; d < 2e-3; d += 2e-3) {
            double near[3] = {w[0], w[1], w[2]};
            near[k] += d;
            if (near[k] >= 0 || k == 2)
                assert_true(loss(j, n, near) > here);
        }
}

static void test_optimum(void **state)
{
    (void)state;
    static struct gm_judged j[300];
    struct gm_rng r;
    gm_rng_init(&r, 3);
    for (size_t round = 0; round < 100; round++) {
        const double w[3] = {gm_rng_normal(&r), gm_rng_normal(&r), 2 * gm_rng_normal(&r)};
        size_t n = gm_rng_below(&r, 300);
        draw(&r, j, n, w);
        check_optimum(j, n);
    }
}

static void test_finds_the_truth(void **state)
{
    (void)state;
    static struct gm_judged j[MANY];
    static const double truth[][3] = {{1, 1, 0}, {0.4, 0.4, 0}, {0.2, 0.7, -1}, {1.5, 0.5, 1}};
    struct gm_rng r;
    gm_rng_init(&r, 4);
    for (size_t i = 0; i < sizeof truth / sizeof *truth; i++) {
        draw(&r, j, MANY, truth[i]);
        struct gm_calibration c = gm_calibration_fit(j, MANY);
        for (double m = 0.05; m < 1; m += 0.05)
            if (fabs(gm_calibrated(&c, m) - formula(m, truth[i])) > 0.03)
                fail_msg("truth %zu, marginal %g: %g", i, m, gm_calibrated(&c, m));
    }
}

static void test_extremes(void **state)
{
    (void)state;
    struct gm_judged j[100];
    struct gm_calibration none = {.fitted = false}, c = gm_calibration_fit(NULL, 0);
    assert_true(gm_calibrated(&none, 0.123) == 0.123);
    assert_true(gm_calibrated(&none, 0) == 0);
    assert_true(c.a == 1 && c.b == 1 && c.c == 0); /* nothing is known: no change */
    assert_true(fabs(gm_calibrated(&c, 0.3) - 0.3) < 1e-12);
    /* All right, all wrong, separable, the wrong way round. */
    for (int kind = 0; kind < 4; kind++) {
        double before = 0;
        for (size_t i = 0; i < 100; i++)
            j[i] = (struct gm_judged){(double)i / 99,
                                      kind == 0 || (kind == 2 && i >= 50) || (kind == 3 && i < 50)};
        c = gm_calibration_fit(j, 100);
        for (double m = 0; m <= 1; m += 0.01) {
            double p = gm_calibrated(&c, m);
            assert_true(p >= before - 1e-12 && p <= 1);
            before = p;
        }
        assert_true(kind != 3 || (c.a == 0 && c.b == 0));
    }
}

static void test_reading(void **state)
{
    (void)state;
    static const char *const wrong[] = {"{}", "3", "{\"a\": 1, \"b\": 1}",
                                        "{\"a\": -1, \"b\": 1, \"c\": 0}",
                                        "{\"a\": 1, \"b\": 1, \"c\": \"x\"}"};
    static const char *const right = "{\"a\": 0.5, \"b\": 2, \"c\": -1}";
    struct gm_calibration c;
    struct gm_error err;
    struct gm_json *j;
    assert_int_equal(gm_calibration_read(&c, NULL, "dir", &err), GM_OK);
    assert_false(c.fitted);
    assert_int_equal(gm_json_parse(&j, gm_str(right), &err), GM_OK);
    assert_int_equal(gm_calibration_read(&c, j, "dir", &err), GM_OK);
    assert_true(c.fitted && c.a == 0.5 && c.b == 2 && c.c == -1);
    gm_json_free(j);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(gm_json_parse(&j, gm_str(wrong[i]), &err), GM_OK);
        assert_int_equal(gm_calibration_read(&c, j, "dir", &err), GM_EMODEL);
        assert_non_null(strstr(err.msg, "dir/gmner.json"));
        gm_json_free(j);
    }
}

/* What is told of a fit, computed once more from the fit itself: each half by what fits the other one. */
static void test_report(void **state)
{
    (void)state;
    enum { EACH = 400 };
    static const double truth[3] = {0.4, 0.7, -0.6};
    static struct gm_judged j[2][EACH];
    struct gm_calibration_report r;
    struct gm_buf halves[2];
    struct gm_error err;
    struct gm_rng rng;
    size_t before = 0, cross = 0, right = 0;
    gm_rng_init(&rng, 5);
    for (size_t h = 0; h < 2; h++) {
        draw(&rng, j[h], EACH, truth);
        gm_buf_init(&halves[h], SIZE_MAX - 1);
        assert_int_equal(gm_buf_add(&halves[h], j[h], sizeof j[h], &err), GM_OK);
    }
    for (size_t h = 0; h < 2; h++) {
        struct gm_calibration other = gm_calibration_fit(j[!h], EACH);
        for (size_t i = 0; i < EACH; i++) {
            before += (j[h][i].confidence >= 0.5) == j[h][i].right;
            cross += (gm_calibrated(&other, j[h][i].confidence) >= 0.5) == j[h][i].right;
            right += j[h][i].right;
        }
    }
    assert_int_equal(gm_calibration_report(&r, halves, &err), GM_OK);
    assert_true(r.n == 2 * EACH && r.n_right == right);
    assert_true(fabs(r.accuracy_before - (double)before / (2 * EACH)) < 1e-12);
    assert_true(fabs(r.accuracy_cross - (double)cross / (2 * EACH)) < 1e-12);
    assert_true(r.accuracy_cross > r.accuracy_before);
    assert_true(r.ece < r.ece_before && r.ece_cross < r.ece_before);
    gm_buf_clear(&halves[0]);
    gm_buf_clear(&halves[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimum),
        cmocka_unit_test(test_finds_the_truth),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test_teardown(test_reading, no_leak),
        cmocka_unit_test_teardown(test_report, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
