/* threshold.c - for units with u_i and counts (tp, n) a way, the score at a threshold t is
 *
 *   tp(t) = sum over i of tp_i[a_i(t)],  n(t) alike,  a_i(t) = asked where u_i > t (or >= t), else left
 *   F1(t) = 2 tp(t) / (n(t) + number of gold entities)
 *
 * The curve goes from hi down through the gaps between the values of u, moving one group of equal units at
 * a time from left to asked. Naive reference: the enumeration in tests/unit/test_tune_threshold.c. */
#include "tune/threshold.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

uint32_t gm_tune_fold(struct gm_str id, size_t n_folds)
{
    return (uint32_t)(gm_hash64(gm_str_hash(id)) % n_folds);
}

struct gm_score gm_tune_point_score(const struct gm_tune_rule *r, const struct gm_tune_point *p)
{
    return r->is_oracle_only ? p->oracle : p->score;
}

static bool is_asked(const struct gm_tune_rule *r, double u, double t)
{
    return r->at_least ? u >= t : u > t;
}

void gm_tune_add(struct gm_tune_point *to, const struct gm_tune_point *add)
{
    to->units += add->units;
    to->calls += add->calls;
    gm_score_add(&to->score, add->score);
    gm_score_add(&to->oracle, add->oracle);
}

static void count(struct gm_tune_point *p, const struct gm_tune_unit *u, bool asked)
{
    enum gm_tune_way way = asked ? GM_TUNE_ASKED : GM_TUNE_LEFT;
    enum gm_tune_way best = asked ? GM_TUNE_ORACLE : GM_TUNE_LEFT;
    p->units += asked;
    p->score.tp += u->way[way].tp;
    p->score.n_pred += u->way[way].n;
    p->oracle.tp += u->way[best].tp;
    p->oracle.n_pred += u->way[best].n;
}

/* Whether none before it of its post is asked: the post's request is counted with it. */
static bool is_first(const struct gm_tune_unit *units, size_t i, const struct gm_tune_rule *r,
                     double t)
{
    for (size_t k = i; k-- > 0 && units[k].post == units[i].post;)
        if (is_asked(r, units[k].u, t))
            return false;
    return true;
}

struct gm_tune_point gm_tune_at(const struct gm_tune_unit *units, size_t n, size_t n_gold,
                                const struct gm_tune_rule *r, double t)
{
    struct gm_tune_point p = {.t = t, .score.n_gold = n_gold, .oracle.n_gold = n_gold};
    for (size_t i = 0; i < n; i++) {
        bool asked = is_asked(r, units[i].u, t);
        count(&p, &units[i], asked);
        p.calls += asked && (!r->by_post || is_first(units, i, r, t));
    }
    return p;
}

/* A number between two, exclusive, with as few digits as it takes. */
static double between(double low, double high)
{
    double middle = low + (high - low) / 2;
    for (int digits = 3; digits <= 9; digits += 3) {
        char text[40];
        snprintf(text, sizeof text, "%.*g", digits, middle);
        double t = strtod(text, NULL);
        if (low < t && t < high)
            return t;
    }
    return middle;
}

/* A threshold that asks a unit of `high` and not one of `low`, where the rule has one. */
static bool cut(double high, double low, const struct gm_tune_rule *r, double *t)
{
    double a = fmax(low, r->lo), b = fmin(high, r->hi);
    *t = low == (double)-INFINITY ? r->lo : high == (double)INFINITY ? r->hi : a;
    if (is_asked(r, high, *t) && !is_asked(r, low, *t) && *t >= r->lo && *t <= r->hi &&
        (*t == r->lo || *t == r->hi))
        return true;
    *t = between(a, b);
    return a < b;
}

/* ---- the curve ---- */

/* The highest of each post first: it is the one that the post's request is for. */
static int by_post(const void *a, const void *b)
{
    const struct gm_tune_unit *x = a, *y = b;
    if (x->post != y->post)
        return x->post < y->post ? -1 : 1;
    return (x->u < y->u) - (x->u > y->u);
}

/* A unit in the order of u. */
struct place {
    double u;
    const struct gm_tune_unit *unit;
    bool is_call;
};

static int falling(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->u < y->u) - (x->u > y->u);
}

/* Move a unit from left to asked. */
static void move(struct gm_tune_point *p, const struct place *at)
{
    const struct gm_tune_unit *u = at->unit;
    p->units++;
    p->calls += at->is_call;
    p->score.tp += u->way[GM_TUNE_ASKED].tp - u->way[GM_TUNE_LEFT].tp;
    p->score.n_pred += u->way[GM_TUNE_ASKED].n - u->way[GM_TUNE_LEFT].n;
    p->oracle.tp += u->way[GM_TUNE_ORACLE].tp - u->way[GM_TUNE_LEFT].tp;
    p->oracle.n_pred += u->way[GM_TUNE_ORACLE].n - u->way[GM_TUNE_LEFT].n;
}

