/* named_entities.h - posts of formats that name entities without saying where in the text they are (RiVEG
 * lines, CCKS entities, boxes with names), and the file that may give their texts. */
#ifndef GM_FORMATS_NAMED_ENTITIES_H
#define GM_FORMATS_NAMED_ENTITIES_H

#include "record/losses.h"
#include "record/record.h"

/* The texts of a file's posts by id; immutable once loaded. */
struct gm_texts;

/* gm_texts_load - read every post of a file in any format the reader knows that has texts.
 * Memory is that of the texts. Errors: as gm_reader_open and gm_reader_next. */
enum gm_status gm_texts_load(struct gm_texts **out, const char *path,
                             struct gm_error *err) GM_NODISCARD;
void gm_texts_free(struct gm_texts *t); /* NULL-safe */

/* gm_texts_new - none yet; *out is yours. gm_texts_add - the text of one post; the first of an id stays,
 * and one of names only (gm_post.names_only) is passed over.
 * Errors: NOMEM. gm_texts_count - how many there are. */
enum gm_status gm_texts_new(struct gm_texts **out, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_texts_add(struct gm_texts *t, const struct gm_post *p,
                            struct gm_error *err) GM_NODISCARD;
size_t gm_texts_count(const struct gm_texts *t);

struct gm_named_entity {
    struct gm_str name, type, expression; /* name and type are not empty */
    double visible;                       /* < 0 = not said */
    struct gm_region *regions;            /* in the post's arena */
    size_t n_regions;
};

/* gm_post_set_named - set a post's text and entities from names, which stay where they are (in the
 * post's arena). With texts (NULL: none) that know the post's id, the text, words and caption are
 * theirs, as is the image of a post that has none, and each name is looked for in it: the first place, for a repeated name the next one; a
 * name that is not there is counted in `lost` and left out. Without, the text is made of the names, which is
 * counted where there are texts of other posts.
 * Errors: NOMEM, FORMAT (over 10,000 names). Cost: names x (text + names). */
enum gm_status gm_post_set_named(struct gm_post *p, const struct gm_named_entity *v, size_t n,
                                 const struct gm_texts *texts, struct gm_losses *lost,
                                 struct gm_error *err) GM_NODISCARD;

#endif
