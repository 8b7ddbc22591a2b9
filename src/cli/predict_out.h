/* predict_out.h - where `gmner predict` writes posts: JSON Lines (or the coloured view, on a
 * terminal) and, beside it, an HTML report. */
#ifndef GM_CLI_PREDICT_OUT_H
#define GM_CLI_PREDICT_OUT_H

#include "record/record.h"

struct gm_predict_out;

/* gm_predict_out_open - output NULL = standard output (the coloured view, if that is a terminal),
 * "-" = standard output as JSON Lines in any case; html NULL = no report. Both files are checked to
 * be writable. *out is yours until commit or abort. Errors: IO, NOMEM. */
enum gm_status gm_predict_out_open(struct gm_predict_out **out, const char *output,
                                   const char *html, struct gm_error *err) GM_NODISCARD;
/* gm_predict_out_post - write a post; changes its image path to one that is right beside the
 * output. */
enum gm_status gm_predict_out_post(struct gm_predict_out *o, struct gm_post *post,
                                   struct gm_error *err) GM_NODISCARD;
/* gm_predict_out_flush - what was written is with the reader of standard output. */
enum gm_status gm_predict_out_flush(struct gm_predict_out *o, struct gm_error *err) GM_NODISCARD;
/* gm_predict_out_commit - put the files in their places; frees o whatever the result. */
enum gm_status gm_predict_out_commit(struct gm_predict_out *o, struct gm_error *err) GM_NODISCARD;
/* gm_predict_out_abort - drop what was written; NULL-safe. */
void gm_predict_out_abort(struct gm_predict_out *o);

#endif