enum gm_status gm_tune_curve(struct gm_tune_unit *units, size_t n, size_t n_gold,
                             const struct gm_tune_rule *r, struct gm_arena *a,
                             struct gm_tune_point **points, size_t *n_points, struct gm_error *err)
{
    struct place *at = gm_arena_alloc(a, n, sizeof *at);
    struct gm_tune_point *p = *points = gm_arena_alloc(a, n + 2, sizeof *p);
    struct gm_tune_point now = {.t = r->hi, .score.n_gold = n_gold, .oracle.n_gold = n_gold};
    *n_points = 0;
    if (!at || !p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (n)
        qsort(units, n, sizeof *units, by_post);
    for (size_t i = 0; i < n; i++) {
        at[i] = (struct place){units[i].u, &units[i],
                               !r->by_post || i == 0 || units[i].post != units[i - 1].post};
        count(&now, &units[i], false);
    }
    if (n)
        qsort(at, n, sizeof *at, falling);
    for (size_t i = 0; i <= n; i++) {
        double high = i ? at[i - 1].u : (double)INFINITY, low = i < n ? at[i].u : (double)-INFINITY;
        if (high != low && cut(high, low, r, &now.t))
            p[(*n_points)++] = now;
        if (i < n)
            move(&now, &at[i]);
    }
    return GM_OK;
}

/* ---- choosing ---- */

static double f1(const struct gm_tune_rule *r, const struct gm_tune_point *p)
{
    return gm_score_f1(gm_tune_point_score(r, p));
}

static double precision(const struct gm_tune_rule *r, const struct gm_tune_point *p)
{
    return gm_score_precision(gm_tune_point_score(r, p));
}

static bool is_reached(const struct gm_tune_point *p, const struct gm_tune_rule *r,
                       const struct gm_tune_target *target, size_t most_calls)
{
    switch (target->kind) {
    case GM_TUNE_PRECISION: return precision(r, p) >= target->value;
    case GM_TUNE_F1: return f1(r, p) >= target->value;
    case GM_TUNE_CALLS: return (double)p->calls <= target->value * (double)most_calls;
    case GM_TUNE_BEST: break;
    }
    return true;
}

/* What decides among the points that reach the target, and, the other way, among those that don't. */
static double value(const struct gm_tune_point *p, const struct gm_tune_rule *r,
                    const struct gm_tune_target *target, bool reached)
{
    bool cheapest = target->kind == GM_TUNE_F1 || (target->kind == GM_TUNE_PRECISION && !r->adds);
    if (reached)
        return cheapest ? -(double)p->calls : f1(r, p);
    return target->kind == GM_TUNE_PRECISION ? precision(r, p)
           : target->kind == GM_TUNE_F1      ? f1(r, p)
                                             : -(double)p->calls;
}

const struct gm_tune_point *gm_tune_choose(const struct gm_tune_point *points, size_t n,
                                           const struct gm_tune_rule *r,
                                           const struct gm_tune_target *target, bool *reached)
{
    const struct gm_tune_point *best = NULL;
    bool best_reached = false;
    for (size_t i = 0; i < n; i++) { /* fewer calls come first */
        const struct gm_tune_point *p = &points[i];
        bool now = is_reached(p, r, target, points[n - 1].calls);
        if (best && (best_reached > now ||
                     (best_reached == now &&
                      value(p, r, target, now) <= value(best, r, target, best_reached))))
            continue;
        best = p;
        best_reached = now;
    }
    if (reached)
        *reached = best_reached;
    return best;
}

/* The threshold that the units of the other folds ask for. */
static enum gm_status choose_without(const struct gm_tune_unit *units, size_t n, size_t n_gold,
                                     uint32_t fold, const struct gm_tune_rule *r,
                                     const struct gm_tune_target *target, double *t,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_tune_point *points;
    size_t n_rest = 0, n_points;
    gm_arena_init(&a, 0);
    struct gm_tune_unit *rest = gm_arena_alloc(&a, n, sizeof *rest);
    if (!rest) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        if (units[i].fold != fold)
            rest[n_rest++] = units[i];
    GM_TRY(gm_tune_curve(rest, n_rest, n_gold, r, &a, &points, &n_points, err));
    *t = gm_tune_choose(points, n_points, r, target, NULL)->t;
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_tune_cross(const struct gm_tune_unit *units, size_t n, const size_t *n_gold,
                             size_t n_folds, const struct gm_tune_rule *r,
                             const struct gm_tune_target *target, struct gm_tune_point *out,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    size_t all = 0;
    *out = (struct gm_tune_point){.t = (double)NAN};
    gm_arena_init(&a, 0);
    struct gm_tune_unit *own = gm_arena_alloc(&a, n, sizeof *own);
    if (!own) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t k = 0; k < n_folds; k++)
        all += n_gold[k];
    for (uint32_t k = 0; k < n_folds; k++) {
        size_t n_own = 0;
        double t = r->hi;
        GM_TRY(choose_without(units, n, all - n_gold[k], k, r, target, &t, err));
        for (size_t i = 0; i < n; i++)
            if (units[i].fold == k)
                own[n_own++] = units[i];
        const struct gm_tune_point p = gm_tune_at(own, n_own, n_gold[k], r, t);
        gm_tune_add(out, &p);
    }
done:
    gm_arena_clear(&a);
    return st;
}
