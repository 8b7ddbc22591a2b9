/* tune_entail.c - the fusion of what is known of whether an entity is in the image, and for which entities
 * a model is asked. Judged are gold entities that a run has the ends of; true = gold has a box.
 *
 * A logistic regression (logistic.h) for each set of sources S, fitted on all entities of which at least S
 * is known. With a model and an encoder among them, the bound b on |logit of the encoder|: within it,
 * all sources count, beyond it all but the model's. Three rounds of cross-fitting, each free of what it is
 * judged on:
 *   curve    the answers for fold k by weights fitted without k
 *   choice   the bound, on the curve
 *   crossed  for each fold k: weights and bound by the first two on the other folds alone, then judged on k */
#include "tune/entail_rows.h"
#include "tune/logistic.h"

#include "eval/binary.h"

#include <math.h>

enum { ENOUGH = 20 }; /* the fewest examples that a set is fitted on */
#define NO_FOLD UINT32_MAX

/* ---- fitting ---- */

/* The rows that a fit may see: not of two folds. */
static bool is_seen(const struct gm_tune_row *r, uint32_t not_a, uint32_t not_b)
{
    return r->fold != not_a && r->fold != not_b;
}

/* Weights of one set of sources; none where there are too few examples of it. */
static enum gm_status fit_set(const struct gm_tune_rows *w, unsigned sources, uint32_t not_a,
                              uint32_t not_b, double *x, bool *y, struct gm_fusion *f,
                              struct gm_error *err)
{
    size_t at[GM_EVIDENCE_X], d = 0, n = 0, n_in = 0;
    struct gm_fusion_set *s = &f->sets[f->n];
    struct gm_logistic l;
    for (size_t i = 0; i < GM_EVIDENCE_X; i++)
        if ((gm_evidence_x[i].source & sources) && !w->o->unused[i])
            at[d++] = i;
    for (size_t i = 0; i < w->n; i++) {
        const struct gm_tune_row *r = &w->rows[i];
        if (!is_seen(r, not_a, not_b) || (r->sources & sources) != sources)
            continue;
        for (size_t k = 0; k < d; k++)
            x[n * d + k] = r->x[at[k]];
        y[n++] = r->is_in;
        n_in += r->is_in;
    }
    if (n < ENOUGH || n_in == 0 || n_in == n)
        return GM_OK;
    enum gm_status st = gm_logistic_fit(&l, x, y, n, d, w->o->c, err);
    if (st != GM_OK)
        return st;
    *s = (struct gm_fusion_set){.sources = sources, .bias = l.bias};
    for (size_t k = 0; k < d; k++)
        s->w[at[k]] = l.w[k];
    f->n++;
    return GM_OK;
}

/* All sets; to judge a fold, those that are asked of it and single sources. */
static enum gm_status fit(const struct gm_tune_rows *w, uint32_t not_a, uint32_t not_b,
                          struct gm_fusion *f, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    f->n = 0;
    gm_arena_init(&a, 0);
    double *x = gm_arena_alloc(&a, w->n, GM_EVIDENCE_X * sizeof *x);
    bool *y = gm_arena_alloc(&a, w->n, sizeof *y);
    if (!x || !y) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (unsigned s = w->all; s; s = (s - 1) & w->all) /* every subset, all sources first */
        if (w->asked[s] || (s & (s - 1)) == 0 || not_a == NO_FOLD)
            GM_TRY(fit_set(w, s, not_a, not_b, x, y, f, err));
done:
    gm_arena_clear(&a);
    return st;
}

/* The fused logit of what is known but for some sources; that of the encoder where nothing was fitted. */
static double fused(const struct gm_fusion *f, const struct gm_tune_row *r, unsigned without)
{
    const struct gm_fusion_set *s = gm_fusion_find(f, r->sources & ~without);
    return s ? gm_fusion_logit(s, r->x) : r->x[0];
}

