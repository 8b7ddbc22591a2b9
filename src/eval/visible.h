/* visible.h - visual entailment: whether an entity is in the image, from `visible` against gold
 * boxes. Judged are the gold entities that a prediction has the ends of; types only decide which of several answers:
 * the first of gold's type, else the first. */
#ifndef GM_EVAL_VISIBLE_H
#define GM_EVAL_VISIBLE_H

#include "base/json.h"
#include "eval/binary.h"
#include "record/record.h"

struct gm_visible;

/* gm_visible_new - *out is yours. Memory: 9 bytes an entity, for the exact AUC. Errors: NOMEM. */
enum gm_status gm_visible_new(struct gm_visible **out, struct gm_error *err) GM_NODISCARD;
void gm_visible_free(struct gm_visible *e); /* NULL-safe */

/* gm_visible_add - count a pair of posts. The score of an entity is its `visible`; one that was not
 * judged has 1 with regions and 0 without. Errors: FORMAT as gm_eval_add, NOMEM. */
enum gm_status gm_visible_add(struct gm_visible *e, const struct gm_post *gold,
                              const struct gm_post *pred, struct gm_error *err) GM_NODISCARD;

struct gm_visible_result {
    struct gm_binary counts; /* yes: visible >= 0.5 */
    double auc;              /* NaN where gold knows only one answer */
    size_t posts, failed_posts;
    size_t n_missed; /* gold entities that no prediction has the ends of: not judged */
};
enum gm_status gm_visible_result(const struct gm_visible *e, struct gm_visible_result *out,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_visible_table, gm_visible_json - as gm_eval_table and gm_eval_json. */
enum gm_status gm_visible_table(const struct gm_visible_result *r, struct gm_buf *out,
                                struct gm_error *err) GM_NODISCARD;
enum gm_status gm_visible_json(const struct gm_visible_result *r, struct gm_json **out,
                               struct gm_error *err) GM_NODISCARD;

#endif
