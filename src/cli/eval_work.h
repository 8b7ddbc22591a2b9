/* eval_work.h - what one call of gmner eval was asked for and what it counts, for its files: cmd_eval.c
 * (options, counting), eval_scheme.c (how tags are read), eval_run.c (reading), eval_out.c (what is
 * printed). */
#ifndef GM_CLI_EVAL_WORK_H
#define GM_CLI_EVAL_WORK_H

#include "base/buf.h"
#include "cli/eval_run.h"
#include "eval/bootstrap.h"

struct gm_eval_args {
    const char *task, *rule, *box, *gold, *pred, *vs, *xml, *images, *from, *scheme, *tags, *html,
        *svg;
    double iou;
    long long bootstrap, seed;
    bool iou_strict, ap, calibration, details, json;
};

/* One evaluation: of --pred, and where asked of --vs beside it. */
struct gm_eval_work {
    const struct gm_eval_args *o;
    struct gm_eval_opts counting;
    struct gm_eval *eval, *vs;
    struct gm_visible *entail;
    struct gm_ap *ap;
    struct gm_confidences *confidences;
    double ap_at[GM_CURVE];
    size_t n_resample; /* 0 = no intervals */
    long long seed;
    struct gm_bootstrap bootstrap;
    struct gm_buf out;
};

/* gm_eval_find_scheme - the scheme of strict reading: as asked for, else gold's, which is then gold's
 * for predictions too. Files whose tags look like another one get a warning. Errors: ARG (gold can be
 * read only once and can't be asked), those of reading. */
enum gm_status gm_eval_find_scheme(const struct gm_eval_args *o, struct gm_reader_opts *reading,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_eval_print - w->out becomes what the command prints: a table or a line of JSON.
 * gm_eval_page - put the totals into the report (the same table as on the terminal, with all details)
 * and commit it, which makes *report NULL. gm_eval_draw - the curves of --svg. Errors: NOMEM, IO. */
enum gm_status gm_eval_print(struct gm_eval_work *w, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_eval_page(struct gm_eval_work *w, struct gm_report **report,
                            struct gm_error *err) GM_NODISCARD;
enum gm_status gm_eval_draw(const struct gm_eval_work *w, struct gm_error *err) GM_NODISCARD;

#endif
