/* calibration_report.h - a calibration fitted on judged answers, and what it does to their probabilities: on the
 * answers that it was fitted on, and cross-fitted, each half by what fits the other half, which is the honest
 * figure. Internal to src/train. */
#ifndef GM_TRAIN_CALIBRATION_REPORT_H
#define GM_TRAIN_CALIBRATION_REPORT_H

#include "base/buf.h"
#include "train/calibration_fit.h"

struct gm_calibration_report {
    struct gm_calibration c;
    size_t n, n_right; /* answers, and those of them that are right */
    double ece_before, ece,
        ece_cross; /* expected calibration error, of probabilities and of scores */
    double accuracy_before,
        accuracy_cross; /* share of answers that the bound 0.5 judges as they are */
};

/* gm_calibration_report - halves: struct gm_judged each, of posts that have none in common. The buffers' order
 * changes. Errors: NOMEM. */
enum gm_status gm_calibration_report(struct gm_calibration_report *out,
                                     const struct gm_buf halves[2],
                                     struct gm_error *err) GM_NODISCARD;

/* gm_calibration_json - what gm_calibration_read reads, with the errors beside it. NULL when memory is out. */
struct gm_json *gm_calibration_json(const struct gm_calibration_report *r);

/* gm_calibration_due - *due: whether the model in `dir` is done and has no calibration yet. One on its way to where
 * a model is (train_folder.h) comes calibrated. Errors: IO, FORMAT, NOMEM. */
enum gm_status gm_calibration_due(const char *dir, bool *due, struct gm_error *err) GM_NODISCARD;

#endif
