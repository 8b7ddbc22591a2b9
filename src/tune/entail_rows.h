/* entail_rows.h - what is known of each gold entity, from all runs. Internal to src/tune. */
#ifndef GM_TUNE_ENTAIL_ROWS_H
#define GM_TUNE_ENTAIL_ROWS_H

#include "tune/gather.h"

struct gm_tune_row {
    double x[GM_EVIDENCE_X];
    unsigned sources;
    bool is_in;
    uint32_t fold;
    size_t post;
    double z, z_left; /* fused logits, with the model and without */
};

struct gm_tune_rows {
    const struct gm_tune_opts *o;
    struct gm_arena *arena;
    struct gm_tune_row *rows;
    size_t n, cap;
    unsigned all;                 /* the sources that say anything of any */
    bool asked[GM_EVIDENCE_SETS]; /* the sets that some entity's answer goes by */
};

/* gm_tune_rows_read - fill rows whose options and arena are set. Judged are gold entities that a run has the
 * ends of and a source says something of. Errors: those of reading; FORMAT (no entity is, or all have one
 * answer). */
enum gm_status gm_tune_rows_read(struct gm_tune_rows *w, struct gm_tune_result *r,
                                 struct gm_error *err) GM_NODISCARD;

#endif
