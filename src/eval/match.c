/* match.c - from two posts to pairs of entities. Items of both sides are sorted by what a rule
 * lets meet (both ends, or the name), equal ones get the number of their place, and a prediction
 * is only compared with the gold items of its place, so that a post of n entities costs n log n
 * and not n^2:
 *
 *   fits(p, g) = same type, both or neither in the image, max over their shapes of IoU >= least
 *
 * each only where it is needed. Rules of sets drop an item that equals one before it in all of
 * this. Naive reference: the quadratic scans of tests/ref/metrics_reference.py
 * (tests/e2e/test_eval_rules.py), and tests/unit/test_eval_speed.c for the cost. */
#include "eval/match.h"

#include "eval/eval_internal.h"
#include "image/mask.h"
#include "image/overlap.h"

#include <stdlib.h>
#include <string.h>

void gm_match_init(struct gm_match *m, const struct gm_eval_opts *opts)
{
    static const struct gm_rule_def *const rules[] = {&gm_rule_set,  &gm_rule_riveg,
                                                      &gm_rule_set,  &gm_rule_optimal,
                                                      &gm_rule_ccks, &gm_rule_refineg};
    *m = (struct gm_match){.rule = rules[opts->rule], .opts = opts};
    struct gm_buf *all[] = {&m->gold,     &m->pred,  &m->sorted, &m->order, &m->first, &m->mate,
                            &m->taken_by, &m->queue, &m->from,   &m->all,   &m->boxed};
    gm_arena_init(&m->arena, 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gm_buf_init(all[i], SIZE_MAX - 1);
}

void gm_match_clear(struct gm_match *m)
{
    struct gm_buf *all[] = {&m->gold,     &m->pred,  &m->sorted, &m->order, &m->first, &m->mate,
                            &m->taken_by, &m->queue, &m->from,   &m->all,   &m->boxed};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gm_buf_clear(all[i]);
    gm_arena_clear(&m->arena);
}

static struct gm_match_item *items(const struct gm_buf *b, size_t *n)
{
    *n = b->n / sizeof(struct gm_match_item);
    return (void *)b->p;
}

struct gm_match_item *gm_match_gold(const struct gm_match *m, size_t *n)
{
    return items(&m->gold, n);
}

struct gm_match_item *gm_match_pred(const struct gm_match *m, size_t *n)
{
    return items(&m->pred, n);
}

uint32_t *gm_match_mates(const struct gm_match *m) { return (void *)m->mate.p; }

uint32_t *gm_match_taken_by(const struct gm_match *m) { return (void *)m->taken_by.p; }

const uint32_t *gm_match_meets(const struct gm_match *m, const struct gm_match_item *pred,
                               size_t *n)
{
    const uint32_t *first = (const void *)m->first.p, *order = (const void *)m->order.p;
    *n = first[pred->place + 1] - first[pred->place];
    return *n ? order + first[pred->place] : NULL;
}

const uint32_t *gm_match_todo(const struct gm_match *m, const struct gm_need *need, size_t *n)
{
    const struct gm_buf *b = need->boxed_only ? &m->boxed : &m->all;
    *n = b->n / sizeof(uint32_t);
    return (const void *)b->p;
}

double gm_shape_iou(const struct gm_shape *a, const struct gm_shape *b, enum gm_task task)
{
    if (task != GM_TASK_SMNER)
        return gm_box_iou(a->box, b->box);
    return a->runs && b->runs ? gm_runs_iou(a->runs, a->n_runs, b->runs, b->n_runs) : 0;
}

bool gm_fits(const struct gm_match *m, const struct gm_match_item *pred,
             const struct gm_match_item *gold, const struct gm_need *need)
{
    if (need->type && pred->type != gold->type)
        return false;
    if (need->image && (pred->n_shapes > 0) != (gold->n_shapes > 0))
        return false;
    if (need->iou < 0 || pred->n_shapes == 0)
        return true;
    for (size_t i = 0; i < pred->n_shapes; i++)
        for (size_t k = 0; k < gold->n_shapes; k++) {
            double iou = gm_shape_iou(&pred->shapes[i], &gold->shapes[k], m->opts->task);
            if (need->strict ? iou > need->iou : iou >= need->iou)
                return true;
        }
    return false;
}

/* ---- taking the entities ---- */

/* What the posts of a pair are taken with. */
struct taking {
    struct gm_match *m;
    struct gm_labels *types;
    bool solid, is_pred; /* is_pred: the post in hand is the predicted one */
    uint32_t h, w;       /* of the masks seen so far; 0 = none */
};

/* The entity's text as the task compares it: eeg's ends before the first "(". */
static enum gm_status take_name(struct taking *t, const struct gm_entity *e, struct gm_str *name,
                                struct gm_error *err)
{
    bool cut = t->m->opts->task == GM_TASK_EEG && e->text.n && !t->m->rule->whole_names;
    const char *open = cut ? memchr(e->text.p, '(', e->text.n) : NULL;
    *name = open ? gm_str_sub(e->text, 0, (size_t)(open - e->text.p)) : e->text;
    if (!t->solid || t->m->rule->by_place)
        return GM_OK;
    *name = gm_solid_copy(&t->m->arena, *name);
    return name->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status take_mask(struct taking *t, const struct gm_rle *mask, struct gm_shape *out,
                                struct gm_error *err)
{
    uint64_t *runs;
    struct gm_error why;
    if (mask->counts.n == 0)
        return GM_OK;
    if (t->h && (t->h != mask->h || t->w != mask->w))
        return GM_FAIL(err, GM_EFORMAT,
                       "a mask of %u x %u pixels beside one of %u x %u: masks of "
                       "a post must have the size of its image",
                       mask->w, mask->h, t->w, t->h);
    t->h = mask->h;
    t->w = mask->w;
    enum gm_status st =
        gm_rle_to_runs(&t->m->arena, mask->counts, mask->h, mask->w, &runs, &out->n_runs, &why);
    if (st == GM_EFORMAT)
        return GM_FAIL(
            err, st,
            "%s; they must be COCO's compressed runs, as pycocotools' encode gives them; "
            "a region without \"mask\" overlaps nothing",
            why.msg);
    if (st != GM_OK)
        return GM_FAIL(err, st, "%s", why.msg);
    out->runs = runs;
    return GM_OK;
}

static enum gm_status take_shapes(struct taking *t, const struct gm_entity *e,
                                  struct gm_match_item *item, struct gm_error *err)
{
    if (!gm_task_has_image(t->m->opts->task) || e->n_regions == 0)
        return GM_OK;
    item->shapes = gm_arena_alloc(&t->m->arena, e->n_regions, sizeof *item->shapes);
    if (!item->shapes)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu regions", e->n_regions);
    for (; item->n_shapes < e->n_regions; item->n_shapes++) {
        const struct gm_region *r = &e->regions[item->n_shapes];
        struct gm_shape *shape = &item->shapes[item->n_shapes];
        shape->box = r->box;
        if (t->m->opts->task != GM_TASK_SMNER)
            continue;
        enum gm_status st = take_mask(t, &r->mask, shape, err);
        if (st == GM_EFORMAT)
            (void)gm_error_prefix(err, "%s, entities[%u] \"%.*s\": regions[%zu]",
                                  t->is_pred ? "prediction" : "gold", item->entity,
                                  GM_STR_ARG(e->text), item->n_shapes);
        if (st != GM_OK)
            return st;
    }
    return GM_OK;
}

static enum gm_status take(struct taking *t, const struct gm_post *p, struct gm_buf *out,
                           struct gm_error *err)
{
    bool (*is_counted)(enum gm_task, const struct gm_entity *) =
        t->is_pred ? t->m->rule->is_counted : NULL;
    enum gm_status st = GM_OK;
    struct gm_solid at = {.text = p->text};
    gm_buf_reset(out);
    for (size_t i = 0; i < p->n_entities; i++) {
        const struct gm_entity *e = &p->entities[i];
        struct gm_match_item item = {.start = e->start, .end = e->end, .entity = (uint32_t)i};
        if (is_counted && !is_counted(t->m->opts->task, e))
            continue;
        if (t->solid) {
            item.start = gm_solid_before(&at, e->start);
            item.end = gm_solid_before(&at, e->end);
        }
        GM_TRY(take_name(t, e, &item.name, err));
        if (gm_task_has_types(t->m->opts->task))
            GM_TRY(gm_labels_add(t->types, gm_task_type(t->m->opts->task, e), &item.type, err));
        GM_TRY(take_shapes(t, e, &item, err));
        GM_TRY(gm_buf_add(out, &item, sizeof item, err));
    }
done:
    return st;
}

/* ---- places ---- */

static int order_of(size_t a, size_t b) { return (a > b) - (a < b); }

/* Items that meet are equal. */
static int by_ends(const struct gm_match_item *a, const struct gm_match_item *b)
{
    return a->start != b->start ? order_of(a->start, b->start) : order_of(a->end, b->end);
}

static int by_shape(const struct gm_shape *a, const struct gm_shape *b)
{
    int c = memcmp(a->box, b->box, GM_BOX_XYXY * sizeof *a->box);
    if (c == 0)
        c = order_of(a->n_runs, b->n_runs);
    return c || a->n_runs == 0 ? c : memcmp(a->runs, b->runs, a->n_runs * sizeof *a->runs);
}

/* Items of one place that are the same in all that the task compares are equal. */
static int by_content(const struct gm_match_item *a, const struct gm_match_item *b)
{
    if (a->type != b->type)
        return order_of(a->type, b->type);
    if (a->n_shapes != b->n_shapes)
        return order_of(a->n_shapes, b->n_shapes);
    for (size_t i = 0; i < a->n_shapes; i++) {
        int c = by_shape(&a->shapes[i], &b->shapes[i]);
        if (c)
            return c;
    }
    return 0;
}

struct sorted {
    struct gm_match_item *item;
    bool is_pred, by_place;
    size_t index; /* in its file */
};

static int by_meeting(const struct sorted *x, const struct sorted *y)
{
    return x->by_place ? by_ends(x->item, y->item) : gm_str_cmp(x->item->name, y->item->name);
}

static int by_all(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    int c = by_meeting(x, y);
    if (c == 0)
        c = order_of(x->is_pred, y->is_pred);
    if (c == 0)
        c = by_content(x->item, y->item);
    return c ? c : order_of(x->index, y->index);
}

static enum gm_status sort_side(struct gm_match *m, bool is_pred, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n;
    struct gm_match_item *all = is_pred ? gm_match_pred(m, &n) : gm_match_gold(m, &n);
    for (size_t i = 0; i < n; i++) {
        struct sorted s = {&all[i], is_pred, m->rule->by_place, i};
        GM_TRY(gm_buf_add(&m->sorted, &s, sizeof s, err));
    }
done:
    return st;
}

/* Number the places, and mark items that a rule of sets drops. */
static enum gm_status find_places(struct gm_match *m, uint32_t *n_places, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *n_places = 0;
    gm_buf_reset(&m->sorted);
    GM_TRY(sort_side(m, false, err));
    GM_TRY(sort_side(m, true, err));
    struct sorted *s = (void *)m->sorted.p;
    size_t n = m->sorted.n / sizeof *s;
    if (n)
        qsort(s, n, sizeof *s, by_all);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || by_meeting(&s[i - 1], &s[i]) != 0)
            ++*n_places;
        s[i].item->place = *n_places - 1;
        bool once = m->rule->is_set || (m->rule->is_set_unboxed && s[i].item->n_shapes == 0);
        s[i].item->is_copy = once && i && s[i - 1].is_pred == s[i].is_pred &&
                             s[i - 1].item->place == s[i].item->place &&
                             by_content(s[i - 1].item, s[i].item) == 0;
    }
done:
    return st;
}

