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

#include "base/arena.h"
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

/* ---- the same posts of both systems ---- */

struct systems {
    const struct gm_count *a, *b; /* [n]; b NULL: one system alone */
    size_t n;
};

/* A post of one system. */
struct entry {
    uint64_t id;
    size_t at;
};

static int by_id(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static struct entry *sorted(const struct gm_count *posts, size_t n, struct gm_arena *arena)
{
    struct entry *e = gm_arena_alloc(arena, n, sizeof *e);
    for (size_t i = 0; e && i < n; i++)
        e[i] = (struct entry){posts[i].id, i};
    if (e && n)
        qsort(e, n, sizeof *e, by_id);
    return e;
}

/* The posts of the first system in their order, then those that only the second has; zeros where one
 * lacks a post. */
static enum gm_status join(const struct gm_count *a, size_t n_a, const struct gm_count *b,
                           size_t n_b, struct gm_arena *arena, struct systems *out,
                           struct gm_error *err)
{
    struct entry *x = sorted(a, n_a, arena), *y = sorted(b, n_b, arena);
    struct gm_count *of_a = gm_arena_alloc(arena, n_a + n_b, sizeof *of_a);
    struct gm_count *of_b = gm_arena_alloc(arena, n_a + n_b, sizeof *of_b);
    bool *is_joined = gm_arena_alloc(arena, n_b, sizeof *is_joined);
    size_t n = n_a;
    if (!x || !y || !of_a || !of_b || !is_joined)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu posts", n_a + n_b);
    for (size_t i = 0; i < n_a; i++)
        of_a[i] = a[i];
    for (size_t i = 0, k = 0; i < n_a && k < n_b;) {
        if (x[i].id == y[k].id) {
            is_joined[y[k].at] = true;
            of_b[x[i++].at] = b[y[k++].at];
        } else if (x[i].id < y[k].id) {
            i++;
        } else {
            k++;
        }
    }
    for (size_t k = 0; k < n_b; k++)
        if (!is_joined[k])
            of_b[n++] = b[k];
    *out = (struct systems){of_a, of_b, n};
    return GM_OK;
}

/* ---- resampling ---- */

/* One resampling of both systems. */
static void draw(const struct systems *s, struct gm_rng *rng, struct gm_score out[2])
{
    out[0] = out[1] = (struct gm_score){0};
    for (size_t i = 0; i < s->n; i++) {
        size_t k = gm_rng_below(rng, s->n);
        add(&out[0], &s->a[k]);
        if (s->b)
            add(&out[1], &s->b[k]);
    }
}

static double p_value(const double *diffs, size_t n, double diff)
{
    size_t as_large = 0;
    for (size_t i = 0; i < n; i++)
        as_large += fabs(diffs[i] - diff) >= fabs(diff);
    return (double)(as_large + 1) / (double)(n + 1);
}

/* The n figures of each kind, and of them what is told. */
static void resample(struct gm_bootstrap *out, const struct systems *s, double *figures,
                     uint64_t seed)
{
    struct gm_rng rng;
    struct gm_score all[2] = {{0}}, one[2];
    double *x[N_FIGURES];
    size_t n = out->n;
    for (size_t i = 0; i < N_FIGURES; i++)
        x[i] = figures + i * n;
    for (size_t i = 0; i < s->n; i++) {
        add(&all[0], &s->a[i]);
        if (s->b)
            add(&all[1], &s->b[i]);
    }
    out->diff = s->b ? gm_score_f1(all[0]) - gm_score_f1(all[1]) : 0;
    gm_rng_init(&rng, seed);
    for (size_t i = 0; i < n && s->n; i++) {
        draw(s, &rng, one);
        x[PRECISION][i] = gm_score_precision(one[0]);
        x[RECALL][i] = gm_score_recall(one[0]);
        x[F1][i] = gm_score_f1(one[0]);
        x[DIFF][i] = s->b ? x[F1][i] - gm_score_f1(one[1]) : 0;
    }
    if (n) {
        out->p_value = s->b ? p_value(x[DIFF], n, out->diff) : 0;
        out->precision = interval(x[PRECISION], n);
        out->recall = interval(x[RECALL], n);
        out->f1 = interval(x[F1], n);
        out->diff_in = interval(x[DIFF], n);
    }
}

enum gm_status gm_bootstrap_run(struct gm_bootstrap *out, const struct gm_count *posts,
                                size_t n_posts, const struct gm_count *vs, size_t n_vs, size_t n,
                                uint64_t seed, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena arena;
    struct systems s = {posts, NULL, n_posts};
    *out = (struct gm_bootstrap){.n = n};
    gm_arena_init(&arena, 0);
    double *figures = gm_arena_alloc(&arena, n, N_FIGURES * sizeof *figures);
    if (!figures) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu resamplings", n);
        goto done;
    }
    if (vs)
        GM_TRY(join(posts, n_posts, vs, n_vs, &arena, &s, err));
    resample(out, &s, figures, seed);
done:
    gm_arena_clear(&arena);
    return st;
}
