/* base64.h - bytes as text (RFC 4648, section 4: with padding, without line ends). */
#ifndef GM_BASE_BASE64_H
#define GM_BASE_BASE64_H

#include "base/arena.h"
#include "base/buf.h"

/* gm_base64_write - append the bytes as base64. Errors: NOMEM. */
enum gm_status gm_base64_write(struct gm_buf *out, struct gm_str bytes,
                               struct gm_error *err) GM_NODISCARD;

/* gm_base64_read - the bytes of base64 text, in the arena. White space, a sign that is none of
 * base64's and missing padding are faults. Errors: FORMAT, NOMEM. */
enum gm_status gm_base64_read(struct gm_str *bytes, struct gm_str text, struct gm_arena *a,
                              struct gm_error *err) GM_NODISCARD;

#endif
