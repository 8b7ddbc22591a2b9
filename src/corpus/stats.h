/* stats.h - what a data set holds: posts, words, entities a type and how many of them are in the
 * image, boxes and their sizes. */
#ifndef GM_CORPUS_STATS_H
#define GM_CORPUS_STATS_H

#include "record/labels.h"
#include "record/record.h"

/* A distribution: every value. */
struct gm_spread {
    struct gm_buf values; /* float */
};

struct gm_type_stats {
    size_t n, n_grounded; /* entities; those with a box */
};

struct gm_stats {
    size_t n_posts, n_with_image, n_with_caption, n_with_entities, n_entities, n_grounded, n_boxes,
        n_masks, n_sized; /* boxes in a picture of known size */
    struct gm_labels types, fine_types;
    struct gm_buf by_type, by_fine_type; /* struct gm_type_stats */
    struct gm_spread words, entities;    /* a post */
    struct gm_spread entity_words;
    struct gm_spread box_sides;  /* square root of the area, pixels */
    struct gm_spread box_shares; /* square root of the share of the picture, 0..1 */
};

/* gm_stats_init - nothing counted; allocates nothing. gm_stats_clear frees. */
void gm_stats_init(struct gm_stats *s);
void gm_stats_clear(struct gm_stats *s);

/* gm_stats_add - count a post. Words are the post's, else those of raw text (GM_CUT_CHARACTERS of
 * text/cut.h). Memory grows by 4 bytes a value. Errors: NOMEM, FORMAT (over 65,535 types), MODEL (as gm_segment). */
enum gm_status gm_stats_add(struct gm_stats *s, const struct gm_post *p,
                            struct gm_error *err) GM_NODISCARD;

/* gm_spread_count, gm_spread_mean, gm_spread_quantile - of the values so far; 0 when there are none.
 * q in 0..1 (nearest rank). quantile sorts the values: not from two threads. */
size_t gm_spread_count(const struct gm_spread *s);
double gm_spread_mean(const struct gm_spread *s);
double gm_spread_quantile(struct gm_spread *s, double q);
/* gm_spread_histogram - counts [n] out: values in [i*width, (i+1)*width), the last takes the rest. */
void gm_spread_histogram(const struct gm_spread *s, double width, size_t *counts, size_t n);

/* gm_stats_type - counts of type number i of s->types. */
struct gm_type_stats gm_stats_type(const struct gm_stats *s, uint32_t i);

/* gm_stats_table, gm_stats_json - append a text for reading, or one line of JSON. Errors: NOMEM. */
enum gm_status gm_stats_table(struct gm_stats *s, struct gm_buf *out,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_stats_json(struct gm_stats *s, struct gm_buf *out,
                             struct gm_error *err) GM_NODISCARD;

#endif
