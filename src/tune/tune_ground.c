/* tune_ground.c - the least probability of being in the image (`visible`) for which a box is looked for.
 * The run is one in which it was looked for all (visible: 0). An entity that is left has no region, one
 * that is asked about has those of the run; the oracle's have the right ones, where span and type are
 * right. Right: ends, type and region, by `--rule set` of gmner. */
#include "tune/gather.h"

#include "eval/eval.h"

#include <math.h>

struct ground {
    struct gm_eval *with, *without;
    struct gm_tune_units units;
    size_t n_entities, n_judged, n_hidden;
};

/* The same post without regions. */
static enum gm_status strip(const struct gm_post *p, struct gm_arena *a, struct gm_post *out,
                            struct gm_error *err)
{
    *out = *p;
    out->entities = gm_arena_alloc(a, p->n_entities, sizeof *out->entities);
    if (!out->entities)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_entities; i++) {
        out->entities[i] = p->entities[i];
        out->entities[i].n_regions = 0;
    }
    return GM_OK;
}

static enum gm_status add_entity(struct ground *w, const struct gm_tune_post *p, size_t i,
                                 struct gm_error *err)
{
    const struct gm_entity *e = &p->runs[0].entities[i];
    enum gm_verdict left = gm_eval_verdict(w->without, false, i);
    enum gm_verdict asked = gm_eval_verdict(w->with, false, i);
    struct gm_tune_unit u = {
        .u = e->visible >= 0 ? e->visible : (double)INFINITY, .post = p->number, .fold = p->fold};
    if (asked == GM_VERDICT_COPY)
        return GM_OK;
    for (size_t way = 0; way < GM_TUNE_WAYS; way++)
        u.way[way].n = 1;
    u.way[GM_TUNE_LEFT].tp = left == GM_VERDICT_RIGHT;
    u.way[GM_TUNE_ASKED].tp = asked == GM_VERDICT_RIGHT;
    u.way[GM_TUNE_ORACLE].tp = asked >= GM_VERDICT_IMAGE;
    w->n_judged += e->visible >= 0;
    w->n_hidden += gm_str_find(e->note, GM_STR("no_box:below_threshold"), 0) != SIZE_MAX;
    return gm_tune_units_add(&w->units, &u, err);
}

static enum gm_status each(void *user, struct gm_tune_post *p, struct gm_error *err)
{
    struct ground *w = user;
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_post stripped;
    gm_arena_init(&a, 0);
    GM_TRY(strip(&p->runs[0], &a, &stripped, err));
    GM_TRY(gm_eval_add(w->with, &p->gold, &p->runs[0], err));
    GM_TRY(gm_eval_add(w->without, &p->gold, &stripped, err));
    w->units.n_gold[p->fold] += p->gold.n_entities;
    w->n_entities += p->runs[0].n_entities;
    for (size_t i = 0; i < p->runs[0].n_entities; i++)
        GM_TRY(add_entity(w, p, i, err));
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_tune_ground(const struct gm_tune_opts *o, struct gm_tune_result *r,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct ground w = {.units.arena = &r->arena};
    struct gm_eval_opts eo = gm_eval_opts_default(GM_TASK_GMNER);
    struct gm_tune_step *step = &r->steps[0];
    eo.rule = GM_RULE_SET;
    GM_TRY(gm_eval_new(&w.with, &eo, err));
    GM_TRY(gm_eval_new(&w.without, &eo, err));
    GM_TRY(gm_tune_each(o, r, each, &w, err));
    r->n_entities = w.n_entities;
    if (w.n_judged == 0) {
        st = GM_FAIL(
            err, GM_EFORMAT,
            "%s: no entity has \"visible\", which the threshold is of; the recipe needs the "
            "stage entail",
            o->runs[0].path);
        goto done;
    }
    if (w.n_hidden)
        gm_tune_warn(
            r, "the run gave entities below its own threshold no box, so that lower thresholds "
               "can't be judged; run it with visible: 0");
    step->stage = "ground";
    step->setting = "visible";
    step->measure = "F1 of spans, types and regions";
    step->unit = "entities";
    step->rule = (struct gm_tune_rule){
        .at_least = true, .by_post = o->by_post > 0, .adds = true, .lo = 0, .hi = 1};
    GM_TRY(gm_tune_finish(o, &o->target, step, &w.units, &r->arena, err));
    r->n_steps = 1;
done:
    gm_eval_free(w.with);
    gm_eval_free(w.without);
    return st;
}
