/* posts.h - a whole file of gold posts in memory, for training. Private to src/tagger. */
#ifndef GM_TAGGER_POSTS_H
#define GM_TAGGER_POSTS_H

#include "data/record.h"

struct gm_posts {
    struct gm_post *items; /* [n], all with tokens and gold entities */
    size_t n, cap;
};

/* gm_posts_read - append all posts of a file; raw text gets the words it would be cut into when
 * predicted. A post that can't be read or has no gold entities is an error with path:line, as
 * nothing should be left out of a training run unseen. */
enum gm_status gm_posts_read(struct gm_posts *out, const char *path, struct gm_error *err) GM_NODISCARD;
void gm_posts_clear(struct gm_posts *p);

#endif
