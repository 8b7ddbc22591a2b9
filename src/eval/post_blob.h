/* post_blob.h - a post as one run of bytes, for a temporary file of this very process: what
 * evaluation and its page need of it, bit by bit, without the parsed line it came from.
 * Internal to src/eval. */
#ifndef GM_EVAL_POST_BLOB_H
#define GM_EVAL_POST_BLOB_H

#include "base/buf.h"
#include "record/record.h"

/* gm_post_put - append the post: all of it but words, candidates and decoded picture, and of its source
 * `asked`, which the page shows. Errors: NOMEM. */
enum gm_status gm_post_put(const struct gm_post *p, struct gm_buf *out,
                           struct gm_error *err) GM_NODISCARD;

/* gm_post_take - the reverse, from exactly the bytes that gm_post_put made: initialises and fills
 * *p, which the caller clears; on failure it is cleared. The bytes are not needed any more then.
 * Errors: NOMEM. */
enum gm_status gm_post_take(struct gm_post *p, const char *bytes,
                            struct gm_error *err) GM_NODISCARD;

#endif
