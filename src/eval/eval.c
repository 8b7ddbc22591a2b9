#include "eval/eval.h"

#include "base/alloc.h"
#include "data/labels.h"
#include "eval/eval_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TYPES = 65535 };

/* One entity as it is compared. */
struct item {
    size_t start, end;
    uint32_t type; /* 0 for SPAN */
};

struct gm_eval {
    struct gm_eval_opts opts;
    struct gm_labels types;
    struct gm_buf scores;     /* struct gm_score [types.n] */
    struct gm_buf by_name;    /* uint32_t [types.n]: type numbers in order of their names */
    struct gm_score total;
    struct gm_eval_counts posts;
    struct gm_buf gold, pred; /* struct item: of the post in hand */
};

bool gm_task_parse(const char *name, enum gm_task *out)
{
    bool span = strcmp(name, "span") == 0;
    *out = span ? GM_TASK_SPAN : GM_TASK_MNER;
    return span || strcmp(name, "mner") == 0;
}

const char *gm_task_name(enum gm_task t) { return t == GM_TASK_SPAN ? "span" : "mner"; }

enum gm_status gm_eval_new(struct gm_eval **out, const struct gm_eval_opts *opts,
                           struct gm_error *err)
{
    struct gm_eval *e = *out = gm_alloc(1, sizeof *e);
    if (!e)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    e->opts = *opts;
    gm_labels_init(&e->types, MAX_TYPES);
    gm_buf_init(&e->scores, (MAX_TYPES + 1) * sizeof(struct gm_score));
    gm_buf_init(&e->by_name, (MAX_TYPES + 1) * sizeof(uint32_t));
    gm_buf_init(&e->gold, SIZE_MAX - 1);
    gm_buf_init(&e->pred, SIZE_MAX - 1);
    return GM_OK;
}

void gm_eval_free(struct gm_eval *e)
{
    if (!e)
        return;
    gm_labels_clear(&e->types);
    gm_buf_clear(&e->scores);
    gm_buf_clear(&e->by_name);
    gm_buf_clear(&e->gold);
    gm_buf_clear(&e->pred);
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
    while (at < n && gm_str_cmp(gm_labels_at(&e->types, order[at]),
                                gm_labels_at(&e->types, type)) < 0)
        at++;
    memmove(order + at + 1, order + at, (n - at) * sizeof *order);
    order[at] = type;
    return GM_OK;
}

static enum gm_status add_type(struct gm_eval *e, struct gm_str name, uint32_t *type,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_score zero = {0};
    *type = 0;
    if (e->opts.task == GM_TASK_SPAN)
        return GM_OK;
    GM_TRY(gm_labels_add(&e->types, name, type, err));
    while (e->scores.n < e->types.n * sizeof zero)
        GM_TRY(gm_buf_add(&e->scores, &zero, sizeof zero, err));
    if (e->by_name.n < e->types.n * sizeof *type)
        GM_TRY(order_type(e, *type, err));
done:
    return st;
}

static int by_item(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return (x->type > y->type) - (x->type < y->type);
}

/* The post's entities as a sorted set. */
static enum gm_status collect(struct gm_eval *e, const struct gm_post *p, bool solid,
                              struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_solid at = {.text = p->text};
    gm_buf_reset(out);
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *ent = &p->entities[i];
        struct item item = {ent->start, ent->end, 0};
        if (solid) {
            item.start = gm_solid_before(&at, ent->start);
            item.end = gm_solid_before(&at, ent->end);
        }
        GM_TRY(add_type(e, ent->type, &item.type, err));
        GM_TRY(gm_buf_add(out, &item, sizeof item, err));
    }
    struct item *items = (void *)out->p;
    size_t n = out->n / sizeof *items, kept = 0;
    if (n)
        qsort(items, n, sizeof *items, by_item);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || by_item(&items[i], &items[kept - 1]) != 0)
            items[kept++] = items[i];
    out->n = kept * sizeof *items;
done:
    return st;
}

static void count(struct gm_eval *e, struct gm_score add, uint32_t type)
{
    struct gm_score *to[2] = {&e->total, e->opts.task == GM_TASK_MNER ? score_of(e, type) : NULL};
    for (size_t i = 0; i < 2 && to[i]; i++) {
        to[i]->tp += add.tp;
        to[i]->n_pred += add.n_pred;
        to[i]->n_gold += add.n_gold;
    }
}

/* Walk both sorted sets together. */
static void compare(struct gm_eval *e)
{
    const struct item *gold = (const void *)e->gold.p, *pred = (const void *)e->pred.p;
    size_t n_gold = e->gold.n / sizeof *gold, n_pred = e->pred.n / sizeof *pred;
    for (size_t i = 0, k = 0; i < n_gold || k < n_pred;) {
        int order = i == n_gold ? 1 : k == n_pred ? -1 : by_item(&gold[i], &pred[k]);
        bool is_gold = order <= 0, is_pred = order >= 0;
        count(e, (struct gm_score){is_gold && is_pred, is_pred, is_gold},
              is_gold ? gold[i].type : pred[k].type);
        i += is_gold;
        k += is_pred;
    }
}

static enum gm_status check_pair(const struct gm_post *gold, const struct gm_post *pred,
                                 bool *solid, struct gm_error *err)
{
    *solid = !gm_str_eq(gold->text, pred->text);
    if (*solid && !gm_texts_align(gold->text, pred->text))
        return GM_FAIL(err, GM_EFORMAT,
                       "post %.*s: the predicted post has another text: \"%.*s\" where gold has "
                       "\"%.*s\"", GM_STR_ARG(gold->id),
                       (int)(pred->text.n < 120 ? pred->text.n : 120), pred->text.p,
                       (int)(gold->text.n < 120 ? gold->text.n : 120), gold->text.p);
    if (!gold->has_entities)
        return GM_FAIL(err, GM_EFORMAT, "post %.*s: the gold file has no entities or tags for it",
                       GM_STR_ARG(gold->id));
    if (!pred->has_entities && pred->error.stage.n == 0)
        return GM_FAIL(err, GM_EFORMAT,
                       "post %.*s: the prediction file has no entities or tags for "
                       "it; run gmner predict on it first", GM_STR_ARG(gold->id));
    return GM_OK;
}

enum gm_status gm_eval_add(struct gm_eval *e, const struct gm_post *gold,
                           const struct gm_post *pred, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool solid;
    GM_TRY(check_pair(gold, pred, &solid, err));
    GM_TRY(collect(e, gold, solid, &e->gold, err));
    GM_TRY(collect(e, pred, solid, &e->pred, err));
    compare(e);
    e->posts.posts++;
    e->posts.failed_posts += pred->error.stage.n > 0;
done:
    return st;
}

struct gm_score gm_eval_total(const struct gm_eval *e) { return e->total; }

struct gm_eval_counts gm_eval_posts(const struct gm_eval *e) { return e->posts; }

enum gm_task gm_eval_task(const struct gm_eval *e) { return e->opts.task; }

size_t gm_eval_types(const struct gm_eval *e) { return e->by_name.n / sizeof(uint32_t); }

struct gm_score gm_eval_type(const struct gm_eval *e, size_t i, struct gm_str *name)
{
    uint32_t type = ((const uint32_t *)(const void *)e->by_name.p)[i];
    *name = gm_labels_at(&e->types, type);
    return *score_of(e, type);
}
