/* eval_run.h - one reading of gold and predictions for gmner eval: every pair of posts goes to all
 * that counts or shows it. */
#ifndef GM_CLI_EVAL_RUN_H
#define GM_CLI_EVAL_RUN_H

#include "eval/ap.h"
#include "eval/confidence.h"
#include "eval/visible.h"
#include "eval/eval.h"
#include "formats/reader.h"
#include "report/report.h"

/* Where pairs go; each may be NULL. Report and confidences need eval. */
struct gm_eval_sinks {
    struct gm_eval *eval;
    struct gm_visible *entail;
    struct gm_ap *ap;
    struct gm_confidences *confidences;
    struct gm_report *report;
};

/* gm_eval_read - read both files through; xml: folder of gold boxes, NULL = those of the file.
 * Errors: those of reading, pairing (eval/pairs.h) and counting. */
enum gm_status gm_eval_read(const struct gm_eval_sinks *to, const char *gold, const char *pred,
                            const char *xml, const struct gm_reader_opts *reading,
                            struct gm_error *err) GM_NODISCARD;

/* gm_eval_warn - log posts that carry an error, and gold without posts. */
void gm_eval_warn(size_t posts, size_t failed, const char *gold, const char *pred);

#endif
