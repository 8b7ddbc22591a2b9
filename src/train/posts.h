/* posts.h - a whole file of gold posts in memory, for training. Private to src/train. */
#ifndef GM_TRAIN_POSTS_H
#define GM_TRAIN_POSTS_H

#include "record/labels.h"
#include "record/record.h"

struct gm_posts {
    struct gm_post *items; /* [n], all with tokens and gold entities */
    size_t n, cap;
};

/* gm_posts_read - append all posts of a file; raw text gets the words it would be cut into when
 * predicted. A post that can't be read or has no gold entities is an error with path:line, as
 * nothing should be left out of a training run unseen. The format is told by the file's content, or a folder's
 * (formats/reader.h). Errors: IO, FORMAT, ARG, NOMEM; what was read before stays in `out`. */
enum gm_status gm_posts_read(struct gm_posts *out, const char *path,
                             struct gm_error *err) GM_NODISCARD;
void gm_posts_clear(struct gm_posts *p);

/* Posts by their text; of posts with the same text the first. */
struct gm_posts_index {
    const struct gm_posts *posts; /* borrowed */
    struct gm_labels texts;
    struct gm_arena arena;
    uint32_t *first; /* number of a text -> post */
};
/* gm_posts_index_init - errors: NOMEM. gm_posts_index_clear - a zeroed one is fine. */
enum gm_status gm_posts_index_init(struct gm_posts_index *x, const struct gm_posts *p,
                                   struct gm_error *err) GM_NODISCARD;
void gm_posts_index_clear(struct gm_posts_index *x);
/* gm_posts_index_find - the post of that text; NULL = none. */
const struct gm_post *gm_posts_index_find(const struct gm_posts_index *x, struct gm_str text);

#endif
