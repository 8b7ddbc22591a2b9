/* fingerprint.h - what results depend on: the content of files, one "NAME=SHA-256" a line. */
#ifndef GM_BASE_FINGERPRINT_H
#define GM_BASE_FINGERPRINT_H

#include "base/buf.h"

/* gm_fingerprint_model - lines "NAME/FILE=SHA-256" for every file of the model's folder but its card, in
 * order of name. gm_fingerprint_file - the line "KEY=SHA-256" of one file.
 * Errors: MODEL, IO, NOMEM. Cost: reads the files whole. */
enum gm_status gm_fingerprint_model(const char *model, struct gm_buf *out,
                                    struct gm_error *err) GM_NODISCARD;
enum gm_status gm_fingerprint_file(const char *key, const char *path, struct gm_buf *out,
                                   struct gm_error *err) GM_NODISCARD;

#endif
