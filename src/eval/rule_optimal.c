/* One to one by entity text, as well as can be: the largest number of pairs that any assignment of
 * predictions to gold entities reaches. Any box of a prediction may be the one that fits. It is the
 * bound of the riveg rule, and does not depend on the order of the files. */
#include "eval/match.h"

const struct gm_rule_def gm_rule_optimal = {.name = "optimal", .match = gm_match_best};
