/* post_spool.h - the posts of a file, of any format, to be had by number: read once into a temporary file that
 * has no name, with an index of where each begins.
 *
 * Memory: some 30 bytes a post. Reading is safe from several threads once it has been opened. */
#ifndef GM_SERVE_POST_SPOOL_H
#define GM_SERVE_POST_SPOOL_H

#include "record/record.h"

struct gm_post_spool;

/* gm_post_spool_open - read the file, a run folder or "-"; posts that can't be read are told of and left out. `fn`
 * sees each post [i] as it is kept; NULL = nobody. *out is yours. Errors: those of gm_reader_open and of `fn`,
 * IO (no room), NOMEM. */
enum gm_status gm_post_spool_open(struct gm_post_spool **out, const char *path,
                                  enum gm_status (*fn)(void *user, size_t i, struct gm_post *post,
                                                       struct gm_error *err),
                                  void *user, struct gm_error *err) GM_NODISCARD;
void gm_post_spool_free(struct gm_post_spool *s); /* NULL-safe */

size_t gm_post_spool_count(const struct gm_post_spool *s);

/* gm_post_spool_find - the first post of an id; SIZE_MAX = there is none. Cost: O(log posts), plus one read. */
size_t gm_post_spool_find(const struct gm_post_spool *s, struct gm_str id);

/* gm_post_spool_get - the post as JSON; *out is yours. Errors: IO, NOMEM. */
enum gm_status gm_post_spool_get(const struct gm_post_spool *s, size_t i, struct gm_json **out,
                                 struct gm_error *err) GM_NODISCARD;

#endif
