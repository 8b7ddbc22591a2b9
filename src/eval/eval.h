/* eval.h - how good predicted posts are against gold posts (docs/metrics.md).
 *
 * Entities are sets: what is predicted twice counts once. MNER: an entity is right when its type
 * and both ends are (seqeval's and conlleval's exact match); SPAN: the ends alone count. */
#ifndef GM_EVAL_EVAL_H
#define GM_EVAL_EVAL_H

#include "base/buf.h"
#include "data/record.h"
#include "eval/score.h"

enum gm_task { GM_TASK_MNER, GM_TASK_SPAN };

struct gm_eval_opts {
    enum gm_task task;
};

struct gm_eval;

/* gm_task_parse - "mner" or "span"; false for other names. gm_task_name - the reverse. */
bool gm_task_parse(const char *name, enum gm_task *out);
const char *gm_task_name(enum gm_task t);

/* gm_eval_new - nothing counted yet. *out is yours. One thread at a time. Errors: NOMEM. */
enum gm_status gm_eval_new(struct gm_eval **out, const struct gm_eval_opts *opts,
                           struct gm_error *err) GM_NODISCARD;
void gm_eval_free(struct gm_eval *e); /* NULL-safe */

/* gm_eval_add - count one post; both are borrowed during the call. Texts must be equal, or equal
 * but for white space (raw text against words joined by spaces): ends are then compared as numbers
 * of characters that are no white space. A predicted post with an `error` counts as predicting what
 * it holds, which may be nothing.
 * Errors: FORMAT naming the post's id (the texts differ; no entities where there must be some:
 * gold without them, or a prediction without them and without an error), NOMEM. Nothing is counted
 * then. */
enum gm_status gm_eval_add(struct gm_eval *e, const struct gm_post *gold,
                           const struct gm_post *pred, struct gm_error *err) GM_NODISCARD;

struct gm_eval_counts {
    size_t posts, failed_posts; /* those with an `error` among them */
};

enum gm_task gm_eval_task(const struct gm_eval *e);
struct gm_score gm_eval_total(const struct gm_eval *e); /* micro: over all types */
struct gm_eval_counts gm_eval_posts(const struct gm_eval *e);

/* gm_eval_types - number of types seen in gold or predictions (0 for SPAN). gm_eval_type - number
 * i < that in order of name (by bytes); the name is borrowed. */
size_t gm_eval_types(const struct gm_eval *e);
struct gm_score gm_eval_type(const struct gm_eval *e, size_t i, struct gm_str *name);

/* gm_eval_table - a text table for people. gm_eval_json - one line of JSON with "\n":
 * {"task","rule","tp","n_pred","n_gold","precision","recall","f1","per_type": {TYPE: {…}},
 * "posts","failed_posts"}. Both append; errors: NOMEM. */
enum gm_status gm_eval_table(const struct gm_eval *e, struct gm_buf *out,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_eval_json(const struct gm_eval *e, struct gm_buf *out,
                            struct gm_error *err) GM_NODISCARD;

#endif
