/* eval_internal.h - how a pair of posts is checked (align.c). Internal to src/eval. */
#ifndef GM_EVAL_EVAL_INTERNAL_H
#define GM_EVAL_EVAL_INTERNAL_H

#include "eval/align.h"
#include "record/record.h"

/* gm_pair_check - whether a prediction can be compared with its gold post at all: see gm_eval_add.
 * *solid: the texts differ in white space. by_name: posts of names only will do. Errors:
 * FORMAT. */
enum gm_status gm_pair_check(const struct gm_post *gold, const struct gm_post *pred, bool by_name,
                             bool *solid, struct gm_error *err) GM_NODISCARD;

#endif
