/* Intervals and p-values: cases with known answers, and figures that can be computed otherwise. */
#include "post_files.h"

#include "base/rng.h"
#include "eval/bootstrap.h"

#include <math.h>

enum { POSTS = 400, N = 2000 };

static struct gm_bootstrap run(const struct gm_count *a, const struct gm_count *b, size_t n,
                               uint64_t seed)
{
    struct gm_bootstrap out;
    assert_int_equal(gm_bootstrap_run(&out, a, n, b, n, N, seed, NULL), GM_OK);
    return out;
}

/* Posts of one entity each, right with chance p: precision is a binomial share, whose spread is
 * known. */
static void draw(struct gm_count *posts, double p, uint64_t seed)
{
    struct gm_rng r;
    gm_rng_init(&r, seed);
    for (size_t i = 0; i < POSTS; i++)
        posts[i] = (struct gm_count){gm_rng_uniform(&r) < p, 1, 1, i};
}

static double share(const struct gm_count *posts)
{
    size_t n = 0;
    for (size_t i = 0; i < POSTS; i++)
        n += posts[i].tp;
    return (double)n / POSTS;
}

static void test_interval(void **state)
{
    (void)state;
    struct gm_count posts[POSTS];
    draw(posts, 0.7, 1);
    double p = share(posts), half = 1.96 * sqrt(p * (1 - p) / POSTS);
    struct gm_bootstrap b = run(posts, NULL, POSTS, 1), again = run(posts, NULL, POSTS, 1);
    assert_true(fabs(b.f1.low - (p - half)) < 0.006 && fabs(b.f1.high - (p + half)) < 0.006);
    assert_true(b.precision.low == b.recall.low && b.f1.high == b.precision.high);
    assert_true(b.f1.low == again.f1.low && b.f1.high == again.f1.high);
    assert_true(run(posts, NULL, POSTS, 2).f1.low != b.f1.low);
}

static void test_p_value(void **state)
{
    (void)state;
    struct gm_count a[POSTS], b[POSTS], c[POSTS];
    draw(a, 0.7, 1);
    draw(b, 0.7, 2);
    draw(c, 0.5, 3);
    struct gm_bootstrap same = run(a, a, POSTS, 1), far = run(a, c, POSTS, 1);
    assert_true(same.diff == 0 && same.p_value == 1 && same.diff_in.low == 0);
    assert_true(far.diff > 0.1 && far.p_value < 0.01 && far.diff_in.low > 0);
    struct gm_bootstrap near = run(a, b, POSTS, 1), back = run(b, a, POSTS, 1);
    assert_true(near.diff == -back.diff && near.p_value == back.p_value);
    /* The normal approximation of the paired test. */
    double mean = share(a) - share(b), sq = 0;
    for (size_t i = 0; i < POSTS; i++)
        sq += pow((double)a[i].tp - (double)b[i].tp - mean, 2);
    double z = fabs(mean) / sqrt(sq / POSTS / POSTS);
    assert_true(fabs(near.p_value - erfc(z / sqrt(2))) < 0.04);
}

/* Posts of two systems in two orders, one that repeats, and some that one of them lacks: the same figures as
 * of the lists in one order with zeros in the gaps. */
static void test_join(void **state)
{
    (void)state;
    const struct gm_count a[] = {{1, 1, 1, 30}, {0, 2, 1, 10}, {1, 2, 1, 20}, {0, 1, 0, 10}};
    const struct gm_count b[] = {{0, 3, 0, 50}, {1, 1, 1, 10}, {1, 1, 1, 20}, {0, 4, 0, 10},
                                 {0, 1, 1, 30}, {0, 1, 0, 10}, {0, 2, 0, 5}};
    const struct gm_count all_a[] = {{1, 1, 1, 1}, {0, 2, 1, 2}, {1, 2, 1, 3}, {0, 1, 0, 4},
                                     {0, 0, 0, 5}, {0, 0, 0, 6}, {0, 0, 0, 7}};
    const struct gm_count all_b[] = {{0, 1, 1, 1}, {1, 1, 1, 2}, {1, 1, 1, 3}, {0, 4, 0, 4},
                                     {0, 3, 0, 5}, {0, 1, 0, 6}, {0, 2, 0, 7}};
    struct gm_bootstrap got, want = run(all_a, all_b, 7, 1);
    assert_int_equal(gm_bootstrap_run(&got, a, 4, b, 7, N, 1, NULL), GM_OK);
    assert_memory_equal(&got, &want, sizeof got);
    assert_true(fabs(got.diff - (4 / 9.0 - 4 / 16.0)) < 1e-12);
    /* One that says nothing beside one that does. */
    assert_int_equal(gm_bootstrap_run(&got, a, 0, b, 7, N, 1, NULL), GM_OK);
    assert_true(fabs(got.diff + 4 / 16.0) < 1e-12 && got.f1.high == 0);
}

static void test_edges(void **state)
{
    (void)state;
    const struct gm_count one = {1, 2, 1, 7}, none = {0, 0, 0, 7};
    struct gm_bootstrap b = run(&one, NULL, 1, 1);
    assert_true(b.precision.low == 0.5 && b.precision.high == 0.5 && b.recall.low == 1);
    b = run(&none, &none, 1, 1);
    assert_true(b.f1.low == 0 && b.f1.high == 0 && b.diff == 0);
    b = run(NULL, NULL, 0, 1);
    assert_true(b.f1.low == 0 && b.f1.high == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {leak_checked(test_interval), leak_checked(test_p_value),
                                       leak_checked(test_join), leak_checked(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
