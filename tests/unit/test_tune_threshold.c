/* Thresholds against enumeration: every curve, choice and cross-fitted figure. */
#include "unit.h"

#include <math.h>

#include "base/rng.h"
#include "tune/threshold.h"

enum { N = 30, FOLDS = 3, TRIALS = 200 };

struct trial {
    struct gm_tune_unit units[N];
    size_t n, n_gold[FOLDS];
    struct gm_tune_rule rule;
};

/* Few values of u, so that many are equal, some of them at the ends of what a threshold may be. */
static void draw(struct trial *t, struct gm_rng *r)
{
    t->n = gm_rng_below(r, N + 1);
    t->rule = (struct gm_tune_rule){.at_least = gm_rng_below(r, 2),
                                    .by_post = gm_rng_below(r, 2),
                                    .adds = gm_rng_below(r, 2),
                                    .lo = 0,
                                    .hi = 1};
    for (size_t k = 0; k < FOLDS; k++)
        t->n_gold[k] = N / FOLDS;
    for (size_t i = 0; i < t->n; i++) {
        struct gm_tune_unit *u = &t->units[i];
        size_t pick = gm_rng_below(r, 12);
        *u = (struct gm_tune_unit){.post = i / 3, .fold = (uint32_t)(i / 3 % FOLDS)};
        u->u = pick == 10 ? (double)INFINITY : pick == 11 ? (double)-INFINITY : (double)pick / 9;
        for (size_t way = 0; way < GM_TUNE_WAYS; way++) {
            u->way[way].n = gm_rng_below(r, 3);
            u->way[way].tp = gm_rng_below(r, u->way[way].n + 1);
        }
    }
}

static bool asked(const struct trial *t, const struct gm_tune_unit *u, double at)
{
    return t->rule.at_least ? u->u >= at : u->u > at;
}

/* All folds but `not`, or with `only` that one alone, as the definition says. */
static struct gm_tune_point naive(const struct trial *t, double at, uint32_t fold, bool only)
{
    struct gm_tune_point p = {.t = at};
    bool posts[N] = {false};
    for (size_t k = 0; k < FOLDS; k++)
        if (only == (k == fold))
            p.score.n_gold += t->n_gold[k];
    for (size_t i = 0; i < t->n; i++) {
        const struct gm_tune_unit *u = &t->units[i];
        if (only != (u->fold == fold))
            continue;
        bool a = asked(t, u, at);
        p.score.tp += u->way[a ? GM_TUNE_ASKED : GM_TUNE_LEFT].tp;
        p.score.n_pred += u->way[a ? GM_TUNE_ASKED : GM_TUNE_LEFT].n;
        p.oracle.tp += u->way[a ? GM_TUNE_ORACLE : GM_TUNE_LEFT].tp;
        p.units += a;
        p.calls += a && (!t->rule.by_post || !posts[u->post]);
        posts[u->post] = posts[u->post] || a;
    }
    return p;
}

static void assert_same(struct gm_tune_point a, struct gm_tune_point b)
{
    assert_int_equal(a.units, b.units);
    assert_int_equal(a.calls, b.calls);
    assert_int_equal(a.score.tp, b.score.tp);
    assert_int_equal(a.score.n_pred, b.score.n_pred);
    assert_int_equal(a.score.n_gold, b.score.n_gold);
    assert_int_equal(a.oracle.tp, b.oracle.tp);
}

/* The best of the thresholds 0, 1/90, 2/90, …: they tell all values of u apart. Of equal ones the
 * fewest calls, as the highest threshold has. */
static struct gm_tune_point best(const struct trial *t, const struct gm_tune_target *target,
                                 uint32_t fold)
{
    struct gm_tune_point found = naive(t, 1, fold, false), all = naive(t, 0, fold, false);
    double found_value = -2;
    for (int i = 90; i >= 0; i--) {
        struct gm_tune_point p = naive(t, i / 90.0, fold, false);
        double value = gm_score_f1(p.score), precision = gm_score_precision(p.score);
        bool ok = target->kind == GM_TUNE_PRECISION ? precision >= target->value
                  : target->kind == GM_TUNE_F1      ? value >= target->value
                  : target->kind == GM_TUNE_CALLS
                      ? (double)p.calls <= target->value * (double)all.calls
                      : true;
        if (target->kind == GM_TUNE_F1 || (target->kind == GM_TUNE_PRECISION && !t->rule.adds))
            value = 1 / (1 + (double)p.calls); /* the fewest */
        if (!ok)                               /* what comes nearest, below all that reach it */
            value = (target->kind == GM_TUNE_PRECISION ? precision
                     : target->kind == GM_TUNE_F1      ? gm_score_f1(p.score)
                                                       : 1 / (1 + (double)p.calls)) -
                    2;
        if (value > found_value) {
            found_value = value;
            found = p;
        }
    }
    return found;
}

static const struct gm_tune_target targets[] = {
    {GM_TUNE_BEST, 0}, {GM_TUNE_PRECISION, 0.5}, {GM_TUNE_PRECISION, 0.9}, {GM_TUNE_F1, 0.3},
    {GM_TUNE_F1, 0.9}, {GM_TUNE_CALLS, 0.4},     {GM_TUNE_CALLS, 0}};
enum { TARGETS = sizeof targets / sizeof *targets, NO_FOLD = FOLDS };

