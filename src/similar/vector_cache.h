/* vector_cache.h - vectors that an encoder once made, kept in one file that all runs share: a pool's posts go
 * through the encoders once.
 *
 * What is kept is known by the hash of what it was made of and of the encoder's fingerprint, so that another
 * encoder, or a changed one, finds nothing. Each vector carries a checksum: one that is damaged counts as not
 * there. Several processes may use the file at once. It holds nothing that could not be made again, so a file
 * that can't be opened, read or written is told of, and the work goes on without. */
#ifndef GM_SIMILAR_VECTOR_CACHE_H
#define GM_SIMILAR_VECTOR_CACHE_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct gm_vector_cache;

/* gm_vector_cache_path - vectors.sqlite beside the replies (base/cache.h); NULL as there. In the arena. */
const char *gm_vector_cache_path(struct gm_arena *a);

/* gm_vector_cache_open - the file at `path` (NULL: nothing is kept) for the vectors of one encoder.
 *   encoder  all that a vector depends on beside what is embedded; copied
 *   dim      numbers of a vector
 * *out is yours, and NULL where there is no file to be used, which is told of. Errors: NOMEM. */
enum gm_status gm_vector_cache_open(struct gm_vector_cache **out, const char *path,
                                    struct gm_str encoder, size_t dim,
                                    struct gm_error *err) GM_NODISCARD;
/* gm_vector_cache_open_model - the same for an encoder that is a model directory: its content and `what`, in
 * which precision (NULL = f32), are what vectors depend on; path NULL reads nothing. Errors: NOMEM, those of
 * gm_fingerprint_model. */
enum gm_status gm_vector_cache_open_model(struct gm_vector_cache **out, const char *path,
                                          const char *model, const char *what,
                                          const char *precision, size_t dim,
                                          struct gm_error *err) GM_NODISCARD;
void gm_vector_cache_close(struct gm_vector_cache *c); /* NULL-safe */

/* gm_vector_cache_get - the vectors of n things, each named by its content; out [n][dim], where found[i].
 * gm_vector_cache_put - keep the n vectors of which known[i] is false. c NULL: nothing is found or kept.
 * Threads: yes. */
void gm_vector_cache_get(struct gm_vector_cache *c, const struct gm_str *contents, size_t n,
                         float *out, bool *found);
void gm_vector_cache_put(struct gm_vector_cache *c, const struct gm_str *contents, size_t n,
                         const float *vectors, const bool *known);

/* gm_vector_cache_embed - the vectors of n things, out [n][dim]: those that are kept, and of the others what
 * `embed` makes of them, which is then kept. at [n_at] are the numbers of the others, fresh [n_at][dim].
 * Errors: NOMEM, those of `embed`. */
typedef enum gm_status gm_embed_fn(void *user, const size_t *at, size_t n_at, float *fresh,
                                   struct gm_error *err);
enum gm_status gm_vector_cache_embed(struct gm_vector_cache *c, const struct gm_str *contents,
                                     size_t n, size_t dim, float *out, gm_embed_fn *embed,
                                     void *user, struct gm_error *err) GM_NODISCARD;

#endif
