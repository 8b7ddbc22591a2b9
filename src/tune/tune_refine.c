/* tune_refine.c - what asking about spans, types and regions costs and brings. One run is what was
 * predicted; a second, of the same posts after a model was asked about everything, says what it makes
 * of each. Without that only the oracle's way is known: whoever is asked is put right, as far as one
 * correction can.
 *   span    units: entities of either run that hang together by overlapping; right: both ends
 *   type    units: entities; right: ends and type. One whose ends the second run moved stays as it is
 *   region  units: entities with a region; right: ends, type and region, by `--rule set` of gmner */
#include "tune/gather.h"

#include "eval/eval.h"

#include <math.h>
#include <stdlib.h>

enum { BEFORE, AFTER, SIDES };
enum { SPAN, TYPE, REGION, STEPS };

struct refine {
    struct gm_eval *eval[STEPS][SIDES];
    struct gm_tune_units units[STEPS];
    bool has_after;
    size_t n_entities, n_unscored, n_regions, n_gold_regions;
};

/* An entity of either run, or of gold, at its place. */
struct item {
    struct gm_tune_place at;
    enum { ITEM_BEFORE, ITEM_AFTER, ITEM_GOLD } of;
    size_t i;
};

static int by_start(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return (x->at.start > y->at.start) - (x->at.start < y->at.start);
}

static double doubt(const struct gm_entity *e, double of_step)
{
    return 1 - (e->uncertainty.has && isfinite(of_step) ? of_step : e->score);
}

/* The least score of its regions, as the stage check has it. One without a region is not asked about. */
static double region_doubt(const struct gm_entity *e)
{
    double most = (double)-INFINITY;
    for (size_t i = 0; i < e->n_regions; i++)
        most = fmax(most, 1 - (double)e->regions[i].score);
    return most;
}

static double span_doubt(const struct gm_entity *e) { return doubt(e, e->uncertainty.span_score); }

/* ---- spans ---- */

/* Count the entities of one group, whose items hang together. */
static void count_group(const struct refine *w, const struct gm_tune_post *p,
                        const struct item *items, size_t n, struct gm_tune_unit *u)
{
    size_t n_wrong = 0, n_unfound = 0, n_before = 0;
    u->u = (double)-INFINITY;
    for (size_t k = 0; k < n; k++) {
        const struct item *it = &items[k];
        if (it->of == ITEM_GOLD) {
            n_unfound += gm_eval_verdict(w->eval[SPAN][BEFORE], true, it->i) != GM_VERDICT_RIGHT;
            continue;
        }
        bool before = it->of == ITEM_BEFORE;
        enum gm_verdict v = gm_eval_verdict(w->eval[SPAN][before ? BEFORE : AFTER], false, it->i);
        enum gm_tune_way way = before ? GM_TUNE_LEFT : GM_TUNE_ASKED;
        n_before += before;
        if (before)
            u->u = fmax(u->u, span_doubt(&p->runs[BEFORE].entities[it->i]));
        if (v == GM_VERDICT_COPY)
            continue;
        u->way[way].n++;
        u->way[way].tp += v == GM_VERDICT_RIGHT;
        n_wrong += before && v != GM_VERDICT_RIGHT;
    }
    size_t put_right = n_wrong < n_unfound ? n_wrong : n_unfound;
    u->way[GM_TUNE_ORACLE].tp = u->way[GM_TUNE_ORACLE].n = u->way[GM_TUNE_LEFT].tp + put_right;
    if (!n_before) /* what the second run found beside them: no threshold decides about it */
        for (size_t way = 0; way < GM_TUNE_WAYS; way++)
            u->way[way] = u->way[GM_TUNE_ASKED];
}

static enum gm_status add_items(struct item *items, size_t *n, const struct gm_post *p, int of,
                                struct gm_arena *a, struct gm_error *err)
{
    const struct gm_tune_place *at = gm_tune_places(p, a);
    if (!at)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_entities; i++) {
        items[*n] = (struct item){.at = at[i], .i = i};
        items[(*n)++].of = of == ITEM_BEFORE  ? ITEM_BEFORE
                           : of == ITEM_AFTER ? ITEM_AFTER
                                              : ITEM_GOLD;
    }
    return GM_OK;
}

/* Groups of what hangs together, gold among it. */
static enum gm_status add_spans(struct refine *w, struct gm_tune_post *p, struct gm_arena *a,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = 0, n_after = w->has_after ? p->runs[AFTER].n_entities : 0;
    size_t most = p->runs[BEFORE].n_entities + n_after + p->gold.n_entities;
    struct item *items = gm_arena_alloc(a, most, sizeof *items);
    if (!items)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(add_items(items, &n, &p->runs[BEFORE], ITEM_BEFORE, a, err));
    if (w->has_after)
        GM_TRY(add_items(items, &n, &p->runs[AFTER], ITEM_AFTER, a, err));
    GM_TRY(add_items(items, &n, &p->gold, ITEM_GOLD, a, err));
    if (n)
        qsort(items, n, sizeof *items, by_start);
    for (size_t from = 0, to; from < n; from = to) {
        size_t end = items[from].at.end;
        for (to = from + 1; to < n && items[to].at.start < end; to++)
            if (items[to].at.end > end)
                end = items[to].at.end;
        struct gm_tune_unit u = {.post = p->number, .fold = p->fold};
        count_group(w, p, items + from, to - from, &u);
        if (u.way[GM_TUNE_LEFT].n || u.way[GM_TUNE_ASKED].n)
            GM_TRY(gm_tune_units_add(&w->units[SPAN], &u, err));
    }
done:
    return st;
}

/* ---- types and regions ---- */

