/* threshold.h - one threshold of a stage, against what it costs and what it brings.
 *
 * A unit is what is asked about or left as it is: an entity, or entities that hang together. It has a
 * number u, and counts for three ways: left as it is, asked, and asked of an oracle. The threshold says
 * who is asked: u > t, or u >= t. The score at t adds up each unit's counts the one way or the
 * other. Cross-fitting: the threshold for the units of a fold is chosen on those of the others. */
#ifndef GM_TUNE_THRESHOLD_H
#define GM_TUNE_THRESHOLD_H

#include "base/arena.h"
#include "base/str.h"
#include "eval/score.h"

#include <stdbool.h>

enum { GM_TUNE_FOLDS = 20 }; /* the most folds */

enum gm_tune_way { GM_TUNE_LEFT, GM_TUNE_ASKED, GM_TUNE_ORACLE, GM_TUNE_WAYS };

struct gm_tune_unit {
    double u;
    size_t post; /* number of the post */
    uint32_t fold;
    struct {
        size_t tp, n; /* right, and predicted */
    } way[GM_TUNE_WAYS];
};

/* gm_tune_fold - the fold, below n_folds, of a post: a hash of its id, so that it is the same in every
 * run and for every stage. */
uint32_t gm_tune_fold(struct gm_str id, size_t n_folds);

struct gm_tune_rule {
    bool at_least; /* asked where u >= t; else u > t */
    bool by_post;  /* one request a post, else one a unit */
    bool adds;     /* what is asked adds predictions: a high threshold is precise, and a target of
                          * precision takes the best F1 that has it; else the fewest calls */
    double lo, hi; /* what t may be */
    bool is_oracle_only; /* no way but the oracle's is known, which is then judged by */
};

enum gm_tune_target_kind {
    GM_TUNE_BEST,      /* the best F1 */
    GM_TUNE_PRECISION, /* the precision reaches `value` */
    GM_TUNE_F1,        /* the F1 reaches `value`: the fewest calls */
    GM_TUNE_CALLS      /* the share of calls is at most `value`: the best F1 */
};
struct gm_tune_target {
    enum gm_tune_target_kind kind;
    double value;
};

/* What a threshold comes to. */
struct gm_tune_point {
    double t;
    size_t units, calls; /* asked about; requests */
    struct gm_score score, oracle;
};

/* gm_tune_point_score - the score that the rule is judged by. */
struct gm_score gm_tune_point_score(const struct gm_tune_rule *r, const struct gm_tune_point *p);

/* gm_tune_at - the point of threshold t; the units of a post stand together. Cost O(n). */
struct gm_tune_point gm_tune_at(const struct gm_tune_unit *units, size_t n, size_t n_gold,
                                const struct gm_tune_rule *r, double t);

/* gm_tune_curve - the points of all thresholds that differ in who is asked, from nobody (t = hi) to all
 * (t = lo); between two values of u, t is in the middle, with as few of 3, 6 or 9 digits as tell the two
 * apart. At least one point. Units are sorted in place. In the arena. Errors: NOMEM. Cost O(n log n). */
enum gm_status gm_tune_curve(struct gm_tune_unit *units, size_t n, size_t n_gold,
                             const struct gm_tune_rule *r, struct gm_arena *a,
                             struct gm_tune_point **points, size_t *n_points,
                             struct gm_error *err) GM_NODISCARD;

/* gm_tune_choose - the point that meets the target; of equal ones that of fewer calls. Where none does, the
 * one that comes nearest, and *reached is false (NULL allowed). */
const struct gm_tune_point *gm_tune_choose(const struct gm_tune_point *points, size_t n,
                                           const struct gm_tune_rule *r,
                                           const struct gm_tune_target *target, bool *reached);

/* gm_tune_cross - the sum over folds of what the threshold chosen on the other folds comes to in it; t is
 * NaN. n_gold [n_folds]. Errors: NOMEM. */
enum gm_status gm_tune_cross(const struct gm_tune_unit *units, size_t n, const size_t *n_gold,
                             size_t n_folds, const struct gm_tune_rule *r,
                             const struct gm_tune_target *target, struct gm_tune_point *out,
                             struct gm_error *err) GM_NODISCARD;

/* gm_tune_add - to += add, all counts. */
void gm_tune_add(struct gm_tune_point *to, const struct gm_tune_point *add);

#endif
