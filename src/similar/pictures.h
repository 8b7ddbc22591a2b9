/* pictures.h - the pictures of posts as vectors (vision/clip.h), a picture a thread. */
#ifndef GM_SIMILAR_PICTURES_H
#define GM_SIMILAR_PICTURES_H

#include "record/record.h"

struct gm_pictures;

/* Called for a post whose picture can't be read, and which counts as one without; from the thread that
 * embeds, one at a time. */
typedef void gm_unreadable_fn(void *user, const struct gm_post *post, const struct gm_error *why);

/* gm_pictures_load - with the encoder of a file, in a precision (auto, f32, bf16, int8, which is auto here;
 * NULL = f32); *out is yours. cache: the file in which vectors are kept (similar/vector_cache.h); NULL = none.
 * unreadable NULL = not told. Errors: those of gm_clip_load, ARG, NOMEM. */
enum gm_status gm_pictures_load(struct gm_pictures **out, const char *clip, const char *precision,
                                const char *cache, gm_unreadable_fn *unreadable, void *user,
                                struct gm_error *err) GM_NODISCARD;
void gm_pictures_free(struct gm_pictures *p); /* NULL-safe */

/* gm_pictures_dim - numbers a vector has; 0 where p is NULL. */
size_t gm_pictures_dim(const struct gm_pictures *p);

/* gm_pictures_embed - the vectors of the posts that have a picture.
 *   keeps        look for them in the cache, and keep them there
 *   out [n][dim] out  each of length 1; as it was for a post without
 *   has [n] out       whether there is one
 * Errors: NOMEM, those of the encoder, CANCEL and AGAIN (base/stop.h). Threads: yes; one call works at a
 * time. */
enum gm_status gm_pictures_embed(struct gm_pictures *p, struct gm_post *const *posts, size_t n,
                                 bool keeps, float *out, bool *has,
                                 struct gm_error *err) GM_NODISCARD;

#endif
