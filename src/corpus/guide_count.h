/* guide_count.h - what annotated posts tell of their entity types, counted for a guide (guide.h): how often
 * each type occurs and under which names, how many of its entities are in the image, how large their
 * boxes are, and how many handles and hashtags are entities. */
#ifndef GM_CORPUS_GUIDE_COUNT_H
#define GM_CORPUS_GUIDE_COUNT_H

#include "base/json.h"
#include "corpus/stats.h"

enum { GM_GUIDE_EXAMPLES = 8 /* names of a type that a guide shows, at most */ };

/* One type, or fine type. */
struct gm_guide_type {
    uint32_t under; /* number of a fine type's coarse type; GM_LABEL_NONE = it is coarse */
    size_t n, n_shown, n_several; /* entities; with a box; with more than one */
    struct gm_spread area;        /* of boxes, as shares of their picture */
    struct gm_labels names;
    struct gm_buf by_name; /* size_t: how often */
};

struct gm_guide_count {
    size_t n_posts, n_entities, n_shown;
    size_t n_handles, n_handle_entities, n_hashtags, n_hashtag_entities;
    struct gm_labels types; /* "PER", "PER\tathlete" */
    struct gm_buf by_type;  /* struct gm_guide_type */
    struct gm_labels fine; /* what gm_guide_count_fine has told: "ID\tstart\tend", numbered as … */
    struct gm_buf fine_types; /* … struct gm_str into `arena` */
    struct gm_arena arena;
};

/* gm_guide_count_init - nothing counted. gm_guide_count_clear frees. */
void gm_guide_count_init(struct gm_guide_count *c);
void gm_guide_count_clear(struct gm_guide_count *c);

/* gm_guide_count_fine - the fine types of a post that gm_guide_count_add will see without them: they are
 * found by the post's id and the entity's place. All such posts come first.
 * gm_guide_count_add - count a post. Errors: NOMEM, FORMAT (over 65,535 types). */
enum gm_status gm_guide_count_fine(struct gm_guide_count *c, const struct gm_post *p,
                                   struct gm_error *err) GM_NODISCARD;
enum gm_status gm_guide_count_add(struct gm_guide_count *c, const struct gm_post *p,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_guide_count_write - append the guide as YAML. `definitions`: an object of the user's, by type or fine
 * type, before the built-in ones (type_definitions.h); NULL = none. Without any box nothing is said of
 * images. Errors: NOMEM. */
enum gm_status gm_guide_count_write(struct gm_guide_count *c, const struct gm_json *definitions,
                                    struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

#endif
