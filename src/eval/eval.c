/* eval.c - with tp the predictions that found a mate by the rule, over all posts (micro):
 *
 *   precision = tp / predicted,   recall = tp / gold,   F1 = 2 P R / (P + R)
 *
 * and the same by type. The decomposition of errors matches anew with growing needs (place;
 * type; in the image or not; overlap): what an entity has wrong is the need behind the last step
 * at which it had a mate. The curve is F1 with overlap 0.50, 0.55, …, 0.95. Naive references:
 * seqeval (tests/golden/seqeval.txt, tests/unit/test_eval_seqeval.c), and for tasks with images
 * tests/ref/metrics_reference.py (tests/e2e/test_eval_rules.py). */
#include "eval/eval.h"

#include "base/alloc.h"
#include "eval/breakdown.h"
#include "eval/eval_internal.h"
#include "eval/match.h"
#include "record/labels.h"

#include <string.h>

enum { MAX_TYPES = 65535, MAX_STEPS = 4 };

/* A step of the decomposition: what must agree up to it. */
struct step {
    enum gm_verdict wrong; /* what an entity that passes all steps before has wrong here */
    struct gm_need need;
};

struct gm_eval {
    struct gm_eval_opts opts;
    struct step steps[MAX_STEPS];
    size_t n_steps;
    struct gm_labels types;
    struct gm_buf scores;  /* struct gm_score [types.n] */
    struct gm_buf by_name; /* uint32_t [types.n]: type numbers in order of their names */
    struct gm_score total;
    size_t step_tp[MAX_STEPS], curve_tp[GM_CURVE];
    size_t curve_pred[GM_CURVE]; /* by refineg what counts depends on the overlap */
    struct gm_eval_counts posts;
    struct gm_buf kept; /* struct gm_count a post */
    struct gm_match match;
    struct gm_buf verdicts[2]; /* char: of the post added last; [1] of gold */
    struct gm_breakdown breakdown;
    struct gm_confusion confusion;
};

/* The steps of the task, each with all that the ones before it ask for. */
static void plan_steps(struct gm_eval *e)
{
    struct gm_need need = {.iou = -1, .strict = e->opts.iou_strict};
    e->steps[e->n_steps++] = (struct step){GM_VERDICT_SPAN, need};
    if (gm_task_has_types(e->opts.task)) {
        need.type = true;
        e->steps[e->n_steps++] = (struct step){GM_VERDICT_TYPE, need};
    }
    if (gm_task_has_image(e->opts.task)) {
        need.image = true;
        e->steps[e->n_steps++] = (struct step){GM_VERDICT_IMAGE, need};
        need.iou = e->opts.iou;
        e->steps[e->n_steps++] = (struct step){GM_VERDICT_BOX, need};
    }
}

enum gm_status gm_eval_new(struct gm_eval **out, const struct gm_eval_opts *opts,
                           struct gm_error *err)
{
    struct gm_eval *e = *out = gm_alloc(1, sizeof *e);
    if (!e)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    e->opts = *opts;
    plan_steps(e);
    gm_labels_init(&e->types, MAX_TYPES);
    gm_buf_init(&e->scores, (MAX_TYPES + 1) * sizeof(struct gm_score));
    gm_buf_init(&e->by_name, (MAX_TYPES + 1) * sizeof(uint32_t));
    gm_buf_init(&e->kept, SIZE_MAX - 1);
    gm_buf_init(&e->verdicts[0], SIZE_MAX - 1);
    gm_buf_init(&e->verdicts[1], SIZE_MAX - 1);
    gm_match_init(&e->match, &e->opts);
    gm_confusion_init(&e->confusion);
    return GM_OK;
}

void gm_eval_free(struct gm_eval *e)
{
    if (!e)
        return;
    gm_labels_clear(&e->types);
    gm_buf_clear(&e->scores);
    gm_buf_clear(&e->by_name);
    gm_buf_clear(&e->kept);
    gm_buf_clear(&e->verdicts[0]);
    gm_buf_clear(&e->verdicts[1]);
    gm_match_clear(&e->match);
    gm_confusion_clear(&e->confusion);
    gm_free(e);
}

static struct gm_score *score_of(const struct gm_eval *e, uint32_t type)
{
    return &((struct gm_score *)(void *)e->scores.p)[type];
}

/* Put the newest type in its place by name. */
static enum gm_status order_type(struct gm_eval *e, uint32_t type, struct gm_error *err)
{
    size_t n = e->by_name.n / sizeof type, at = 0;
    enum gm_status st = gm_buf_add(&e->by_name, &type, sizeof type, err);
    uint32_t *order = (void *)e->by_name.p;
    if (st != GM_OK)
        return st;
    while (at < n &&
           gm_str_cmp(gm_labels_at(&e->types, order[at]), gm_labels_at(&e->types, type)) < 0)
        at++;
    memmove(order + at + 1, order + at, (n - at) * sizeof *order);
    order[at] = type;
    return GM_OK;
}

