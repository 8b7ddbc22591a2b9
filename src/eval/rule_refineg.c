/* The evaluator that ReFineG's authors released with their code (tangjielong928/ReFineG), for the CCKS-2025
 * shared task. An entry is a name, a type and one box or none, and a post's entries are compared as sets of
 *
 *   (name, type, k)   k = 0 without a box; of a gold entry with one its own number; of a predicted one the
 *                     number of the first gold entry of that name, whatever its type, whose box overlaps
 *                     enough, or -100
 *
 * so that a prediction is right when its tuple is a gold one. What follows from it:
 *   - two predicted boxes of one name and type on one gold box collapse into one, and so do all those
 *     that fit none;
 *   - a gold entry with a box never collapses, and of two whose boxes a prediction both fits only the first
 *     can be found;
 *   - a post without gold entries, or without predicted ones, is not counted at all, on either side;
 *   - overlap is taken in single precision (torchvision), and an empty union is no overlap.
 * Naive reference: refineg() of tests/ref/metrics_reference.py (tests/e2e/test_eval_released.py). */
#include "eval/match.h"

#include <stdlib.h>
#include <string.h>

/* The shared task knows six types; predictions of others are left out there. */
static bool is_counted(enum gm_task task, const struct gm_entity *e)
{
    static const char *const known[] = {"vehicle", "aircraft", "vessel",
                                        "weapon",  "location", "other"};
    bool found = task != GM_TASK_CCKS;
    for (size_t i = 0; i < sizeof known / sizeof *known && !found; i++)
        found = gm_str_eq(e->type, (struct gm_str){known[i], strlen(known[i])});
    return found;
}

static enum gm_status take_regions(struct gm_match *m, struct gm_error *err)
{
    if (m->gold.n == 0 || m->pred.n == 0) {
        gm_buf_reset(&m->gold);
        gm_buf_reset(&m->pred);
        return GM_OK;
    }
    return gm_match_split_boxes(m, err);
}

/* Compiled so that each operation is rounded (CMakeLists.txt). */
static float single_iou(const double a[4], const double b[4])
{
    float low[2], high[2], area[2] = {1, 1}, common = 1;
    for (size_t i = 0; i < 2; i++) {
        float a_low = (float)a[i], a_high = (float)a[i + 2];
        float b_low = (float)b[i], b_high = (float)b[i + 2];
        float side = a_high - a_low;
        area[0] *= side;
        side = b_high - b_low;
        area[1] *= side;
        low[i] = a_low > b_low ? a_low : b_low;
        high[i] = a_high < b_high ? a_high : b_high;
        side = high[i] - low[i];
        common *= side > 0 ? side : 0;
    }
    float both = area[0] + area[1];
    both -= common;
    return both == 0 ? 0 : common / both;
}

static bool overlaps(const struct gm_match *m, const struct gm_match_item *p,
                     const struct gm_match_item *g, double least, bool strict)
{
    double iou = m->opts->task == GM_TASK_SMNER
                     ? gm_shape_iou(p->shapes, g->shapes, m->opts->task)
                     : (double)single_iou(p->shapes->box, g->shapes->box);
    return strict ? iou > least : iou >= least;
}

/* A prediction's tuple. */
struct tuple {
    uint32_t place, type;
    uint32_t gold; /* k: a gold item's index, UNMATCHED where it fits none, or NO_BOX */
    uint32_t pred; /* whose it is */
};
#define NO_BOX (GM_UNMATCHED - 1)

static int by_tuple(const void *a, const void *b)
{
    const struct tuple *x = a, *y = b;
    const uint32_t xs[] = {x->place, x->type, x->gold, x->pred};
    const uint32_t ys[] = {y->place, y->type, y->gold, y->pred};
    for (size_t i = 0; i < 4; i++)
        if (xs[i] != ys[i])
            return xs[i] < ys[i] ? -1 : 1;
    return 0;
}

static uint32_t find_gold(const struct gm_match *m, const struct gm_match_item *p, double least,
                          bool strict)
{
    size_t n_gold, n;
    const struct gm_match_item *gold = gm_match_gold(m, &n_gold);
    const uint32_t *meets = gm_match_meets(m, p, &n);
    if (p->n_shapes == 0)
        return NO_BOX;
    for (size_t k = 0; k < n; k++)
        if (gold[meets[k]].n_shapes && overlaps(m, p, &gold[meets[k]], least, strict))
            return meets[k];
    return GM_UNMATCHED;
}

/* Predictions whose tuples are equal count once. *out [n_pred] in order of the tuples, borrowed. */
static enum gm_status make_tuples(struct gm_match *m, double least, bool strict,
                                  const struct tuple **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n;
    struct gm_match_item *pred = gm_match_pred(m, &n);
    gm_buf_reset(&m->sorted);
    for (size_t i = 0; i < n; i++) {
        struct tuple t = {pred[i].place, pred[i].type, find_gold(m, &pred[i], least, strict),
                          (uint32_t)i};
        GM_TRY(gm_buf_add(&m->sorted, &t, sizeof t, err));
    }
    struct tuple *t = (void *)m->sorted.p;
    if (n)
        qsort(t, n, sizeof *t, by_tuple);
    for (size_t i = 0; i < n; i++)
        pred[t[i].pred].is_copy = i && t[i].place == t[i - 1].place && t[i].type == t[i - 1].type &&
                                  t[i].gold == t[i - 1].gold;
    *out = t;
    GM_TRY(gm_match_list_predictions(m, err));
done:
    return st;
}

/* The gold item that has this tuple; UNMATCHED = none. */
static uint32_t gold_of(const struct gm_match *m, const struct tuple *t)
{
    size_t n_gold, n_pred, n;
    const struct gm_match_item *gold = gm_match_gold(m, &n_gold);
    const uint32_t *meets = gm_match_meets(m, &gm_match_pred(m, &n_pred)[t->pred], &n);
    if (t->gold != NO_BOX)
        return t->gold != GM_UNMATCHED && gold[t->gold].type == t->type ? t->gold : GM_UNMATCHED;
    for (size_t k = 0; k < n; k++)
        if (gold[meets[k]].n_shapes == 0 && gold[meets[k]].type == t->type)
            return meets[k];
    return GM_UNMATCHED;
}

/* What counts depends on the overlap that is asked for; steps that ask for none share out what counts at
 * the evaluation's own as well as can be, so that no later step finds more than an earlier one. */
static enum gm_status match(struct gm_match *m, const struct gm_need *need, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n;
    const struct tuple *tuples;
    const struct gm_match_item *pred = gm_match_pred(m, &n);
    uint32_t *mate = gm_match_mates(m), *taken_by = gm_match_taken_by(m);
    double least = need->iou < 0 ? m->opts->iou : need->iou;
    GM_TRY(make_tuples(m, least, need->strict, &tuples, err));
    if (need->iou < 0)
        return gm_match_best(m, need, err);
    for (size_t i = 0; i < n; i++) {
        uint32_t p = tuples[i].pred;
        if (pred[p].is_copy || (need->boxed_only && pred[p].n_shapes == 0))
            continue;
        mate[p] = gold_of(m, &tuples[i]);
        if (mate[p] != GM_UNMATCHED)
            taken_by[mate[p]] = p;
    }
done:
    return st;
}

const struct gm_rule_def gm_rule_refineg = {.name = "refineg",
                                            .whole_names = true,
                                            .is_set_unboxed = true,
                                            .is_counted = is_counted,
                                            .take_regions = take_regions,
                                            .match = match};