static void judge_fold(struct gm_tune_rows *w, const struct gm_fusion *f, uint32_t fold)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->rows[i].fold == fold) {
            w->rows[i].z = fused(f, &w->rows[i], 0);
            w->rows[i].z_left = fused(f, &w->rows[i], GM_EVIDENCE_MODEL);
        }
}

/* Each fold but `not` by weights without it and `not`. */
static enum gm_status judge_others(struct gm_tune_rows *w, uint32_t not, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_fusion f;
    for (uint32_t k = 0; k < w->o->n_folds; k++) {
        if (k == not )
            continue;
        GM_TRY(fit(w, k, not, &f, err));
        judge_fold(w, &f, k);
    }
done:
    return st;
}

/* ---- the bound ---- */

static const double most_logit = 7; /* more than any: gm_evidence_logit ends at 6.9 */

static bool has_bound(const struct gm_tune_rows *w)
{
    return (w->all & GM_EVIDENCE_MODEL) && (w->all & GM_EVIDENCE_ENCODER);
}

/* An answer is right or not, with the model or without: precision, recall and F1 of a step in which
 * everybody answers are all the accuracy. u = -|logit|, so that it rises with doubt. */
static struct gm_tune_unit bound_unit(const struct gm_tune_row *r)
{
    struct gm_tune_unit u = {.post = r->post, .fold = r->fold, .u = -fabs(r->x[0])};
    if (!(r->sources & GM_EVIDENCE_ENCODER))
        u.u = (double)INFINITY; /* always asked */
    for (size_t way = 0; way < GM_TUNE_WAYS; way++)
        u.way[way].n = 1;
    u.way[GM_TUNE_LEFT].tp = (r->z_left >= 0) == r->is_in;
    u.way[GM_TUNE_ASKED].tp = (r->z >= 0) == r->is_in;
    u.way[GM_TUNE_ORACLE].tp = 1;
    return u;
}

/* The probability, with the model where the bound asks it. */
static double answer(const struct gm_tune_row *r, bool bounded, double t)
{
    double z = bounded && !(bound_unit(r).u > t) ? r->z_left : r->z;
    return 1 / (1 + exp(-z));
}

/* Who is said to be in the image, at a threshold on the probability: the F1 of yes. */
static struct gm_tune_unit visible_unit(const struct gm_tune_row *r, double p)
{
    struct gm_tune_unit u = {.post = r->post, .fold = r->fold, .u = p};
    u.way[GM_TUNE_ASKED].n = 1;
    u.way[GM_TUNE_ASKED].tp = r->is_in;
    u.way[GM_TUNE_ORACLE].n = u.way[GM_TUNE_ORACLE].tp = r->is_in;
    return u;
}

static const struct gm_tune_rule visible_rule = {.at_least = true, .adds = true, .lo = 0, .hi = 1};

/* The two steps with what they are gathered into. */
struct steps {
    struct gm_tune_rule bound;
    struct gm_tune_target for_bound, for_visible;
    bool has_visible;
};

static struct steps steps_of(const struct gm_tune_opts *o)
{
    bool of_yes = o->target.kind == GM_TUNE_PRECISION || o->target.kind == GM_TUNE_F1;
    return (struct steps){.bound = {.by_post = o->by_post > 0, .lo = -most_logit, .hi = 0},
                          .for_bound =
                              of_yes ? (struct gm_tune_target){GM_TUNE_BEST, 0} : o->target,
                          .for_visible = o->target,
                          .has_visible = of_yes};
}

/* Units of the rows of every fold but `not`. t: NULL = of the bound, else of `visible` behind bound t. */
static enum gm_status gather(const struct gm_tune_rows *w, uint32_t not, const double *t,
                             struct gm_tune_units *u, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < w->n; i++) {
        const struct gm_tune_row *r = &w->rows[i];
        struct gm_tune_unit unit = t ? visible_unit(r, answer(r, has_bound(w), *t)) : bound_unit(r);
        if (r->fold == not )
            continue;
        GM_TRY(gm_tune_units_add(u, &unit, err));
        u->n_gold[r->fold] += t ? r->is_in : 1;
    }