/* Room for the types that the post in hand brought. */
static enum gm_status add_types(struct gm_eval *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_score zero = {0};
    while (e->by_name.n / sizeof(uint32_t) < e->types.n) {
        GM_TRY(gm_buf_reserve(&e->scores, sizeof zero, err));
        GM_TRY(order_type(e, (uint32_t)(e->by_name.n / sizeof(uint32_t)), err));
        GM_TRY(gm_buf_add(&e->scores, &zero, sizeof zero, err));
    }
done:
    return st;
}

/* ---- counting ---- */

static size_t pairs_in(const struct gm_match *m)
{
    size_t n, found = 0;
    (void)gm_match_pred(m, &n);
    for (size_t i = 0; i < n; i++)
        found += gm_match_mates(m)[i] != GM_UNMATCHED;
    return found;
}

static void mark_depth(struct gm_match_item *items, const uint32_t *mate, size_t n, size_t step)
{
    for (size_t i = 0; i < n; i++)
        if (mate[i] != GM_UNMATCHED)
            items[i].depth = (uint8_t)(step + 1);
}

/* The worst verdict of each entity's items. */
static enum gm_status judge(const struct gm_eval *e, const struct gm_match_item *items, size_t n,
                            size_t n_entities, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char copy = GM_VERDICT_COPY;
    gm_buf_reset(out);
    while (out->n < n_entities)
        GM_TRY(gm_buf_add(out, &copy, 1, err));
    for (size_t i = 0; i < n; i++) {
        size_t depth = items[i].depth;
        char v = (char)(depth < e->n_steps ? e->steps[depth].wrong : GM_VERDICT_RIGHT);
        if (!items[i].is_copy && v < out->p[items[i].entity])
            out->p[items[i].entity] = v;
    }
done:
    return st;
}

static enum gm_status run_steps(struct gm_eval *e, const struct gm_post *gold,
                                const struct gm_post *pred, size_t tp[MAX_STEPS],
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_gold, n_pred;
    struct gm_match_item *g = gm_match_gold(&e->match, &n_gold),
                         *p = gm_match_pred(&e->match, &n_pred);
    for (size_t i = 0; i < e->n_steps; i++) {
        GM_TRY(gm_match_run(&e->match, &e->steps[i].need, err));
        tp[i] = pairs_in(&e->match);
        mark_depth(p, gm_match_mates(&e->match), n_pred, i);
        mark_depth(g, gm_match_taken_by(&e->match), n_gold, i);
    }
    GM_TRY(judge(e, p, n_pred, pred->n_entities, &e->verdicts[0], err));
    GM_TRY(judge(e, g, n_gold, gold->n_entities, &e->verdicts[1], err));
done:
    return st;
}

/* Pairs in the image at each overlap. */
static enum gm_status run_curve(struct gm_eval *e, size_t tp[GM_CURVE], size_t n_pred[GM_CURVE],
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_need need = e->steps[e->n_steps - 1].need;
    need.boxed_only = true;
    for (size_t i = 0; i < GM_CURVE; i++) {
        need.iou = gm_eval_curve_iou(i);
        if (e->match.boxed.n) {
            GM_TRY(gm_match_run(&e->match, &need, err));
            tp[i] = pairs_in(&e->match);
        }
        n_pred[i] = e->match.all.n / sizeof(uint32_t);
    }
done:
    return st;
}

/* Pairs of the matching in hand that are not in the image: the same at every overlap. */
static size_t pairs_unboxed(const struct gm_match *m)
{
    size_t n, found = 0;
    const struct gm_match_item *pred = gm_match_pred(m, &n);
    for (size_t i = 0; i < n; i++)
        found += gm_match_mates(m)[i] != GM_UNMATCHED && pred[i].n_shapes == 0;
    return found;
}

/* Totals and types from the matching in hand. */
static struct gm_score count_types(struct gm_eval *e)
{
    size_t n_gold, n_pred;
    const struct gm_match_item *g = gm_match_gold(&e->match, &n_gold);
    const struct gm_match_item *p = gm_match_pred(&e->match, &n_pred);
    const uint32_t *mate = gm_match_mates(&e->match);
    bool types = gm_task_has_types(e->opts.task);
    struct gm_score post = {0};
    for (size_t i = 0; i < n_pred; i++) {
        struct gm_score add = {mate[i] != GM_UNMATCHED, 1, 0};
        if (!p[i].is_copy)
            gm_score_add(&post, add);
        if (!p[i].is_copy && types)
            gm_score_add(score_of(e, p[i].type), add);
    }
    for (size_t i = 0; i < n_gold; i++) {
        e->posts.gold_in_image += g[i].n_shapes > 0;
        if (!g[i].is_copy)
            gm_score_add(&post, (struct gm_score){0, 0, 1});
        if (!g[i].is_copy && types)
            gm_score_add(score_of(e, g[i].type), (struct gm_score){0, 0, 1});
    }
    gm_score_add(&e->total, post);
    return post;
}

