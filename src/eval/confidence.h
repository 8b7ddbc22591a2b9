/* confidence.h - the confidences of predicted entities, each against whether the entity is right by
 * the task and rule of an evaluation: `gmner eval --calibration`. */
#ifndef GM_EVAL_CONFIDENCE_H
#define GM_EVAL_CONFIDENCE_H

#include "eval/eval.h"
#include "eval/reliability.h"

/* What a record says of how sure an entity is (docs/record.md). */
enum gm_measure {
    GM_BY_SCORE,    /* a probability */
    GM_BY_MARGINAL, /* a probability */
    GM_BY_ENTROPY,  /* nats: the lower the surer */
    GM_BY_MARGIN,
    GM_N_MEASURES
};

struct gm_confidences;

/* gm_confidences_new - *out is yours. Memory: 16 bytes an entity and measure. Errors: NOMEM. */
enum gm_status gm_confidences_new(struct gm_confidences **out, struct gm_error *err) GM_NODISCARD;
void gm_confidences_free(struct gm_confidences *c); /* NULL-safe */

/* gm_confidences_add - take the entities of the predicted post that `e` has just counted; what its
 * rule dropped as copies is left out, and so is a measure that an entity does not have.
 * Errors: NOMEM. */
enum gm_status gm_confidences_add(struct gm_confidences *c, const struct gm_eval *e,
                                  const struct gm_post *pred, struct gm_error *err) GM_NODISCARD;

struct gm_reliability {
    const char *name;    /* as in the record: "score", … */
    size_t n, n_right;   /* entities that have the measure */
    bool is_probability; /* else there are no calibration errors and bins */
    double ece, ece_mass;
    struct gm_bin bins[GM_ECE_BINS]; /* of equal width */
    double aurc, aurc_best;
    double risk[GM_COVERAGES];
};

/* gm_confidences_result - false when no entity has the measure (of scores: all are 1, which is what
 * a record without scores reads as). Sorts in place. Cost O(n log n). */
bool gm_confidences_result(struct gm_confidences *c, enum gm_measure m, struct gm_reliability *out);

/* gm_confidences_table, gm_confidences_json - of all measures that are there (docs/metrics.md);
 * *out is yours. Errors: NOMEM; FORMAT when there is none at all. */
enum gm_status gm_confidences_table(struct gm_confidences *c, struct gm_buf *out,
                                    struct gm_error *err) GM_NODISCARD;
enum gm_status gm_confidences_json(struct gm_confidences *c, struct gm_json **out,
                                   struct gm_error *err) GM_NODISCARD;

#endif