static void test_curve(void **state)
{
    (void)state;
    struct gm_rng r;
    struct gm_arena a;
    gm_rng_init(&r, 1);
    gm_arena_init(&a, 0);
    for (size_t k = 0; k < TRIALS; k++) {
        static struct trial t;
        struct gm_tune_point *p;
        size_t n, n_kinds = 1;
        draw(&t, &r);
        assert_int_equal(gm_tune_curve(t.units, t.n, N, &t.rule, &a, &p, &n, NULL), GM_OK);
        for (size_t i = 0; i < n; i++) {
            assert_true(p[i].t >= 0 && p[i].t <= 1 && (i == 0 || p[i].t < p[i - 1].t));
            assert_same(p[i], naive(&t, p[i].t, NO_FOLD, false));
            assert_same(p[i], gm_tune_at(t.units, t.n, N, &t.rule, p[i].t));
        }
        for (int i = 89; i >= 0; i--)
            n_kinds += naive(&t, i / 90.0, NO_FOLD, false).units !=
                       naive(&t, (i + 1) / 90.0, NO_FOLD, false).units;
        assert_int_equal(n, n_kinds); /* none is left out */
        gm_arena_reset(&a);
    }
    gm_arena_clear(&a);
}

static void test_choice(void **state)
{
    (void)state;
    struct gm_rng r;
    struct gm_arena a;
    gm_rng_init(&r, 2);
    gm_arena_init(&a, 0);
    for (size_t k = 0; k < TRIALS; k++) {
        static struct trial t;
        struct gm_tune_point *p;
        size_t n;
        draw(&t, &r);
        assert_int_equal(gm_tune_curve(t.units, t.n, N, &t.rule, &a, &p, &n, NULL), GM_OK);
        for (size_t i = 0; i < TARGETS; i++) {
            bool reached;
            const struct gm_tune_point *c = gm_tune_choose(p, n, &t.rule, &targets[i], &reached);
            assert_same(*c, best(&t, &targets[i], NO_FOLD));
        }
        gm_arena_reset(&a);
    }
    gm_arena_clear(&a);
}

static void test_cross(void **state)
{
    (void)state;
    struct gm_rng r;
    gm_rng_init(&r, 3);
    for (size_t k = 0; k < TRIALS; k++)
        for (size_t i = 0; i < TARGETS; i++) {
            static struct trial t;
            struct gm_tune_point got, want = {.t = 0};
            draw(&t, &r);
            assert_int_equal(
                gm_tune_cross(t.units, t.n, t.n_gold, FOLDS, &t.rule, &targets[i], &got, NULL),
                GM_OK);
            for (uint32_t f = 0; f < FOLDS; f++) {
                /* Between two values of u the code may cut elsewhere than the enumeration; the other
                 * folds do not tell, this one's units may. So the cut is its own, from those folds. */
                struct gm_arena a;
                struct gm_tune_unit rest[N];
                struct gm_tune_point *p;
                size_t n_rest = 0, n;
                gm_arena_init(&a, 0);
                for (size_t u = 0; u < t.n; u++)
                    if (t.units[u].fold != f)
                        rest[n_rest++] = t.units[u];
                assert_int_equal(
                    gm_tune_curve(rest, n_rest, N - t.n_gold[f], &t.rule, &a, &p, &n, NULL), GM_OK);
                const struct gm_tune_point *c = gm_tune_choose(p, n, &t.rule, &targets[i], NULL);
                assert_same(*c, best(&t, &targets[i], f));
                struct gm_tune_point own = naive(&t, c->t, f, true);
                gm_tune_add(&want, &own);
                gm_arena_clear(&a);
            }
            assert_same(got, want);
        }
}

/* Two folds of which each is the other's opposite: what is chosen on one is the worst for the other. Had
 * a fold's own units any say in its threshold, the figure would be higher. */
static void test_no_leak(void **state)
{
    (void)state;
    struct gm_tune_unit units[20];
    const size_t n_gold[2] = {10, 10};
    const struct gm_tune_rule rule = {.hi = 1};
    const struct gm_tune_target target = {GM_TUNE_BEST, 0};
    struct gm_tune_point p;
    for (size_t i = 0; i < 20; i++) {
        units[i] = (struct gm_tune_unit){.u = 0.5, .post = i, .fold = i % 2};
        for (size_t way = 0; way < GM_TUNE_WAYS; way++)
            units[i].way[way].n = 1;
        units[i].way[i % 2 ? GM_TUNE_ASKED : GM_TUNE_LEFT].tp = 1;
    }
    assert_int_equal(gm_tune_cross(units, 20, n_gold, 2, &rule, &target, &p, NULL), GM_OK);
    assert_int_equal(p.score.tp, 0);
    assert_int_equal(p.score.n_gold, 20);
}

static void test_folds(void **state)
{
    (void)state;
    size_t n[5] = {0};
    char id[20];
    for (int i = 0; i < 5000; i++) {
        snprintf(id, sizeof id, "%d", i);
        uint32_t k = gm_tune_fold(gm_str(id), 5);
        assert_true(k < 5 && k == gm_tune_fold(gm_str(id), 5));
        n[k]++;
    }
    for (size_t k = 0; k < 5; k++)
        assert_true(n[k] > 850 && n[k] < 1150);
    /* Fixed for ever: a settings file can be made again. */
    assert_int_equal(gm_tune_fold(GM_STR("797970"), 5), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curve),   cmocka_unit_test(test_choice), cmocka_unit_test(test_cross),
        cmocka_unit_test(test_no_leak), cmocka_unit_test(test_folds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
