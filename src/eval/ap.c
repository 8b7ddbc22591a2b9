/* ap.c - average precision. For each type c and overlap t in 0.50, 0.55, …, 0.95: detections of
 * a post by falling score (at most 100) take each the free gold box of the largest IoU >= t, of
 * equal ones the last. Over all posts, with D[1..n] those of the type by falling score (of equal
 * ones in the order of the posts):
 *
 *   precision(i) = found among D[1..i] / i,   recall(i) = found among D[1..i] / gold boxes
 *   AP(c, t) = 1/101 sum over r in 0, 0.01, …, 1 of max { precision(i) : recall(i) >= r }, else 0
 *   AP(t)    = mean of AP(c, t) over the types c that gold has boxes of
 *
 * Detections in a crowd region count neither way. Bit t of `found`, `ignored` and `taken` is for
 * overlap t. Source: COCOeval (pycocotools 2.0), evaluateImg and accumulate. Reference:
 * pycocotools' own figures, tests/golden/coco-ap.json, compared in
 * tests/e2e/test_eval_grounded.py. */
#include "eval/ap.h"

#include "base/alloc.h"
#include "image/overlap.h"
#include "record/labels.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TYPES = 65535, MAX_DETECTIONS = 100, RECALLS = 101 };

/* A predicted box once its post is done. */
struct hit {
    float score;
    uint32_t type, number; /* number: in order of posts, then of score: the tie-break */
    uint16_t found;        /* bit i: took a gold box at overlap i */
    uint16_t ignored;      /* bit i: lies in a crowd at overlap i: neither right nor wrong */
};

/* A box of the post in hand. */
struct box {
    const double *box;
    float score;
    uint32_t type, order;
    uint16_t taken; /* gold: bit i as above */
    bool is_crowd;  /* gold */
};

struct gm_ap {
    enum gm_task task;
    struct gm_labels types;
    struct gm_buf n_gold;     /* size_t [types.n]: gold boxes */
    struct gm_buf hits;       /* struct hit */
    struct gm_buf gold, pred; /* struct box */
};

enum gm_status gm_ap_new(struct gm_ap **out, enum gm_task task, struct gm_error *err)
{
    struct gm_ap *a = *out = gm_alloc(1, sizeof *a);
    if (!a)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    a->task = task;
    gm_labels_init(&a->types, MAX_TYPES);
    gm_buf_init(&a->n_gold, SIZE_MAX - 1);
    gm_buf_init(&a->hits, (size_t)UINT32_MAX * sizeof(struct hit));
    gm_buf_init(&a->gold, SIZE_MAX - 1);
    gm_buf_init(&a->pred, SIZE_MAX - 1);
    return GM_OK;
}

void gm_ap_free(struct gm_ap *a)
{
    if (!a)
        return;
    gm_labels_clear(&a->types);
    gm_buf_clear(&a->n_gold);
    gm_buf_clear(&a->hits);
    gm_buf_clear(&a->gold);
    gm_buf_clear(&a->pred);
    gm_free(a);
}

