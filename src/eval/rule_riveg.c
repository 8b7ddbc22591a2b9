/* The rule of RiVEG's evaluation script (JinYuanLi0012/RiVEG), which the figures of the GMNER
 * literature after it come from.
 *
 * Predictions in file order; each scans the gold entities of its post with the same text and type
 * that are not taken yet, in file order, and takes the first that fits. One that does not fit ends
 * nothing and takes nothing. Of a prediction with several boxes only the last counts, of gold any; in
 * records, whose first box is the best one, that is the first (gm_box_pick).
 * Nothing is a set: what is predicted twice counts twice. */
#include "eval/match.h"

static enum gm_status first_fit(struct gm_match *m, const struct gm_need *need,
                                struct gm_error *err)
{
    size_t n_pred, n_gold, n_todo;
    const uint32_t *todo = gm_match_todo(m, need, &n_todo);
    const struct gm_match_item *pred = gm_match_pred(m, &n_pred), *gold = gm_match_gold(m, &n_gold);
    uint32_t *mate = gm_match_mates(m), *taken_by = gm_match_taken_by(m);
    (void)err;
    for (size_t t = 0; t < n_todo; t++) {
        size_t n;
        uint32_t i = todo[t];
        const uint32_t *meets = gm_match_meets(m, &pred[i], &n);
        for (size_t k = 0; k < n; k++) {
            uint32_t g = meets[k];
            if (taken_by[g] == GM_UNMATCHED && gm_fits(m, &pred[i], &gold[g], need)) {
                mate[i] = g;
                taken_by[g] = i;
                break;
            }
        }
    }
    return GM_OK;
}

const struct gm_rule_def gm_rule_riveg = {.name = "riveg", .one_box = true, .match = first_fit};
