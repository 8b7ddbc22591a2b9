/* sha256.h - SHA-256 (FIPS 180-4); nettle is used here and in base64.c only. */
#ifndef GM_BASE_SHA256_H
#define GM_BASE_SHA256_H

#include "base/status.h"
#include "base/str.h"

enum { GM_SHA256_HEX = 65 }; /* 64 lower-case hex digits and a NUL */

/* gm_sha256 - digest of bytes in memory. */
void gm_sha256(struct gm_str bytes, char hex[GM_SHA256_HEX]);
/* gm_sha256_file - digest of a file's content. Errors: IO, NOMEM. Cost: reads the whole file. */
enum gm_status gm_sha256_file(const char *path, char hex[GM_SHA256_HEX],
                              struct gm_error *err) GM_NODISCARD;

#endif
