/* match.h - the entities of one post, gold and predicted, made ready to be compared, and the rules
 * that say which prediction is paid by which gold entity. Internal to src/eval.
 *
 *   collect -> the rule's way of taking regions -> places -> copies dropped -> match, at any level
 *
 * Items "meet" when they may be the same entity at all: the rule compares either the places of both
 * (ends) or their names (texts). Items that meet have the same number `place`. */
#ifndef GM_EVAL_MATCH_H
#define GM_EVAL_MATCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "eval/eval.h"
#include "record/labels.h"

#define GM_UNMATCHED UINT32_MAX

/* What a region is compared by: for smner its mask, else its box. Borrowed from the post, but for
 * `runs`, which are in the arena. */
struct gm_shape {
    const double *box; /* [4] xmin, ymin, xmax, ymax in pixels */
    const uint64_t
        *runs; /* [n_runs] of the mask, see gm_rle_to_runs; NULL = none: overlaps nothing */
    size_t n_runs;
};

/* One entity (by the ccks rule: one box of it) as it is compared. */
struct gm_match_item {
    size_t start, end;  /* code points, or characters that are no white space */
    struct gm_str name; /* as the task compares it */
    uint32_t type;      /* number in the evaluation's labels; 0 when the task ignores types */
    uint32_t place;
    uint32_t entity;         /* index in the post */
    uint8_t depth;           /* steps of the decomposition passed, for eval.c */
    bool is_copy;            /* dropped: an equal item came before it (rules of sets, refineg) */
    struct gm_shape *shapes; /* [n_shapes]; none: not in the image */
    size_t n_shapes;
};

struct gm_rule_def;

struct gm_match {
    const struct gm_rule_def *rule;
    const struct gm_eval_opts *opts;
    struct gm_arena arena;        /* of the post in hand */
    struct gm_buf gold, pred;     /* struct gm_match_item, in file order */
    struct gm_buf sorted;         /* scratch of the places, and of a rule */
    struct gm_buf order, first;   /* uint32_t: gold items by place, in file order; where each place
                                     begins there, [n_places + 1] */
    struct gm_buf all, boxed;     /* uint32_t: predictions that are no copies; those in the image */
    struct gm_buf mate, taken_by; /* uint32_t: gold of each prediction, and the reverse */
    struct gm_buf queue, from;    /* uint32_t: scratch of the best matching */
};

/* What a pair that meets must agree in besides; the levels of the error decomposition. */
struct gm_need {
    bool type, image; /* image: both in the image or both not */
    double iou;       /* the least overlap of items in the image; < 0: none asked for */
    bool strict;      /* more than `iou`, not equal */
    bool boxed_only;  /* leave out predictions that are not in the image: overlaps do not matter */
};

struct gm_rule_def {
    const char *name;
    bool by_place; /* else by name */
    bool is_set;   /* equal items count once; is_set_unboxed: those that are not in the image */
    bool is_set_unboxed;
    bool one_box;     /* of a prediction's boxes one counts (gm_box_pick), unless told otherwise */
    bool whole_names; /* a name does not end before its first "(" in the task eeg */
    bool (*is_counted)(enum gm_task task, const struct gm_entity *pred);      /* NULL: all are */
    enum gm_status (*take_regions)(struct gm_match *m, struct gm_error *err); /* NULL: all */
    /* `match` may mark predictions as copies anew, if it then lists them again. */
    enum gm_status (*match)(struct gm_match *m, const struct gm_need *need, struct gm_error *err);
};

extern const struct gm_rule_def gm_rule_riveg, gm_rule_set, gm_rule_optimal, gm_rule_ccks,
    gm_rule_refineg;

void gm_match_init(struct gm_match *m, const struct gm_eval_opts *opts);
void gm_match_clear(struct gm_match *m);

/* gm_match_load - take the entities of a pair of posts, whose strings stay borrowed until the next
 * load. `solid`: compare places and names without white space. Types are added to `types`.
 * Errors: NOMEM, FORMAT (a mask's counts are broken or its size differs from the others'). */
enum gm_status gm_match_load(struct gm_match *m, const struct gm_post *gold,
                             const struct gm_post *pred, bool solid, struct gm_labels *types,
                             struct gm_error *err) GM_NODISCARD;

/* gm_match_run - fill mate and taken_by by the rule. Items that are copies have no mate.
 * Errors: NOMEM. */
enum gm_status gm_match_run(struct gm_match *m, const struct gm_need *need,
                            struct gm_error *err) GM_NODISCARD;

/* The items of either side, and what became of them. */
struct gm_match_item *gm_match_gold(const struct gm_match *m, size_t *n);
struct gm_match_item *gm_match_pred(const struct gm_match *m, size_t *n);
uint32_t *gm_match_mates(const struct gm_match *m);    /* [n_pred] */
uint32_t *gm_match_taken_by(const struct gm_match *m); /* [n_gold] */

/* gm_match_meets - the gold items that meet a prediction, copies left out: *n indices. */
const uint32_t *gm_match_meets(const struct gm_match *m, const struct gm_match_item *pred,
                               size_t *n);

/* gm_match_todo - the predictions to find a mate for, in file order: *n indices. */
const uint32_t *gm_match_todo(const struct gm_match *m, const struct gm_need *need, size_t *n);

/* gm_match_list_predictions - find out anew which predictions are no copies. Errors: NOMEM. */
enum gm_status gm_match_list_predictions(struct gm_match *m, struct gm_error *err) GM_NODISCARD;

/* gm_match_split_boxes - for take_regions: each box of an item becomes an item of its own, on both sides
 * (rule_ccks.c). Errors: NOMEM. */
enum gm_status gm_match_split_boxes(struct gm_match *m, struct gm_error *err) GM_NODISCARD;

/* gm_shape_iou - the overlap of two shapes as the task compares them: of masks for smner, else of boxes. */
double gm_shape_iou(const struct gm_shape *a, const struct gm_shape *b, enum gm_task task);

/* gm_fits - whether a pair that meets agrees in what is needed. */
bool gm_fits(const struct gm_match *m, const struct gm_match_item *pred,
             const struct gm_match_item *gold, const struct gm_need *need);

/* gm_match_best - as many pairs as possible, one to one (matching.c): for all rules but riveg; for refineg
 * where no overlap is asked for. Errors: NOMEM. */
enum gm_status gm_match_best(struct gm_match *m, const struct gm_need *need,
                             struct gm_error *err) GM_NODISCARD;

#endif