done:
    return st;
}

/* The threshold that the units of `u` ask for. */
static enum gm_status choose(const struct gm_tune_units *u, const struct gm_tune_rule *rule,
                             const struct gm_tune_target *target, double *t, struct gm_error *err)
{
    struct gm_tune_point *points;
    size_t n_points, n_gold = 0;
    for (size_t k = 0; k < GM_TUNE_FOLDS; k++)
        n_gold += u->n_gold[k];
    enum gm_status st =
        gm_tune_curve(u->items, u->n, n_gold, rule, u->arena, &points, &n_points, err);
    if (st == GM_OK)
        *t = gm_tune_choose(points, n_points, rule, target, NULL)->t;
    return st;
}

/* Weights, bound and threshold without fold k, judged on fold k; the rows of k keep their z. */
struct crossed {
    struct gm_tune_point bound, visible;
};

static enum gm_status cross_fold(struct gm_tune_rows *w, uint32_t k, const struct steps *s,
                                 struct crossed *c, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_fusion f;
    double t = -most_logit, visible = GM_VISIBLE_MIN;
    gm_arena_init(&a, 0);
    struct gm_tune_units u = {.arena = &a}, v = {.arena = &a};
    GM_TRY(judge_others(w, k, err));
    if (has_bound(w)) {
        GM_TRY(gather(w, k, NULL, &u, err));
        GM_TRY(choose(&u, &s->bound, &s->for_bound, &t, err));
    }
    if (s->has_visible) {
        GM_TRY(gather(w, k, &t, &v, err));
        GM_TRY(choose(&v, &visible_rule, &s->for_visible, &visible, err));
    }
    GM_TRY(fit(w, k, NO_FOLD, &f, err));
    judge_fold(w, &f, k);
    for (size_t i = 0; i < w->n; i++) {
        const struct gm_tune_row *r = &w->rows[i];
        if (r->fold != k)
            continue;
        struct gm_tune_unit of_bound = bound_unit(r),
                            of_visible = visible_unit(r, answer(r, has_bound(w), t));
        struct gm_tune_point p = gm_tune_at(&of_bound, 1, 1, &s->bound, t);
        gm_tune_add(&c->bound, &p);
        p = gm_tune_at(&of_visible, 1, r->is_in, &visible_rule, visible);
        gm_tune_add(&c->visible, &p);
    }
done:
    gm_arena_clear(&a);
    return st;
}

static enum gm_status cross(struct gm_tune_rows *w, const struct steps *s, struct crossed *c,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *c = (struct crossed){.bound.t = (double)NAN, .visible.t = (double)NAN};
    for (uint32_t k = 0; k < w->o->n_folds && st == GM_OK; k++)
        st = cross_fold(w, k, s, c, err);
    return st;
}

/* ---- what is told ---- */

static enum gm_status tell_source(const struct gm_tune_rows *w, const char *name, unsigned sources,
                                  const double *p, struct gm_tune_result *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tune_source *to = &r->sources[r->n_sources];
    struct gm_arena a;
    size_t n = 0;
    gm_arena_init(&a, 0);
    double *scores = gm_arena_alloc(&a, w->n, sizeof *scores);
    bool *labels = gm_arena_alloc(&a, w->n, sizeof *labels);
    if (!scores || !labels) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < w->n; i++)
        if ((w->rows[i].sources & sources) == sources) {
            scores[n] = p[i];
            labels[n++] = w->rows[i].is_in;
        }
    const struct gm_binary b = gm_binary_count(scores, labels, n, GM_VISIBLE_MIN);
    *to = (struct gm_tune_source){.name = name,
                                  .n = n,
                                  .accuracy = gm_binary_accuracy(b),
                                  .f1 = gm_score_f1(gm_binary_score(b))};
    GM_TRY(gm_auc(scores, labels, n, &to->auc, err));
    r->n_sources += n > 0;
done:
    gm_arena_clear(&a);
    return st;
}

