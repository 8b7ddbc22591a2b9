/* breakdown.h - scores of groups of entities, and which types are taken for which. Internal to
 * src/eval. */
#ifndef GM_EVAL_BREAKDOWN_H
#define GM_EVAL_BREAKDOWN_H

#include "eval/match.h"

enum { GM_DIMS = 4, GM_GROUPS = 6 };

struct gm_breakdown {
    struct gm_score groups[GM_DIMS][GM_GROUPS];
};

/* gm_breakdown_add - count the posts that `m` holds, matched by the task's full rule. */
void gm_breakdown_add(struct gm_breakdown *b, const struct gm_match *m, const struct gm_post *gold,
                      const struct gm_post *pred);

/* gm_breakdown_at - see gm_eval_group; has_image: the task has boxes or masks. */
bool gm_breakdown_at(const struct gm_breakdown *b, bool has_image, size_t dim, size_t i,
                     const char **dim_name, const char **group, struct gm_score *out);

/* Pairs of types and how often each was seen. */
struct gm_confusion {
    struct gm_labels cells; /* the names are two type numbers each, uint32_t[2] */
    struct gm_buf counts;   /* size_t */
};

void gm_confusion_init(struct gm_confusion *c);
void gm_confusion_clear(struct gm_confusion *c);

/* gm_confusion_add - count the types of the pairs that `m` holds; of what is left, entities that
 * meet (same place or name) are paired in file order; the rest has no partner: GM_UNMATCHED as the
 * type. Uses up m's mates. Errors: NOMEM. */
enum gm_status gm_confusion_add(struct gm_confusion *c, struct gm_match *m,
                                struct gm_error *err) GM_NODISCARD;

#endif