static enum gm_status fill(struct gm_buf *b, size_t n, uint32_t value, struct gm_error *err)
{
    gm_buf_reset(b);
    enum gm_status st = gm_buf_reserve(b, n * sizeof value, err);
    for (size_t i = 0; i < n && st == GM_OK; i++)
        ((uint32_t *)(void *)b->p)[i] = value;
    b->n = st == GM_OK ? n * sizeof value : 0;
    return st;
}

/* Gold items by place: a counting sort. */
static enum gm_status index_gold(struct gm_match *m, uint32_t n_places, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n;
    const struct gm_match_item *gold = gm_match_gold(m, &n);
    GM_TRY(fill(&m->first, (size_t)n_places + 2, 0, err));
    GM_TRY(fill(&m->order, n, 0, err));
    uint32_t *first = (void *)m->first.p, *order = (void *)m->order.p;
    for (size_t i = 0; i < n; i++) /* first[p + 2] counts place p … */
        first[gold[i].place + 2] += !gold[i].is_copy;
    for (uint32_t p = 0; p < n_places; p++)
        first[p + 2] += first[p + 1];
    for (size_t i = 0; i < n; i++) /* … and first[p + 1] moves on to where place p + 1 begins */
        if (!gold[i].is_copy)
            order[first[gold[i].place + 1]++] = (uint32_t)i;
done:
    return st;
}