/* Each source alone: encoder and model as they are, the others by a regression of their own. */
static enum gm_status tell_sources(struct gm_tune_rows *w, double *p, struct gm_tune_result *r,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_fusion f;
    for (unsigned k = 0; k < GM_EVIDENCE_SOURCES; k++) {
        unsigned bit = 1U << k;
        bool as_is = bit == GM_EVIDENCE_ENCODER || bit == GM_EVIDENCE_MODEL;
        if (!(w->all & bit))
            continue;
        for (uint32_t fold = 0; fold < w->o->n_folds; fold++) {
            if (!as_is)
                GM_TRY(fit(w, fold, NO_FOLD, &f, err));
            for (size_t i = 0; i < w->n; i++)
                if (w->rows[i].fold == fold)
                    p[i] = 1 / (1 + exp(-(as_is ? w->rows[i].x[k] : fused(&f, &w->rows[i], ~bit))));
        }
        GM_TRY(tell_source(w, gm_evidence_source_names[k], bit, p, r, err));
        r->sources[r->n_sources - 1].is_crossed = !as_is;
    }
done:
    return st;
}

static void name_step(struct gm_tune_step *s, const char *stage, const char *setting,
                      const char *measure)
{
    s->stage = stage;
    s->setting = setting;
    s->measure = measure;
    s->unit = "entities";
}

/* The steps on the curve, whose rows hold the answers of weights that did not see them. */
static enum gm_status finish(struct gm_tune_rows *w, const struct steps *s, const struct crossed *c,
                             struct gm_tune_result *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tune_units u = {.arena = w->arena}, v = {.arena = w->arena};
    double t = -most_logit;
    if (has_bound(w)) {
        struct gm_tune_step *step = &r->steps[r->n_steps];
        name_step(step, "entail", "bound", "accuracy");
        step->rule = s->bound;
        step->is_negative = true;
        GM_TRY(gather(w, NO_FOLD, NULL, &u, err));
        GM_TRY(gm_tune_finish(w->o, &s->for_bound, step, &u, w->arena, err));
        step->crossed = c->bound;
        t = step->chosen->t;
        r->n_steps++;
    }
    if (s->has_visible) {
        struct gm_tune_step *step = &r->steps[r->n_steps];
        name_step(step, "ground", "visible", "F1 of yes");
        step->rule = visible_rule;
        GM_TRY(gather(w, NO_FOLD, &t, &v, err));
        GM_TRY(gm_tune_finish(w->o, &s->for_visible, step, &v, w->arena, err));
        step->crossed = c->visible;
        r->n_steps++;
    }
done:
    return st;
}

enum gm_status gm_tune_entail(const struct gm_tune_opts *o, struct gm_tune_result *r,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tune_rows w = {.o = o, .arena = &r->arena};
    const struct steps s = steps_of(o);
    struct crossed c;
    GM_TRY(gm_tune_rows_read(&w, r, err));
    r->n_entities = w.n;
    double *p = gm_arena_alloc(&r->arena, w.n, sizeof *p);
    if (!p) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(tell_sources(&w, p, r, err));
    GM_TRY(cross(&w, &s, &c, err));
    GM_TRY(judge_others(&w, NO_FOLD, err)); /* the curve */
    GM_TRY(finish(&w, &s, &c, r, err));
    if (r->n_steps == 0 && (o->target.kind != GM_TUNE_BEST || o->call_cost > 0 || o->by_post >= 0))
        gm_tune_warn(r, "without a model's word beside an encoder's there is no bound: --target, "
                        "--calls and --call-cost play no part");
    for (size_t i = 0; i < w.n; i++)
        p[i] = 1 / (1 + exp(-w.rows[i].z));
    GM_TRY(tell_source(&w, "all, fused", 0, p, r, err));
    r->sources[r->n_sources - 1].is_crossed = true;
    GM_TRY(fit(&w, NO_FOLD, NO_FOLD, &r->fusion, err));
    if (r->fusion.n == 0)
        gm_tune_warn(r, "there are too few entities to fit weights");
done:
    return st;
}
