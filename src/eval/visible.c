/* visible.c - each gold entity that a prediction has both ends of is one yes/no answer: its
 * score is the prediction's `visible`, its label whether gold has a region for it. Of several
 * predictions with these ends the one of gold's type answers, else the first. The figures
 * over all of them are computed in binary.c, at threshold 0.5. Tests:
 * tests/e2e/test_eval_grounded.py. */
#include "eval/visible.h"

#include "base/alloc.h"
#include "eval/eval_internal.h"

#include <math.h>
#include <stdlib.h>

struct gm_visible {
    struct gm_buf scores, labels; /* double, bool */
    struct gm_buf ends;           /* struct ends, of the post in hand */
    size_t posts, failed_posts, n_missed;
};

/* An entity by its place; those of one place are in order of their types, then of the file. */
struct ends {
    size_t start, end;
    const struct gm_entity *entity;
    const struct gm_entity *first; /* in the file, of all of its place */
};

enum gm_status gm_visible_new(struct gm_visible **out, struct gm_error *err)
{
    struct gm_visible *e = *out = gm_alloc(1, sizeof *e);
    if (!e)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_buf_init(&e->scores, SIZE_MAX - 1);
    gm_buf_init(&e->labels, SIZE_MAX - 1);
    gm_buf_init(&e->ends, SIZE_MAX - 1);
    return GM_OK;
}

void gm_visible_free(struct gm_visible *e)
{
    if (!e)
        return;
    gm_buf_clear(&e->scores);
    gm_buf_clear(&e->labels);
    gm_buf_clear(&e->ends);
    gm_free(e);
}

static struct ends ends_of(struct gm_solid *at, bool solid, const struct gm_entity *e)
{
    struct ends x = {e->start, e->end, e, e};
    if (solid) {
        x.start = gm_solid_before(at, e->start);
        x.end = gm_solid_before(at, e->end);
    }
    return x;
}

static int by_place(const struct ends *x, const struct ends *y)
{
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static int by_place_and_type(const struct ends *x, const struct ends *y)
{
    int c = by_place(x, y);
    return c ? c : gm_str_cmp(x->entity->type, y->entity->type);
}

static int by_all(const void *a, const void *b)
{
    const struct ends *x = a, *y = b;
    int c = by_place_and_type(x, y);
    return c ? c : (x->entity > y->entity) - (x->entity < y->entity);
}

static void sort(struct ends *v, size_t n)
{
    if (n)
        qsort(v, n, sizeof *v, by_all);
    for (size_t from = 0, to; from < n; from = to) {
        const struct gm_entity *first = v[from].entity;
        for (to = from + 1; to < n && by_place(&v[from], &v[to]) == 0; to++)
            if (v[to].entity < first)
                first = v[to].entity;
        for (size_t i = from; i < to; i++)
            v[i].first = first;
    }
}

/* The entity of x's place and type, else the first of its place; of equal ones the first. NULL: none. */
static const struct gm_entity *find(const struct ends *v, size_t n, const struct ends *x)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (by_place_and_type(&v[mid], x) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < n && by_place_and_type(&v[lo], x) == 0)
        return v[lo].entity;
    if (lo < n && by_place(&v[lo], x) == 0)
        return v[lo].first;
    return lo > 0 && by_place(&v[lo - 1], x) == 0 ? v[lo - 1].first : NULL;
}

static double answer(const struct gm_entity *e)
{
    return e->visible >= 0 ? e->visible : e->n_regions > 0;
}