/* Entities one by one: u is the doubt, `reach` the least verdict that one correction puts right. */
static enum gm_status add_entity(struct refine *w, const struct gm_tune_post *p, size_t step,
                                 size_t i, size_t after, double u, struct gm_error *err)
{
    enum gm_verdict now = gm_eval_verdict(w->eval[step][BEFORE], false, i), then = now;
    enum gm_verdict reach = step == TYPE ? GM_VERDICT_TYPE : GM_VERDICT_IMAGE;
    struct gm_tune_unit unit = {.u = u, .post = p->number, .fold = p->fold};
    if (now == GM_VERDICT_COPY)
        return GM_OK;
    if (after != SIZE_MAX)
        then = gm_eval_verdict(w->eval[step][AFTER], false, after);
    for (size_t way = 0; way < GM_TUNE_WAYS; way++)
        unit.way[way].n = 1;
    unit.way[GM_TUNE_LEFT].tp = now == GM_VERDICT_RIGHT;
    unit.way[GM_TUNE_ASKED].tp = then == GM_VERDICT_RIGHT;
    unit.way[GM_TUNE_ORACLE].tp = now >= reach;
    return gm_tune_units_add(&w->units[step], &unit, err);
}

static enum gm_status add_entities(struct refine *w, struct gm_tune_post *p, struct gm_arena *a,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_post *before = &p->runs[BEFORE], *after = &p->runs[AFTER];
    const struct gm_tune_place *at = gm_tune_places(before, a);
    const struct gm_tune_place *then = w->has_after ? gm_tune_places(after, a) : at;
    if (!at || !then)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < before->n_entities; i++) {
        const struct gm_entity *e = &before->entities[i];
        size_t k = w->has_after ? gm_tune_find(after, then, at[i], e->type) : SIZE_MAX;
        GM_TRY(add_entity(w, p, TYPE, i, k, doubt(e, e->uncertainty.type_score), err));
        GM_TRY(add_entity(w, p, REGION, i, k, region_doubt(e), err));
        w->n_regions += e->n_regions;
        w->n_unscored += e->score >= 1 && !e->uncertainty.has;
    }
    w->n_entities += before->n_entities;
done:
    return st;
}

static enum gm_status each(void *user, struct gm_tune_post *p, struct gm_error *err)
{
    struct refine *w = user;
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    for (size_t s = 0; s < STEPS; s++) {
        for (size_t k = 0; k < SIDES; k++)
            if (w->eval[s][k])
                GM_TRY(gm_eval_add(w->eval[s][k], &p->gold, &p->runs[k], err));
        w->units[s].n_gold[p->fold] += p->gold.n_entities;
    }
    for (size_t i = 0; i < p->gold.n_entities; i++)
        w->n_gold_regions += p->gold.entities[i].n_regions;
    GM_TRY(add_spans(w, p, &a, err));
    GM_TRY(add_entities(w, p, &a, err));
done:
    gm_arena_clear(&a);
    return st;
}

static enum gm_status open_evals(struct refine *w, struct gm_error *err)
{
    static const enum gm_task tasks[STEPS] = {GM_TASK_SPAN, GM_TASK_MNER, GM_TASK_GMNER};
    enum gm_status st = GM_OK;
    for (size_t s = 0; s < STEPS; s++)
        for (size_t k = 0; k < SIDES && (k == BEFORE || w->has_after); k++) {
            struct gm_eval_opts eo = gm_eval_opts_default(tasks[s]);
            eo.rule = s == REGION ? GM_RULE_SET : eo.rule;
            GM_TRY(gm_eval_new(&w->eval[s][k], &eo, err));
        }
done:
    return st;
}

static const struct {
    const char *stage, *setting, *measure, *unit;
} names[STEPS] = {{"refine", "span", "F1 of spans", "groups of entities"},
                  {"refine", "type", "F1 of spans and types", "entities"},
                  {"check", "region", "F1 of spans, types and regions", "entities"}};

static enum gm_status finish(const struct gm_tune_opts *o, struct refine *w,
                             struct gm_tune_result *r, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t s = 0; s < STEPS; s++) {
        struct gm_tune_step *step = &r->steps[r->n_steps];
        if (s == REGION && (!w->n_regions || !w->n_gold_regions))
            continue;
        step->stage = names[s].stage;
        step->setting = names[s].setting;
        step->measure = names[s].measure;
        step->unit = names[s].unit;
        step->rule = (struct gm_tune_rule){.by_post = o->by_post >= 0 ? o->by_post : 1,
                                           .lo = 0,
                                           .hi = 1,
                                           .is_oracle_only = !w->has_after};
        GM_TRY(gm_tune_finish(o, &o->target, step, &w->units[s], &r->arena, err));
        r->n_steps++;
    }
done:
    return st;
}

enum gm_status gm_tune_refine(const struct gm_tune_opts *o, struct gm_tune_result *r,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct refine w = {.has_after = o->n_runs > 1};
    for (size_t s = 0; s < STEPS; s++)
        w.units[s].arena = &r->arena;
    GM_TRY(open_evals(&w, err));
    GM_TRY(gm_tune_each(o, r, each, &w, err));
    r->n_entities = w.n_entities;
    if (w.n_entities == 0 || w.n_unscored == w.n_entities) {
        st =
            GM_FAIL(err, GM_EFORMAT,
                    "%s: no entity has a score below 1 or an uncertainty, so that there is nothing "
                    "a threshold could go by",
                    o->runs[0].path);
        goto done;
    }
    GM_TRY(finish(o, &w, r, err));
done:
    for (size_t s = 0; s < STEPS; s++)
        for (size_t k = 0; k < SIDES; k++)
            gm_eval_free(w.eval[s][k]);
    return st;
}
