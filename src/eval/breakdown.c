/* breakdown.c - a matching's counts (tp, predicted, gold) by groups of entities: a gold entity
 * and its mate count in the gold entity's group, a prediction without a mate in its own. And the
 * table of types: cell (g, p) counts pairs of gold type g and predicted type p, with "none" on
 * either side for what is left. Tests: tests/e2e/test_eval_grounded.py. */
#include "eval/breakdown.h"

static const struct {
    const char *name;
    bool needs_image;
    const char *groups[GM_GROUPS];
} dims[GM_DIMS] = {
    {"image", true, {"in the image", "not in the image"}},
    {"words", false, {"1", "2", "3", "4+"}},
    {"box", true, {"small", "medium", "large"}},
    {"entities", false, {"0", "1", "2", "3", "4", "5+"}},
};

bool gm_breakdown_at(const struct gm_breakdown *b, bool has_image, size_t dim, size_t i,
                     const char **dim_name, const char **group, struct gm_score *out)
{
    for (size_t d = 0; d < GM_DIMS; d++) {
        if ((dims[d].needs_image && !has_image) || dim-- > 0)
            continue;
        *dim_name = dims[d].name;
        *group = i < GM_GROUPS ? dims[d].groups[i] : NULL;
        *out = *group ? b->groups[d][i] : (struct gm_score){0};
        return *group != NULL;
    }
    return false;
}

static size_t at_most(size_t n, size_t max) { return n < max ? n : max; }

/* Number of words, from 0 for one; of a name of white space only too. */
static size_t words_group(struct gm_str text)
{
    size_t n = 0;
    bool in_word = false;
    for (size_t i = 0; i < text.n; i++) {
        bool space = gm_is_space_byte(text.p[i]);
        n += !space && !in_word;
        in_word = !space;
    }
    return at_most(n ? n - 1 : 0, 3);
}

/* COCO's sizes, of the largest box: small below 32 x 32 pixels, large from 96 x 96 on. */
static size_t box_group(const struct gm_match_item *item)
{
    double most = 0;
    for (size_t i = 0; i < item->n_shapes; i++) {
        const double *b = item->shapes[i].box;
        double area = ((double)b[2] - (double)b[0]) * ((double)b[3] - (double)b[1]);
        most = area > most ? area : most;
    }
    return most < 32.0 * 32 ? 0 : most < 96.0 * 96 ? 1 : 2;
}

static void count(struct gm_breakdown *b, const struct gm_match_item *item, struct gm_str text,
                  size_t n_entities, struct gm_score add)
{
    const size_t group[GM_DIMS] = {item->n_shapes == 0, words_group(text), box_group(item),
                                   at_most(n_entities, 5)};
    for (size_t d = 0; d < GM_DIMS; d++)
        if (d != 2 || item->n_shapes) /* only what has a box has a size */
            gm_score_add(&b->groups[d][group[d]], add);
}

void gm_breakdown_add(struct gm_breakdown *b, const struct gm_match *m, const struct gm_post *gold,
                      const struct gm_post *pred)
{
    size_t n_gold, n_pred;
    const struct gm_match_item *g = gm_match_gold(m, &n_gold), *p = gm_match_pred(m, &n_pred);
    const uint32_t *mate = gm_match_mates(m), *taken_by = gm_match_taken_by(m);
    for (size_t i = 0; i < n_gold; i++)
        if (!g[i].is_copy)
            count(b, &g[i], gold->entities[g[i].entity].text, gold->n_entities,
                  taken_by[i] == GM_UNMATCHED ? (struct gm_score){0, 0, 1}
                                              : (struct gm_score){1, 1, 1});
    for (size_t i = 0; i < n_pred; i++)
        if (!p[i].is_copy && mate[i] == GM_UNMATCHED)
            count(b, &p[i], pred->entities[p[i].entity].text, gold->n_entities,
                  (struct gm_score){0, 1, 0});
}

enum { MAX_CELLS = 1 << 24 };

void gm_confusion_init(struct gm_confusion *c)
{
    gm_labels_init(&c->cells, MAX_CELLS);
    gm_buf_init(&c->counts, (MAX_CELLS + 1) * sizeof(size_t));
}

void gm_confusion_clear(struct gm_confusion *c)
{
    gm_labels_clear(&c->cells);
    gm_buf_clear(&c->counts);
}

static enum gm_status count_cell(struct gm_confusion *c, uint32_t gold, uint32_t pred,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const uint32_t pair[2] = {gold, pred};
    const size_t zero = 0;
    uint32_t cell;
    GM_TRY(gm_labels_add(&c->cells, (struct gm_str){(const char *)pair, sizeof pair}, &cell, err));
    if (c->counts.n < c->cells.n * sizeof zero)
        GM_TRY(gm_buf_add(&c->counts, &zero, sizeof zero, err));
    ((size_t *)(void *)c->counts.p)[cell]++;
done:
    return st;
}

enum gm_status gm_confusion_add(struct gm_confusion *c, struct gm_match *m, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_gold, n_pred, n;
    const struct gm_match_item *g = gm_match_gold(m, &n_gold), *p = gm_match_pred(m, &n_pred);
    uint32_t *mate = gm_match_mates(m), *taken_by = gm_match_taken_by(m);
    for (size_t i = 0; i < n_pred; i++) {
        const uint32_t *meets = gm_match_meets(m, &p[i], &n);
        for (size_t k = 0; k < n && mate[i] == GM_UNMATCHED && !p[i].is_copy; k++)
            if (taken_by[meets[k]] == GM_UNMATCHED)
                taken_by[mate[i] = meets[k]] = (uint32_t)i;
        if (!p[i].is_copy)
            GM_TRY(count_cell(c, mate[i] == GM_UNMATCHED ? GM_UNMATCHED : g[mate[i]].type,
                              p[i].type, err));
    }
    for (size_t k = 0; k < n_gold; k++)
        if (!g[k].is_copy && taken_by[k] == GM_UNMATCHED)
            GM_TRY(count_cell(c, g[k].type, GM_UNMATCHED, err));
done:
    return st;
}