enum gm_status gm_eval_add(struct gm_eval *e, const struct gm_post *gold,
                           const struct gm_post *pred, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool solid;
    size_t step_tp[MAX_STEPS] = {0}, curve_tp[GM_CURVE] = {0}, curve_pred[GM_CURVE] = {0};
    GM_TRY(gm_pair_check(gold, pred, !e->match.rule->by_place, &solid, err));
    st = gm_match_load(&e->match, gold, pred, solid, &e->types, err);
    if (st == GM_EFORMAT)
        gm_error_prefix(err, "post %.*s", GM_STR_ARG(gold->id));
    GM_TRY(st);
    GM_TRY(add_types(e, err));
    if (e->opts.keep_posts)
        GM_TRY(gm_buf_reserve(&e->kept, sizeof(struct gm_count), err));
    GM_TRY(run_curve(e, curve_tp, curve_pred, err));
    GM_TRY(run_steps(e, gold, pred, step_tp, err)); /* the last step's matching stays */
    struct gm_score post = count_types(e);
    size_t unboxed = pairs_unboxed(&e->match);
    gm_breakdown_add(&e->breakdown, &e->match, gold, pred);
    for (size_t i = 0; i < GM_CURVE; i++) {
        e->curve_tp[i] += curve_tp[i] + unboxed;
        e->curve_pred[i] += curve_pred[i];
    }
    for (size_t i = 0; i < e->n_steps; i++)
        e->step_tp[i] += step_tp[i];
    if (e->opts.keep_posts) {
        struct gm_count c = {(uint32_t)post.tp, (uint32_t)post.n_pred, (uint32_t)post.n_gold,
                             gm_str_hash(gold->id)};
        GM_TRY(gm_buf_add(&e->kept, &c, sizeof c, err));
    }
    if (gm_task_has_types(e->opts.task))
        GM_TRY(gm_confusion_add(&e->confusion, &e->match, err));
    e->posts.posts++;
    e->posts.failed_posts += pred->error.stage.n > 0;
done:
    return st;
}

/* ---- what was counted ---- */

struct gm_score gm_eval_total(const struct gm_eval *e) { return e->total; }

struct gm_eval_counts gm_eval_posts(const struct gm_eval *e) { return e->posts; }

const struct gm_eval_opts *gm_eval_options(const struct gm_eval *e) { return &e->opts; }

size_t gm_eval_types(const struct gm_eval *e) { return e->by_name.n / sizeof(uint32_t); }

struct gm_score gm_eval_type(const struct gm_eval *e, size_t i, struct gm_str *name)
{
    uint32_t type = ((const uint32_t *)(const void *)e->by_name.p)[i];
    *name = gm_labels_at(&e->types, type);
    return *score_of(e, type);
}

enum gm_verdict gm_eval_verdict(const struct gm_eval *e, bool of_gold, size_t i)
{
    return (enum gm_verdict)e->verdicts[of_gold].p[i];
}

size_t gm_eval_steps(const struct gm_eval *e) { return e->n_steps; }

size_t gm_eval_step_of(const struct gm_eval *e, enum gm_verdict v)
{
    size_t i = 0;
    while (i < e->n_steps && e->steps[i].wrong != v)
        i++;
    return i;
}

struct gm_score gm_eval_step(const struct gm_eval *e, size_t i, const char **what)
{
    static const char *const names[] = {"span", "type", "entailment", "box"};
    *what = e->steps[i].wrong == GM_VERDICT_BOX && e->opts.task == GM_TASK_SMNER
                ? "mask"
                : names[e->steps[i].wrong];
    return (struct gm_score){e->step_tp[i], e->total.n_pred, e->total.n_gold};
}

double gm_eval_curve_iou(size_t i) { return (double)(50 + 5 * i) / 100; }

struct gm_score gm_eval_curve(const struct gm_eval *e, size_t i)
{
    return (struct gm_score){e->curve_tp[i], e->curve_pred[i], e->total.n_gold};
}

bool gm_eval_group(const struct gm_eval *e, size_t dim, size_t i, const char **dim_name,
                   const char **group, struct gm_score *out)
{
    return gm_breakdown_at(&e->breakdown, gm_task_has_image(e->opts.task), dim, i, dim_name, group,
                           out);
}

bool gm_eval_confusion(const struct gm_eval *e, size_t i, struct gm_str *gold, struct gm_str *pred,
                       size_t *n)
{
    uint32_t pair[2];
    if (i >= e->confusion.cells.n)
        return false;
    memcpy(pair, gm_labels_at(&e->confusion.cells, (uint32_t)i).p, sizeof pair);
    *gold = pair[0] == GM_UNMATCHED ? GM_STR("") : gm_labels_at(&e->types, pair[0]);
    *pred = pair[1] == GM_UNMATCHED ? GM_STR("") : gm_labels_at(&e->types, pair[1]);
    *n = ((const size_t *)(const void *)e->confusion.counts.p)[i];
    return true;
}

const struct gm_count *gm_eval_kept(const struct gm_eval *e, size_t *n)
{
    *n = e->kept.n / sizeof(struct gm_count);
    return (const void *)e->kept.p;
}
