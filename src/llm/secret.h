/* secret.h - the key of a paid service: from the environment or a file that only its owner reads.
 */
#ifndef GM_LLM_SECRET_H
#define GM_LLM_SECRET_H

#include "base/status.h"

/* gm_secret_read - path NULL = $OPENAI_API_KEY. *out is NULL when there is none, else yours:
 * gm_secret_free. Errors: ARG (the file is readable or writable by group or others, or holds no
 * single line of printable ASCII), IO, NOMEM. No message ever holds the key. */
enum gm_status gm_secret_read(char **out, const char *path, struct gm_error *err) GM_NODISCARD;
void gm_secret_free(char *key); /* NULL-safe; overwrites it */

#endif
