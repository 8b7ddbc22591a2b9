#include "tune/gather.h"

#include "eval/eval_internal.h"
#include "eval/pairs.h"
#include "formats/voc_xml.h"

enum gm_status gm_tune_units_add(struct gm_tune_units *u, const struct gm_tune_unit *unit,
                                 struct gm_error *err)
{
    enum gm_status st = GM_ARENA_GROW(u->arena, u->items, u->n, u->cap, err);
    if (st == GM_OK)
        u->items[u->n++] = *unit;
    return st;
}

void gm_tune_warn(struct gm_tune_result *r, const char *text)
{
    if (r->n_warnings < sizeof r->warnings / sizeof *r->warnings)
        r->warnings[r->n_warnings++] = text;
}

struct gm_tune_place *gm_tune_places(const struct gm_post *p, struct gm_arena *a)
{
    struct gm_solid at = {.text = p->text};
    struct gm_tune_place *out = gm_arena_alloc(a, p->n_entities, sizeof *out);
    for (size_t i = 0; out && i < p->n_entities; i++) {
        out[i].start = gm_solid_before(&at, p->entities[i].start);
        out[i].end = gm_solid_before(&at, p->entities[i].end);
    }
    return out;
}

size_t gm_tune_find(const struct gm_post *p, const struct gm_tune_place *at,
                    struct gm_tune_place place, struct gm_str type)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < p->n_entities; i++) {
        if (at[i].start != place.start || at[i].end != place.end)
            continue;
        if (gm_str_eq(p->entities[i].type, type))
            return i;
        if (found == SIZE_MAX)
            found = i;
    }
    return found;
}

static void clear_post(struct gm_tune_post *p, size_t n_runs)
{
    for (size_t i = 0; i < n_runs; i++)
        gm_post_clear(&p->runs[i]);
    gm_post_clear(&p->gold);
}

/* The next gold post with its predictions: each run brings its own copy of gold, of which the first is
 * kept. *has: whether there is one. */
static enum gm_status next_post(struct gm_pairs **pairs, size_t n_runs, struct gm_tune_post *p,
                                bool *has, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < n_runs && st == GM_OK; i++) {
        struct gm_post gold;
        bool more = false;
        gm_post_init(&gold);
        st = gm_pairs_next(pairs[i], i ? &gold : &p->gold, &p->runs[i], &more, err);
        if (i && more)
            gm_post_clear(&gold);
        if (st == GM_OK && i && more != *has)
            st = GM_FAIL(err, GM_EFORMAT, "the runs have different numbers of posts");
        *has = more;
        if (st != GM_OK || !more)
            break;
    }
    return st;
}

/* Every run has gold's text: places are compared as numbers. */
static enum gm_status check_texts(struct gm_pairs *const *pairs, size_t n_runs,
                                  const struct gm_tune_post *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool solid;
    for (size_t i = 0; i < n_runs && st == GM_OK; i++) {
        st = gm_pair_check(&p->gold, &p->runs[i], false, &solid, err);
        if (st == GM_EFORMAT)
            gm_pairs_blame(pairs[i], err);
    }
    return st;
}

static enum gm_status open_pairs(const struct gm_tune_opts *o, struct gm_pairs **pairs,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < o->n_runs && st == GM_OK; i++)
        st = gm_pairs_open(&pairs[i], o->gold, o->runs[i].path, &o->reading, err);
    return st;
}

enum gm_status gm_tune_each(const struct gm_tune_opts *o, struct gm_tune_result *r,
                            enum gm_status (*each)(void *user, struct gm_tune_post *p,
                                                   struct gm_error *err),
                            void *user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_pairs *pairs[GM_TUNE_RUNS] = {NULL};
    bool has = true;
    GM_TRY(open_pairs(o, pairs, err));
    for (;;) {
        struct gm_tune_post p = {.number = r->n_posts};
        st = next_post(pairs, o->n_runs, &p, &has, err);
        if (st == GM_OK && has)
            st = check_texts(pairs, o->n_runs, &p, err);
        if (st == GM_OK && has && o->xml)
            st = gm_post_add_boxes(&p.gold, o->xml, NULL, err);
        if (st == GM_OK && has) {
            p.fold = gm_tune_fold(p.gold.id, o->n_folds);
            r->n_posts++;
            r->n_failed += p.runs[0].error.stage.n > 0;
            st = each(user, &p, err);
        }
        clear_post(&p, o->n_runs);
        if (st != GM_OK || !has)
            break;
    }
done:
    for (size_t i = 0; i < o->n_runs; i++)
        gm_pairs_free(pairs[i]);
    return st;
}

enum gm_status gm_tune_finish(const struct gm_tune_opts *o, const struct gm_tune_target *target,
                              struct gm_tune_step *s, struct gm_tune_units *u, struct gm_arena *a,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_gold = 0;
    for (size_t i = 0; i < o->n_folds; i++)
        n_gold += u->n_gold[i];
    GM_TRY(gm_tune_curve(u->items, u->n, n_gold, &s->rule, a, &s->points, &s->n_points, err));
    s->n_units = u->n;
    s->chosen = gm_tune_choose(s->points, s->n_points, &s->rule, target, &s->reached);
    GM_TRY(
        gm_tune_cross(u->items, u->n, u->n_gold, o->n_folds, &s->rule, target, &s->crossed, err));
done:
    return st;
}
