/* data_uri.h - pictures that a record holds itself: "data:image/png;base64,…" (RFC 2397). */
#ifndef GM_IMAGE_DATA_URI_H
#define GM_IMAGE_DATA_URI_H

#include "base/buf.h"

#include <stdbool.h>

bool gm_data_uri_is(struct gm_str s);

/* gm_data_uri_read - append the bytes that a data: URI stands for. Padding may be missing, and what is
 * escaped (%2B) is unescaped. Errors: FORMAT, NOMEM. */
enum gm_status gm_data_uri_read(struct gm_buf *out, struct gm_str uri,
                                struct gm_error *err) GM_NODISCARD;

#endif