/* By type, then falling score, then the order of the file (numpy's mergesort is stable). */
static int by_score(const void *x, const void *y)
{
    const struct box *a = x, *b = y;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static enum gm_status collect(struct gm_ap *a, const struct gm_post *p, struct gm_buf *out,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const size_t zero = 0;
    gm_buf_reset(out);
    for (size_t i = 0; i < p->n_entities; i++)
        for (size_t k = 0; k < p->entities[i].n_regions; k++) {
            const struct gm_region *r = &p->entities[i].regions[k];
            struct box b = {.box = r->box,
                            .score = r->score,
                            .is_crowd = r->is_crowd,
                            .order = (uint32_t)(out->n / sizeof b)};
            GM_TRY(gm_labels_add(&a->types, gm_task_type(a->task, &p->entities[i]), &b.type, err));
            while (a->n_gold.n < a->types.n * sizeof zero)
                GM_TRY(gm_buf_add(&a->n_gold, &zero, sizeof zero, err));
            GM_TRY(gm_buf_add(out, &b, sizeof b, err));
        }
    if (out->n)
        qsort(out->p, out->n / sizeof(struct box), sizeof(struct box), by_score);
done:
    return st;
}

/* The gold box that a detection takes at overlap t: the free one of the largest overlap, of equals
 * the last; NULL when none reaches it. gold[0..n) are of its type. */
static struct box *best(struct box *gold, size_t n, const struct box *pred, size_t t)
{
    struct box *found = NULL;
    double least = gm_eval_curve_iou(t);
    for (size_t i = 0; i < n; i++) {
        double iou = gm_box_iou(pred->box, gold[i].box);
        if (gold[i].is_crowd || (gold[i].taken >> t & 1) || iou < least)
            continue;
        found = &gold[i];
        least = iou;
    }
    return found;
}

/* Whether a detection that takes no gold box lies in a crowd: the share of it that a crowd region
 * covers takes the place of the IoU, and any number of detections may lie in one. */
static bool in_crowd(const struct box *gold, size_t n, const struct box *pred, size_t t)
{
    for (size_t i = 0; i < n; i++)
        if (gold[i].is_crowd && gm_box_cover(pred->box, gold[i].box) >= gm_eval_curve_iou(t))
            return true;
    return false;
}

enum gm_status gm_ap_add(struct gm_ap *a, const struct gm_post *gold, const struct gm_post *pred,
                         struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(collect(a, gold, &a->gold, err));
    GM_TRY(collect(a, pred, &a->pred, err));
    struct box *g = (void *)a->gold.p, *p = (void *)a->pred.p;
    size_t n_gold = a->gold.n / sizeof *g, n_pred = a->pred.n / sizeof *p, from = 0, of_type = 0;
    for (size_t i = 0; i < n_gold; i++)
        ((size_t *)(void *)a->n_gold.p)[g[i].type] += !g[i].is_crowd;
    for (size_t i = 0; i < n_pred; i++) {
        of_type = i && p[i - 1].type == p[i].type ? of_type + 1 : 0;
        if (of_type >= MAX_DETECTIONS)
            continue;
        while (from < n_gold && g[from].type < p[i].type)
            from++;
        size_t n = 0;
        while (from + n < n_gold && g[from + n].type == p[i].type)
            n++;
        struct hit h = {
            .score = p[i].score, .type = p[i].type, .number = (uint32_t)(a->hits.n / sizeof h)};
        for (size_t t = 0; t < GM_CURVE; t++) {
            struct box *b = best(g + from, n, &p[i], t);
            h.found |= (uint16_t)((b != NULL) << t);
            h.ignored |= (uint16_t)((!b && in_crowd(g + from, n, &p[i], t)) << t);
            if (b)
                b->taken |= (uint16_t)(1 << t);
        }
        GM_TRY(gm_buf_add(&a->hits, &h, sizeof h, err));
    }
done:
    return st;
}

static int by_hit(const void *x, const void *y)
{
    const struct hit *a = x, *b = y;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Of one type at overlap t: the mean over recalls 0, 0.01, …, 1 of the best precision at that
 * recall or a higher one. From the last hit back, so that this best precision is at hand. */
static double average(const struct hit *hits, size_t n, size_t n_gold, size_t t)
{
    size_t tp = 0, counted = 0;
    double sum = 0, highest = 0;
    for (size_t i = 0; i < n; i++) {
        tp += hits[i].found >> t & 1;
        counted += !(hits[i].ignored >> t & 1);
    }
    int k = RECALLS - 1;
    for (size_t i = n; i-- > 0;) {
        if (hits[i].ignored >> t & 1)
            continue;
        double precision = (double)tp / (double)counted;
        double recall_before = (double)(tp - (hits[i].found >> t & 1)) / (double)n_gold;
        double recall = (double)tp / (double)n_gold;
        highest = precision > highest ? precision : highest;
        while (k >= 0 && k * 0.01 > recall)
            k--; /* no hit reaches it: precision 0 */
        for (; k >= 0 && (k * 0.01 > recall_before || counted == 1); k--)
            sum += highest;
        counted--;
        tp -= hits[i].found >> t & 1;
    }
    return sum / RECALLS;
}

void gm_ap_at(struct gm_ap *a, double out[GM_CURVE])
{
    struct hit *hits = (void *)a->hits.p;
    size_t n = a->hits.n / sizeof *hits, n_types = 0;
    const size_t *n_gold = (const void *)a->n_gold.p;
    memset(out, 0, GM_CURVE * sizeof *out);
    if (n)
        qsort(hits, n, sizeof *hits, by_hit);
    size_t from = 0;
    for (uint32_t type = 0; type < a->types.n; type++) {
        size_t to = from;
        while (to < n && hits[to].type == type)
            to++;
        for (size_t t = 0; t < GM_CURVE && n_gold[type]; t++)
            out[t] += average(hits + from, to - from, n_gold[type], t);
        n_types += n_gold[type] > 0;
        from = to;
    }
    for (size_t t = 0; t < GM_CURVE; t++)
        out[t] = n_types ? out[t] / (double)n_types : -1;
}
