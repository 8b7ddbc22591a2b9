/* labelstudio_task.h - one Label Studio task while it is read: the parts of labelstudio.c. Internal to
 * src/formats. */
#ifndef GM_FORMATS_LABELSTUDIO_TASK_H
#define GM_FORMATS_LABELSTUDIO_TASK_H

#include "record/losses.h"
#include "record/record.h"

/* A region before it is known whose it is. */
struct gm_labelstudio_region {
    struct gm_str id;
    struct gm_region region;
    size_t entity; /* SIZE_MAX = nobody's */
};

/* One task being read; all borrows from its JSON or is in the post's arena. */
struct gm_labelstudio_task {
    struct gm_post *post;
    struct gm_losses *lost;
    struct gm_str *ids; /* of post->entities */
    struct gm_labelstudio_region *regions;
    size_t n_regions;
    unsigned units; /* of the labels' offsets */
    const struct gm_json *data;
    struct gm_str text_key, image_key; /* of data; empty = none */
    struct gm_str image;               /* data[image_key], or the first of that list */
    bool has_other_picture;            /* under another key of data */
    bool has_two_tags;                 /* the regions name two pictures or more */
};

/* labelstudio_result.c: what a result says. */

/* gm_labelstudio_str - the string o[key]; empty when it is none. gm_labelstudio_score - result["score"], 1 when it
 * is none. gm_labelstudio_label - the first of value[kind]; the others are counted. */
struct gm_str gm_labelstudio_str(const struct gm_json *o, const char *key);
double gm_labelstudio_score(const struct gm_json *result);
struct gm_str gm_labelstudio_label(struct gm_labelstudio_task *t, const struct gm_json *value,
                                   const char *kind);
/* gm_labelstudio_is_text_label - whether a result is a label of the text, not of a region of the picture. */
bool gm_labelstudio_is_text_label(const struct gm_json *result);

/* labelstudio_data.c: what the data are, and what the results are about. */

enum gm_labelstudio_whose {
    GM_LABELSTUDIO_MINE,
    GM_LABELSTUDIO_OTHER_PICTURE,
    GM_LABELSTUDIO_OTHER_TEXT
};

/* gm_labelstudio_find_data - find the post's text (set) and picture among the task's data; further pictures
 * are counted. */
void gm_labelstudio_find_data(struct gm_labelstudio_task *t, const struct gm_json *data,
                              const struct gm_json *results);

/* gm_labelstudio_whose - whether a result is about the post's text and picture, or about others of the
 * task. Of a region that may be another picture's, where nothing tells, it is said to be so. */
enum gm_labelstudio_whose gm_labelstudio_whose(const struct gm_labelstudio_task *t,
                                               const struct gm_json *result);

/* labelstudio_labels.c: labels on the text. */

/* gm_labelstudio_units - how the offsets of an annotation's labels count, for gm_labelstudio_task.units. */
unsigned gm_labelstudio_units(const struct gm_labelstudio_task *t, const struct gm_json *results);

/* gm_labelstudio_entity - add the entity of a text label, or count it where it is known to be misplaced.
 * Errors: FORMAT. */
enum gm_status gm_labelstudio_entity(struct gm_labelstudio_task *t, const struct gm_json *result,
                                     struct gm_error *err) GM_NODISCARD;

/* labelstudio_regions.c: rectangles and brushes on the picture. What is referred to is read first:
 * rectangles, brushes, labels of regions (<Labels> on an image), relations; then settle. */

/* gm_labelstudio_rectangle - its labels, if it has any, are value[kind]. Errors: FORMAT. gm_labelstudio_brush -
 * Errors: FORMAT, NOMEM. */
enum gm_status gm_labelstudio_rectangle(struct gm_labelstudio_task *t, const struct gm_json *result,
                                        const char *kind, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_labelstudio_brush(struct gm_labelstudio_task *t, const struct gm_json *result,
                                    struct gm_error *err) GM_NODISCARD;
enum gm_status gm_labelstudio_region_label(struct gm_labelstudio_task *t,
                                           const struct gm_json *result,
                                           struct gm_error *err) GM_NODISCARD;

/* gm_labelstudio_relation - tie a label and a region, whichever way round; others are counted. */
void gm_labelstudio_relation(struct gm_labelstudio_task *t, const struct gm_json *result);

/* gm_labelstudio_settle - give the regions to their entities, the rest to the post's objects.
 * Errors: NOMEM. */
enum gm_status gm_labelstudio_settle(struct gm_labelstudio_task *t,
                                     struct gm_error *err) GM_NODISCARD;

#endif
