/* eval.h - how good predicted posts are against gold posts (docs/metrics.md).
 *
 * A task says what must be right of an entity, a rule which prediction is paid by which gold
 * entity. Counting is one post at a time; memory does not grow with their number. */
#ifndef GM_EVAL_EVAL_H
#define GM_EVAL_EVAL_H

#include "base/buf.h"
#include "eval/score.h"
#include "record/record.h"

enum gm_task {
    GM_TASK_MNER,   /* ends and type */
    GM_TASK_SPAN,   /* ends */
    GM_TASK_EEG,    /* entity and box, the type ignored */
    GM_TASK_GMNER,  /* entity, type and box */
    GM_TASK_FMNERG, /* the same with the fine type */
    GM_TASK_SMNER,  /* as gmner, with masks in place of boxes */
    GM_TASK_CCKS    /* as gmner, by the ccks rule */
};

enum gm_rule {
    GM_RULE_EXACT,   /* mner and span: sets of ends (and type) */
    GM_RULE_RIVEG,   /* rule_riveg.c */
    GM_RULE_SET,     /* rule_set.c */
    GM_RULE_OPTIMAL, /* rule_optimal.c */
    GM_RULE_CCKS,    /* rule_ccks.c */
    GM_RULE_REFINEG  /* rule_refineg.c */
};

/* Which boxes of a prediction that has several count, by the rules riveg, set and optimal. */
enum gm_box_pick {
    GM_BOX_USUAL, /* riveg: BEST, but LAST of posts without texts, as RiVEG's files have; else ANY */
    GM_BOX_BEST,  /* the first: records have the best one first */
    GM_BOX_LAST,  /* as RiVEG's script reads its own files */
    GM_BOX_ANY
};

struct gm_eval_opts {
    enum gm_task task;
    enum gm_rule rule;
    enum gm_box_pick box;
    double iou;      /* least overlap; for tasks with images */
    bool iou_strict; /* the overlap must be more than that */
    bool keep_posts; /* remember the counts of each post, for gm_bootstrap: 24 bytes a post */
};

struct gm_eval;

/* gm_task_parse, gm_rule_parse - by name; false for others. The names are those of the command
 * line. gm_task_name, gm_rule_name - the reverse. */
bool gm_task_parse(const char *name, enum gm_task *out);
const char *gm_task_name(enum gm_task t);
bool gm_rule_parse(const char *name, enum gm_rule *out);
const char *gm_rule_name(enum gm_rule r);
/* gm_box_pick_parse - "best", "last", "any". gm_rule_picks_box - whether the rule asks which box counts. */
bool gm_box_pick_parse(const char *name, enum gm_box_pick *out);
bool gm_rule_picks_box(enum gm_rule r);
bool gm_task_has_types(enum gm_task t);
bool gm_task_has_image(enum gm_task t); /* boxes or masks count */

/* gm_task_type - the type that the task compares; "(none)" for one that is not there (fmnerg). */
struct gm_str gm_task_type(enum gm_task t, const struct gm_entity *e);

/* gm_eval_opts_default - the task with its usual rule and an overlap of at least 0.5. */
struct gm_eval_opts gm_eval_opts_default(enum gm_task task);

/* gm_eval_new - nothing counted yet. *out is yours. One thread at a time. Errors: NOMEM. */
enum gm_status gm_eval_new(struct gm_eval **out, const struct gm_eval_opts *opts,
                           struct gm_error *err) GM_NODISCARD;
void gm_eval_free(struct gm_eval *e); /* NULL-safe */

/* gm_eval_add - count one post; both are borrowed during the call. Texts must be equal, or equal
 * but for white space (raw text against words joined by spaces): ends and names are then compared
 * without it. For rules that go by name, posts of formats that hold names only will do. A predicted
 * post with an `error` counts as predicting what it holds, which may be nothing. Errors: FORMAT
 * naming the post's id (the texts differ; no entities where there must be some: gold without them,
 * or a prediction without them and without an error; broken masks), NOMEM. Nothing is counted
 * then. */
enum gm_status gm_eval_add(struct gm_eval *e, const struct gm_post *gold,
                           const struct gm_post *pred, struct gm_error *err) GM_NODISCARD;

