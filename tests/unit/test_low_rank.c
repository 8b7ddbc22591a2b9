/* The nearest product of a lower rank: of products whose singular values and vectors are known by construction, of
 * factors that have less than their rank, and of nothing. */
#include "model_tools/low_rank.h"

#include "base/rng.h"

#include <math.h>

#include "unit.h"

enum { ROWS = 40, COLS = 23, RANK = 7 };
static struct gm_error err[1];

/* n orthonormal columns of length `rows`, by Gram and Schmidt twice over random ones. */
static void orthonormal(double *m, size_t rows, size_t n, struct gm_rng *rng)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < rows; i++)
            m[i * n + j] = gm_rng_normal(rng);
        for (size_t k = 0; k < 2 * j; k++) {
            double dot = 0;
            for (size_t i = 0; i < rows; i++)
                dot += m[i * n + j] * m[i * n + k % j];
            for (size_t i = 0; i < rows; i++)
                m[i * n + j] -= dot * m[i * n + k % j];
        }
        double norm = 0;
        for (size_t i = 0; i < rows; i++)
            norm += m[i * n + j] * m[i * n + j];
        for (size_t i = 0; i < rows; i++)
            m[i * n + j] /= sqrt(norm);
    }
}

/* U diag(s) W and W' V': factors of a product with the singular values s, which neither of them shows. */
static void planted(const double *s, double *u, double *v, float *b, float *a)
{
    struct gm_rng rng;
    double w[RANK * RANK];
    gm_rng_init(&rng, 5);
    orthonormal(u, ROWS, RANK, &rng);
    orthonormal(v, COLS, RANK, &rng);
    orthonormal(w, RANK, RANK, &rng);
    for (size_t r = 0; r < RANK; r++) {
        for (size_t i = 0; i < ROWS; i++) {
            double sum = 0;
            for (size_t k = 0; k < RANK; k++)
                sum += u[i * RANK + k] * s[k] * w[k * RANK + r];
            b[i * RANK + r] = (float)sum;
        }
        for (size_t j = 0; j < COLS; j++) {
            double sum = 0;
            for (size_t k = 0; k < RANK; k++)
                sum += w[k * RANK + r] * v[j * RANK + k];
            a[r * COLS + j] = (float)sum;
        }
    }
}

static void check_cut(const double *s, size_t to)
{
    static double u[ROWS * RANK], v[COLS * RANK];
    static float b[ROWS * RANK], a[RANK * COLS];
    planted(s, u, v, b, a);
    assert_int_equal(gm_low_rank_cut(b, ROWS, a, COLS, RANK, to, err), GM_OK);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COLS; j++) {
            double want = 0, have = 0;
            for (size_t k = 0; k < to; k++) {
                want += u[i * RANK + k] * s[k] * v[j * RANK + k];
                have += (double)b[i * to + k] * (double)a[k * COLS + j];
            }
            if (fabs(want - have) > 2e-6 * s[0])
                fail_msg("rank %zu, [%zu,%zu]: %g, not %g", to, i, j, have, want);
        }
    for (size_t k = 0; k < to; k++) { /* each factor has the root of the singular value */
        double of_b = 0, of_a = 0;
        for (size_t i = 0; i < ROWS; i++)
            of_b += (double)b[i * to + k] * (double)b[i * to + k];
        for (size_t j = 0; j < COLS; j++)
            of_a += (double)a[k * COLS + j] * (double)a[k * COLS + j];
        assert_true(fabs(of_b - s[k]) < 1e-5 * s[0] && fabs(of_a - s[k]) < 1e-5 * s[0]);
    }
}

static void the_largest_directions_stay(void **state)
{
    (void)state;
    static const double spread[RANK] = {9, 5, 4.5, 2, 1, 0.5, 0.01};
    for (size_t to = 1; to < RANK; to++)
        check_cut(spread, to);
}

static void less_than_its_rank(void **state)
{
    (void)state;
    static const double s[RANK] = {3, 2, 1};
    check_cut(s, 3);
    check_cut(s, 5);
}

static void nothing_stays_nothing(void **state)
{
    (void)state;
    float b[ROWS * RANK] = {0}, a[RANK * COLS];
    for (size_t i = 0; i < RANK * COLS; i++)
        a[i] = (float)i;
    assert_int_equal(gm_low_rank_cut(b, ROWS, a, COLS, RANK, 2, err), GM_OK);
    for (size_t i = 0; i < (size_t)ROWS * 2; i++)
        assert_true(b[i] == 0);
    for (size_t i = 0; i < (size_t)COLS * 2; i++)
        assert_true(a[i] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_largest_directions_stay, no_leak),
        cmocka_unit_test_teardown(less_than_its_rank, no_leak),
        cmocka_unit_test_teardown(nothing_stays_nothing, no_leak),
    };
    return run_group("low_rank", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
