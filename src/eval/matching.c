/* The largest one-to-one matching: Berge's augmenting paths, searched breadth first from one
 * prediction after the other in file order (Kuhn's algorithm without recursion). Cost O(V*E) of the
 * items that meet, which are few. */
#include "eval/match.h"

/* Search a path from prediction `root` to a free gold item and flip it. from[g] is the prediction
 * that gold item g was reached from in this search, GM_UNMATCHED where it was not. */
static enum gm_status augment(struct gm_match *m, uint32_t root, const struct gm_need *need,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_pred, n_gold, n;
    const struct gm_match_item *pred = gm_match_pred(m, &n_pred), *gold = gm_match_gold(m, &n_gold);
    uint32_t *mate = gm_match_mates(m), *taken_by = gm_match_taken_by(m);
    uint32_t *from = (void *)m->from.p;
    const uint32_t *meets = gm_match_meets(m, &pred[root], &n); /* and every p met below */
    gm_buf_reset(&m->queue);
    GM_TRY(gm_buf_add(&m->queue, &root, sizeof root, err));
    for (size_t at = 0; at < m->queue.n / sizeof root; at++) {
        uint32_t p = ((const uint32_t *)(const void *)m->queue.p)[at];
        for (size_t k = 0; k < n; k++) {
            uint32_t g = meets[k];
            if (from[g] != GM_UNMATCHED || !gm_fits(m, &pred[p], &gold[g], need))
                continue;
            from[g] = p;
            if (taken_by[g] != GM_UNMATCHED) {
                GM_TRY(gm_buf_add(&m->queue, &taken_by[g], sizeof taken_by[g], err));
                continue;
            }
            for (uint32_t next; g != GM_UNMATCHED; g = next) { /* back along the path */
                next = mate[from[g]];
                mate[from[g]] = g;
                taken_by[g] = from[g];
            }
            goto done;
        }
    }
done:
    for (size_t k = 0; k < n; k++) /* all that was reached meets the root */
        from[meets[k]] = GM_UNMATCHED;
    return st;
}

enum gm_status gm_match_best(struct gm_match *m, const struct gm_need *need, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_todo, n_gold;
    const uint32_t none = GM_UNMATCHED, *todo = gm_match_todo(m, need, &n_todo);
    (void)gm_match_gold(m, &n_gold);
    gm_buf_reset(&m->from);
    for (size_t i = 0; i < n_gold; i++)
        GM_TRY(gm_buf_add(&m->from, &none, sizeof none, err));
    for (size_t i = 0; i < n_todo; i++)
        GM_TRY(augment(m, todo[i], need, err));
done:
    return st;
}