enum gm_status gm_visible_add(struct gm_visible *e, const struct gm_post *gold,
                              const struct gm_post *pred, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool solid;
    GM_TRY(gm_pair_check(gold, pred, false, &solid, err));
    struct gm_solid at_pred = {.text = pred->text}, at_gold = {.text = gold->text};
    gm_buf_reset(&e->ends);
    for (size_t i = 0; i < pred->n_entities; i++) {
        struct ends x = ends_of(&at_pred, solid, &pred->entities[i]);
        GM_TRY(gm_buf_add(&e->ends, &x, sizeof x, err));
    }
    size_t n = e->ends.n / sizeof(struct ends);
    struct ends *all = (void *)e->ends.p;
    sort(all, n);
    for (size_t i = 0; i < gold->n_entities; i++) {
        struct ends x = ends_of(&at_gold, solid, &gold->entities[i]);
        const struct gm_entity *same = find(all, n, &x);
        e->n_missed += !same;
        if (!same)
            continue;
        bool label = gold->entities[i].n_regions > 0;
        double score = answer(same);
        GM_TRY(gm_buf_add(&e->scores, &score, sizeof score, err));
        GM_TRY(gm_buf_add(&e->labels, &label, sizeof label, err));
    }
    e->posts++;
    e->failed_posts += pred->error.stage.n > 0;
done:
    return st;
}

enum gm_status gm_visible_result(const struct gm_visible *e, struct gm_visible_result *out,
                                 struct gm_error *err)
{
    const double *scores = (const void *)e->scores.p;
    const bool *labels = (const void *)e->labels.p;
    size_t n = e->labels.n / sizeof *labels;
    *out = (struct gm_visible_result){
        .posts = e->posts, .failed_posts = e->failed_posts, .n_missed = e->n_missed};
    out->counts = gm_binary_count(scores, labels, n, GM_VISIBLE_MIN);
    return gm_auc(scores, labels, n, &out->auc, err);
}

enum gm_status gm_visible_table(const struct gm_visible_result *r, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_binary b = r->counts;
    struct gm_score s = gm_binary_score(b);
    GM_TRY(gm_buf_printf(out, err,
                         "accuracy   %.4f\nprecision  %.4f\nrecall     %.4f\n"
                         "f1         %.4f\n",
                         gm_binary_accuracy(b), gm_score_precision(s), gm_score_recall(s),
                         gm_score_f1(s)));
    if (isnan(r->auc))
        GM_TRY(gm_buf_add_c(out, "auc        none: gold has one answer only\n", err));
    else
        GM_TRY(gm_buf_printf(out, err, "auc        %.4f\n", r->auc));
    GM_TRY(gm_buf_printf(out, err,
                         "judged %zu entities: %zu in the image and said to be, %zu not "
                         "and said to be, %zu missed, %zu rightly not; %zu gold entities have no "
                         "prediction of their ends\n",
                         b.tp + b.fp + b.tn + b.fn, b.tp, b.fp, b.fn, b.tn, r->n_missed));
done:
    return st;
}

enum gm_status gm_visible_json(const struct gm_visible_result *r, struct gm_json **out,
                               struct gm_error *err)
{
    struct gm_binary b = r->counts;
    struct gm_score s = gm_binary_score(b);
    const struct {
        const char *name;
        size_t n;
    } counts[] = {{"tp", b.tp},
                  {"fp", b.fp},
                  {"tn", b.tn},
                  {"fn", b.fn},
                  {"missed", r->n_missed},
                  {"posts", r->posts},
                  {"failed_posts", r->failed_posts}};
    struct gm_json *o = *out = gm_json_new_object();
    bool ok = o && gm_json_set(o, "task", gm_json_new_str(GM_STR("entail"))) &&
              gm_json_set(o, "accuracy", gm_json_new_num(gm_binary_accuracy(b))) &&
              gm_json_set(o, "precision", gm_json_new_num(gm_score_precision(s))) &&
              gm_json_set(o, "recall", gm_json_new_num(gm_score_recall(s))) &&
              gm_json_set(o, "f1", gm_json_new_num(gm_score_f1(s))) &&
              gm_json_set(o, "auc", isnan(r->auc) ? gm_json_new_null() : gm_json_new_num(r->auc));
    for (size_t i = 0; i < sizeof counts / sizeof *counts && ok; i++)
        ok = gm_json_set(o, counts[i].name, gm_json_new_int((long long)counts[i].n));
    if (ok)
        return GM_OK;
    gm_json_free(o);
    *out = NULL;
    return GM_FAIL(err, GM_ENOMEM, "out of memory for the result");
}
