/* cache.h - replies of language models by the hash of the whole request, kept in one file that all
 * runs share: what was paid for once is not asked again. Only good replies are put into it.
 * Functions are safe from any thread; other processes may use the same file at the same time. */
#ifndef GM_BASE_CACHE_H
#define GM_BASE_CACHE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>

struct gm_cache;

/* gm_cache_path - $GMNER_CACHE, else gmner/replies.sqlite in $XDG_CACHE_HOME or ~/.cache; NULL when
 * memory is out or none of the variables is set. Lives in the arena. */
const char *gm_cache_path(struct gm_arena *a);

/* gm_cache_open - the file is made, with its folders, when it is missing. *out is yours.
 * Errors: IO, FORMAT, NOMEM. */
enum gm_status gm_cache_open(struct gm_cache **out, const char *path,
                             struct gm_error *err) GM_NODISCARD;
void gm_cache_close(struct gm_cache *c); /* NULL-safe */

/* gm_cache_get - append the reply kept under `key` to `out`; *found is false when there is none.
 * gm_cache_put - keep one; it is in the file when gm_cache_commit returns, which is due soon, as
 * other processes that put something wait for it. `user` is the struct gm_cache: a client of src/llm
 * takes the three as function pointers. Errors: IO, NOMEM. */
enum gm_status gm_cache_get(void *user, const char *key, struct gm_buf *out, bool *found,
                            struct gm_error *err) GM_NODISCARD;
enum gm_status gm_cache_put(void *user, const char *key, struct gm_str reply,
                            struct gm_error *err) GM_NODISCARD;
enum gm_status gm_cache_commit(void *user, struct gm_error *err) GM_NODISCARD;

#endif
