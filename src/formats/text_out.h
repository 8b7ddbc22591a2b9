/* text_out.h - what the writers of text formats share. A writer's state begins with struct
 * gm_text_out, and is made, completed and dropped by the functions here. */
#ifndef GM_FORMATS_TEXT_OUT_H
#define GM_FORMATS_TEXT_OUT_H

#include "base/file.h"
#include "formats/format.h"

struct gm_text_out {
    struct gm_out *out;
    struct gm_buf text;  /* of the post that is being written */
    struct gm_target to; /* borrows what it points to */
    struct gm_buf last;  /* id of the last post that has lines; see gm_text_out_begin */
    bool has_last;
};

/* gm_text_out_new - a zeroed state of `size` bytes with its file open, for gm_format_row.create.
 * Errors: NOMEM, IO. */
enum gm_status gm_text_out_new(void **state, size_t size, const struct gm_target *to,
                               struct gm_error *err) GM_NODISCARD;

/* gm_text_out_begin - before the first line of a post, in formats that know the lines of a post by its id alone: count
 * one that reads as more of the post before it. Errors: NOMEM. */
enum gm_status gm_text_out_begin(struct gm_text_out *o, struct gm_str id,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_text_out_commit, gm_text_out_abort - as gm_format_row.commit and .abort. */
enum gm_status gm_text_out_commit(void *state, struct gm_error *err) GM_NODISCARD;
void gm_text_out_abort(void *state);

#endif