struct gm_eval_counts {
    size_t posts, failed_posts; /* those with an `error` among them */
    size_t gold_in_image;       /* gold entities with a region; for tasks with images */
};

const struct gm_eval_opts *gm_eval_options(const struct gm_eval *e);
struct gm_score gm_eval_total(const struct gm_eval *e); /* micro: over all types */
struct gm_eval_counts gm_eval_posts(const struct gm_eval *e);

/* gm_eval_types - number of types seen in gold or predictions (0 for tasks without types).
 * gm_eval_type - number i < that in order of name (by bytes); the name is borrowed. */
size_t gm_eval_types(const struct gm_eval *e);
struct gm_score gm_eval_type(const struct gm_eval *e, size_t i, struct gm_str *name);

/* What an entity got wrong first, in the order of the steps: the deepest matching that it is in
 * decides. RIGHT, and COPY: not counted, as it equals an earlier one or a rule leaves it out. */
enum gm_verdict {
    GM_VERDICT_SPAN,
    GM_VERDICT_TYPE,
    GM_VERDICT_IMAGE, /* in the image or not */
    GM_VERDICT_BOX,
    GM_VERDICT_RIGHT,
    GM_VERDICT_COPY
};

/* gm_eval_verdict - of entity i of the post that was added last. By the ccks rule an entity is as
 * good as the worst of its boxes. */
enum gm_verdict gm_eval_verdict(const struct gm_eval *e, bool of_gold, size_t i);

/* gm_eval_steps - the error decomposition: step i < n is the score with what comes after it taken
 * as perfect; the last is the total. Points lost at a step: its F1 less the one before (1 before
 * the first). *what names the step ("span", "type", "entailment", "box"). */
size_t gm_eval_steps(const struct gm_eval *e);
/* gm_eval_step_of - the step that fails where the verdict is v; gm_eval_steps = none. */
size_t gm_eval_step_of(const struct gm_eval *e, enum gm_verdict v);
struct gm_score gm_eval_step(const struct gm_eval *e, size_t i, const char **what);

/* gm_eval_curve - score at the overlap 0.50, 0.55, …, 0.95 for i = 0…GM_CURVE - 1, whatever
 * opts.iou is, but strict as opts.iou_strict is; tasks with images only. gm_eval_curve_iou - that overlap. */
enum { GM_CURVE = 10 };
struct gm_score gm_eval_curve(const struct gm_eval *e, size_t i);
double gm_eval_curve_iou(size_t i);

/* gm_eval_group - breakdown number `dim` ("image", "words", "box", "entities"), group i: false past
 * the last of either (i = 0 tells whether there is a dim). A pair counts in the group of its gold
 * entity, an unpaid prediction in its own. */
bool gm_eval_group(const struct gm_eval *e, size_t dim, size_t i, const char **dim_name,
                   const char **group, struct gm_score *out);

/* gm_eval_confusion - cell i of the confusion matrix in no set order, those with a count of 0 left
 * out; false past the last. Types of entities that meet; an empty name = none on that side. */
bool gm_eval_confusion(const struct gm_eval *e, size_t i, struct gm_str *gold, struct gm_str *pred,
                       size_t *n);

/* gm_eval_kept - the counts of each post in the order in which they were added (opts.keep_posts);
 * borrowed. Two systems' are to be joined by id: see gm_bootstrap_run. */
struct gm_count {
    uint32_t tp, n_pred, n_gold;
    uint64_t id; /* gm_str_hash of the gold post's id */
};
const struct gm_count *gm_eval_kept(const struct gm_eval *e, size_t *n);

/* gm_eval_table - a text table for people: scores by type, the curve, the steps; with `details`
 * also breakdown and confusion matrix. gm_eval_json - the object of docs/metrics.md, all of it;
 * *out is yours. Errors: NOMEM. */
struct gm_json;
enum gm_status gm_eval_table(const struct gm_eval *e, bool details, struct gm_buf *out,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_eval_json(const struct gm_eval *e, struct gm_json **out,
                            struct gm_error *err) GM_NODISCARD;

#endif