enum gm_status gm_match_list_predictions(struct gm_match *m, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n;
    const struct gm_match_item *pred = gm_match_pred(m, &n);
    gm_buf_reset(&m->all);
    gm_buf_reset(&m->boxed);
    for (size_t i = 0; i < n; i++) {
        const uint32_t number = (uint32_t)i;
        if (!pred[i].is_copy)
            GM_TRY(gm_buf_add(&m->all, &number, sizeof number, err));
        if (!pred[i].is_copy && pred[i].n_shapes)
            GM_TRY(gm_buf_add(&m->boxed, &number, sizeof number, err));
    }
done:
    return st;
}

/* Leave the predictions of one post the boxes that count. */
static void pick_boxes(struct gm_match *m, bool is_without_text)
{
    size_t n;
    struct gm_match_item *pred = gm_match_pred(m, &n);
    enum gm_box_pick pick = m->opts->box;
    if (pick == GM_BOX_USUAL)
        pick = !m->rule->one_box ? GM_BOX_ANY : is_without_text ? GM_BOX_LAST : GM_BOX_BEST;
    for (size_t i = 0; i < n && pick != GM_BOX_ANY; i++) {
        if (pick == GM_BOX_LAST && pred[i].n_shapes)
            pred[i].shapes += pred[i].n_shapes - 1;
        pred[i].n_shapes = pred[i].n_shapes > 0;
    }
}

enum gm_status gm_match_load(struct gm_match *m, const struct gm_post *gold,
                             const struct gm_post *pred, bool solid, struct gm_labels *types,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct taking t = {.m = m, .types = types, .solid = solid};
    uint32_t n_places;
    gm_arena_reset(&m->arena);
    GM_TRY(take(&t, gold, &m->gold, err));
    t.is_pred = true;
    GM_TRY(take(&t, pred, &m->pred, err));
    pick_boxes(m, pred->names_only);
    if (m->rule->take_regions)
        GM_TRY(m->rule->take_regions(m, err));
    GM_TRY(find_places(m, &n_places, err));
    GM_TRY(index_gold(m, n_places, err));
    GM_TRY(gm_match_list_predictions(m, err));
done:
    return st;
}

enum gm_status gm_match_run(struct gm_match *m, const struct gm_need *need, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_gold, n_pred;
    (void)gm_match_gold(m, &n_gold);
    (void)gm_match_pred(m, &n_pred);
    GM_TRY(fill(&m->mate, n_pred, GM_UNMATCHED, err));
    GM_TRY(fill(&m->taken_by, n_gold, GM_UNMATCHED, err));
    GM_TRY(m->rule->match(m, need, err));
done:
    return st;
}
