/* Logistic regression against scikit-learn's weights, and its optimum against differences of the loss. */
#include "unit.h"

#include <math.h>

#include "base/json.h"
#include "tune/logistic.h"

enum { N_MAX = 200, D_MAX = 8 };

struct problem {
    double x[N_MAX * D_MAX], c, w[D_MAX], bias;
    bool y[N_MAX];
    size_t n, d;
};

static double number(const struct gm_json *j)
{
    double x = (double)NAN;
    (void)gm_json_num(j, &x);
    return x;
}

static void read_problem(const struct gm_json *j, struct problem *p)
{
    p->c = number(gm_json_get(j, "c"));
    p->d = (size_t)number(gm_json_get(j, "d"));
    p->n = gm_json_count(gm_json_get(j, "y"));
    p->bias = number(gm_json_get(j, "bias"));
    assert_true(p->n <= N_MAX && p->d <= D_MAX);
    for (size_t i = 0; i < p->n * p->d; i++)
        p->x[i] = number(gm_json_at(gm_json_get(j, "x"), i));
    for (size_t i = 0; i < p->n; i++)
        p->y[i] = number(gm_json_at(gm_json_get(j, "y"), i)) > 0;
    for (size_t i = 0; i < p->d; i++)
        p->w[i] = number(gm_json_at(gm_json_get(j, "w"), i));
}

/* The loss as its definition says. */
static double loss(const struct problem *p, const struct gm_logistic *l)
{
    double sum = 0;
    for (size_t i = 0; i < p->d; i++)
        sum += l->w[i] * l->w[i] / 2;
    for (size_t i = 0; i < p->n; i++) {
        double z = gm_logistic_logit(l, p->x + i * p->d, p->d);
        sum += p->c * log(1 + exp(p->y[i] ? -z : z));
    }
    return sum;
}

static void assert_optimum(const struct problem *p, struct gm_logistic l)
{
    double best = loss(p, &l);
    for (size_t k = 0; k <= p->d; k++)
        for (double h = -1e-3; h < 1.5e-3; h += 2e-3) {
            struct gm_logistic other = l;
            *(k < p->d ? &other.w[k] : &other.bias) += h;
            assert_true(loss(p, &other) > best);
        }
}

static void test_scikit_learn(void **state)
{
    (void)state;
    static struct problem p;
    struct gm_json *j;
    struct gm_error err = {0};
    if (gm_json_load(&j, "tests/golden/logistic.json", 1 << 20, &err) != GM_OK)
        fail_msg("%s", err.msg);
    assert_true(gm_json_count(j) == 8);
    for (size_t i = 0; i < gm_json_count(j); i++) {
        struct gm_logistic l;
        read_problem(gm_json_at(j, i), &p);
        assert_int_equal(gm_logistic_fit(&l, p.x, p.y, p.n, p.d, p.c, &err), GM_OK);
        for (size_t k = 0; k < p.d; k++)
            if (!(fabs(l.w[k] - p.w[k]) < 1e-4))
                fail_msg("problem %zu: w[%zu] is %.8g, not %.8g", i, k, l.w[k], p.w[k]);
        if (!(fabs(l.bias - p.bias) < 1e-4))
            fail_msg("problem %zu: the bias is %.8g, not %.8g", i, l.bias, p.bias);
        assert_optimum(&p, l);
    }
    gm_json_free(j);
}

static void test_refused(void **state)
{
    (void)state;
    struct gm_error err = {0};
    struct gm_logistic l;
    const double x[] = {1, 2, 3}, bad[] = {1, (double)NAN, 2};
    const bool y[] = {true, false, true}, same[] = {true, true, true};
    assert_int_equal(gm_logistic_fit(&l, x, same, 3, 1, 1, &err), GM_EARG);
    assert_non_null(strstr(err.msg, "one answer"));
    assert_int_equal(gm_logistic_fit(&l, bad, y, 3, 1, 1, &err), GM_EARG);
    assert_non_null(strstr(err.msg, "example 1"));
    assert_int_equal(gm_logistic_fit(&l, x, y, 3, GM_LOGISTIC_MAX + 1, 1, &err), GM_EARG);
    assert_int_equal(gm_logistic_fit(&l, x, y, 3, 0, 1, &err), GM_OK); /* the bias alone */
    assert_true(fabs(l.bias - log(2)) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scikit_learn),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
