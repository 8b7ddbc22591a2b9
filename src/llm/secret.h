/* secret.h - the key of a paid service: from the environment or a file that only its owner reads.
 */
#ifndef GM_LLM_SECRET_H
#define GM_LLM_SECRET_H

#include "base/status.h"
#include "base/str.h"

/* gm_secret_read - the key for an origin ("https://host:8000"; NULL = the servers of --endpoint): from
 * the file, whose lines are a key, or "URL KEY" for the servers of that URL's origin; path NULL =
 * $OPENAI_API_KEY, which is for --endpoint's alone. *out is NULL when there is none, else yours:
 * gm_secret_free. Errors: ARG (the file is open to group or others; a line is none of the two, in printable
 * ASCII; several keys have no URL; no line holds anything), IO, NOMEM. No message ever
 * holds the key. */
enum gm_status gm_secret_read(char **out, const char *path, const struct gm_str *origin,
                              struct gm_error *err) GM_NODISCARD;
/* gm_secret_copy - *out = a key that was given, yours; `from` says where, for messages. Errors: ARG (what is no
 * printable ASCII, or empty), NOMEM. */
enum gm_status gm_secret_copy(char **out, struct gm_str key, const char *from,
                              struct gm_error *err) GM_NODISCARD;
void gm_secret_free(char *key); /* NULL-safe; overwrites it */

/* The keys of a client, whoever they are for: what a server says may have any of them in it. */
struct gm_secrets {
    char **keys; /* owned */
    size_t n, cap;
};

/* gm_secrets_add - takes the key over, also on failure; NULL = none. gm_secrets_add_query - those of
 * a URL's query: the values of parameters whose names say so. Errors: NOMEM. */
enum gm_status gm_secrets_add(struct gm_secrets *s, char *key, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_secrets_add_query(struct gm_secrets *s, const char *url,
                                    struct gm_error *err) GM_NODISCARD;
/* gm_secrets_hide - '*' in place of each of them, and of the beginning of one that the text's end
 * cuts, if that has 4 letters. gm_secrets_clear - frees and overwrites them. */
void gm_secrets_hide(const struct gm_secrets *s, char *text);
void gm_secrets_clear(struct gm_secrets *s);

#endif
