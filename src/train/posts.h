/* posts.h - a whole file of gold posts in memory, for training. Private to src/train. */
#ifndef GM_TRAIN_POSTS_H
#define GM_TRAIN_POSTS_H

#include "record/labels.h"
#include "record/record.h"
#include "text/cut.h"

struct gm_posts {
    struct gm_post *items; /* [n], all with gold entities, and after gm_posts_cut with tokens */
    size_t n, cap;
};

/* gm_posts_read - append all posts of a file. A post that can't be read or has no gold entities is an error with path:line, as
 * nothing should be left out of a training run unseen. Raw text is as it was meant (text/mend.h), as in prediction. The format
 * is told by the file's content, or a folder's (formats/reader.h). Errors: IO, FORMAT, ARG, NOMEM; what was read before stays
 * in `out`. */
enum gm_status gm_posts_read(struct gm_posts *out, const char *path,
                             struct gm_error *err) GM_NODISCARD;
/* gm_posts_read_pair - the same posts twice: gold, and those whose entities are to be predicted. Errors: as
 * gm_posts_read; ARG of what can be read once only; IO where it changed between. */
enum gm_status gm_posts_read_pair(struct gm_posts *gold, struct gm_posts *pred, const char *path,
                                  struct gm_error *err) GM_NODISCARD;
void gm_posts_clear(struct gm_posts *p);

/* gm_posts_how_cut - how a tagger of these posts has to cut raw text: what the setting `words` says, or for
 * "auto" what the posts' words are like (text/cut.h). Before gm_posts_cut. */
enum gm_word_cut gm_posts_how_cut(const struct gm_posts *p, const char *words);

/* gm_posts_cut - give raw text the words it is cut into when predicted. Errors: as gm_segment. */
enum gm_status gm_posts_cut(struct gm_posts *p, enum gm_word_cut cut,
                            struct gm_error *err) GM_NODISCARD;

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
