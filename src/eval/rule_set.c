/* Position-aware sets: an entity is its two ends, its type and its boxes; what is predicted twice
 * counts once. Entities meet where both ends are equal. Gold entities of the same ends and type
 * that differ in their boxes alone are shared out so that most predictions find one.
 *
 * For tasks without images this is seqeval's and conlleval's exact match. */
#include "eval/match.h"

const struct gm_rule_def gm_rule_set = {
    .name = "set", .by_place = true, .is_set = true, .match = gm_match_best};
