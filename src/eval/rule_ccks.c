/* As the entity files of CCKS-2025 count: an entry is a name, a type and one box or none, so an
 * entity with three boxes is three entries, each to be found. Entries are sets and meet by name. */
#include "eval/match.h"

/* Each box of an item as an item of its own. */
static enum gm_status split(struct gm_match *m, struct gm_buf *items, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = items->n / sizeof(struct gm_match_item);
    struct gm_match_item *all = gm_arena_alloc(&m->arena, n, sizeof *all);
    if (!all)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu entities", n);
    for (size_t i = 0; i < n; i++)
        all[i] = ((const struct gm_match_item *)(const void *)items->p)[i];
    gm_buf_reset(items);
    for (size_t i = 0; i < n; i++) {
        struct gm_match_item one = all[i];
        one.n_shapes = all[i].n_shapes > 0;
        for (size_t k = 0; k == 0 || k < all[i].n_shapes; k++) {
            one.shapes = one.n_shapes ? all[i].shapes + k : NULL;
            GM_TRY(gm_buf_add(items, &one, sizeof one, err));
        }
    }
done:
    return st;
}

enum gm_status gm_match_split_boxes(struct gm_match *m, struct gm_error *err)
{
    enum gm_status st = split(m, &m->gold, err);
    return st == GM_OK ? split(m, &m->pred, err) : st;
}

const struct gm_rule_def gm_rule_ccks = {
    .name = "ccks", .is_set = true, .take_regions = gm_match_split_boxes, .match = gm_match_best};
