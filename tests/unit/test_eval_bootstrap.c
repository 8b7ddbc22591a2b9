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
    assert_int_equal(gm_bootstrap_run(&out, a, b, n, N, seed, NULL), GM_OK);
    return out;
}

/* Posts of one entity each, right with chance p: precision is a binomial share, whose spread is
 * known. */
static void draw(struct gm_count *posts, double p, uint64_t seed)
{
    struct gm_rng r;
    gm_rng_init(&r, seed);
    for (size_t i = 0; i < POSTS; i++)
        posts[i] = (struct gm_count){gm_rng_uniform(&r) < p, 1, 1};
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

static void test_edges(void **state)
{
    (void)state;
    const struct gm_count one = {1, 2, 1}, none = {0, 0, 0};
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
                                       leak_checked(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
