/* bootstrap.c - with the counts of n posts, B times n posts drawn with replacement, and F1
 * (precision, recall) of their summed counts:
 *
 *   interval = the 2.5th and 97.5th percentile of the B figures, between neighbours in proportion
 *   p = (1 + #{ b : |d_b - d| >= |d| }) / (B + 1)
 *
 * where d is the difference of two systems' F1 on all posts, and d_b that in resampling b, which
 * draws the same posts for both.
 *
 * Source: Efron 1979; Noreen 1989; Berg-Kirkpatrick, Burkett, Klein, EMNLP 2012, section 2.
 * Reference: cases with known answers in tests/unit/test_eval_bootstrap.c. */
#include "eval/bootstrap.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

enum { PRECISION, RECALL, F1, DIFF, N_FIGURES };

static void add(struct gm_score *to, const struct gm_count *c)
{
    gm_score_add(to, (struct gm_score){c->tp, c->n_pred, c->n_gold});
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The 2.5th and 97.5th percentile of n sorted figures, between neighbours in proportion. */
static struct gm_interval interval(double *x, size_t n)
{
    double q[2] = {0.025, 0.975};
    qsort(x, n, sizeof *x, by_size);
    for (size_t i = 0; i < 2; i++) {
        double at = q[i] * (double)(n - 1);
        size_t k = (size_t)at;
        q[i] = x[k] + (k + 1 < n ? (at - (double)k) * (x[k + 1] - x[k]) : 0);
    }
    return (struct gm_interval){q[0], q[1]};
}

/* One resampling of both systems. */
static void draw(const struct gm_count *posts, const struct gm_count *vs, size_t n,
                 struct gm_rng *rng, struct gm_score out[2])
{
    out[0] = out[1] = (struct gm_score){0};
    for (size_t i = 0; i < n; i++) {
        size_t k = gm_rng_below(rng, n);
        add(&out[0], &posts[k]);
        if (vs)
            add(&out[1], &vs[k]);
    }
}

static double p_value(const double *diffs, size_t n, double diff)
{
    size_t as_large = 0;
    for (size_t i = 0; i < n; i++)
        as_large += fabs(diffs[i] - diff) >= fabs(diff);
    return (double)(as_large + 1) / (double)(n + 1);
}

enum gm_status gm_bootstrap_run(struct gm_bootstrap *out, const struct gm_count *posts,
                                const struct gm_count *vs, size_t n_posts, size_t n, uint64_t seed,
                                struct gm_error *err)
{
    struct gm_rng rng;
    struct gm_score all[2] = {{0}}, one[2];
    *out = (struct gm_bootstrap){.n = n};
    double *x[N_FIGURES], *figures = gm_alloc(n, N_FIGURES * sizeof *figures);
    if (!figures)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu resamplings", n);
    for (size_t i = 0; i < N_FIGURES; i++)
        x[i] = figures + i * n;
    for (size_t i = 0; i < n_posts; i++) {
        add(&all[0], &posts[i]);
        if (vs)
            add(&all[1], &vs[i]);
    }
    out->diff = vs ? gm_score_f1(all[0]) - gm_score_f1(all[1]) : 0;
    gm_rng_init(&rng, seed);
    for (size_t i = 0; i < n && n_posts; i++) {
        draw(posts, vs, n_posts, &rng, one);
        x[PRECISION][i] = gm_score_precision(one[0]);
        x[RECALL][i] = gm_score_recall(one[0]);
        x[F1][i] = gm_score_f1(one[0]);
        x[DIFF][i] = vs ? x[F1][i] - gm_score_f1(one[1]) : 0;
    }
    if (n) {
        out->p_value = vs ? p_value(x[DIFF], n, out->diff) : 0;
        out->precision = interval(x[PRECISION], n);
        out->recall = interval(x[RECALL], n);
        out->f1 = interval(x[F1], n);
        out->diff_in = interval(x[DIFF], n);
    }
    gm_free(figures);
    return GM_OK;
}
