/* coco_index.h - what must be known of a whole COCO file before its first image is read: which
 * annotations an image has, what the categories are called, and which names of images are those of
 * several. Internal to src/formats. */
#ifndef GM_FORMATS_COCO_INDEX_H
#define GM_FORMATS_COCO_INDEX_H

#include "formats/document.h"
#include "record/labels.h"

/* Where an annotation is in the file. */
struct gm_coco_place {
    uint32_t image;     /* number of its image's key */
    size_t at, n, line; /* bytes of the file */
};

struct gm_coco_index {
    struct gm_document images; /* the section, from its beginning */
    struct gm_labels keys;     /* image ids of annotations */
    struct gm_labels category_ids, category_names;
    struct gm_buf name_of;    /* uint32_t: category id number -> name number */
    struct gm_buf places;     /* struct gm_coco_place, in order of image */
    struct gm_labels stems;   /* file names of images without folder and ending */
    struct gm_buf n_of_stems; /* uint32_t: how many images have it */
};

void gm_coco_index_init(struct gm_coco_index *x);
void gm_coco_index_clear(struct gm_coco_index *x);

/* gm_coco_index_read - go through a document, which must outlive the index. Annotations without an
 * image id are counted in `lost`. Errors: FORMAT (no COCO file; a category that can't be read), IO,
 * NOMEM. */
enum gm_status gm_coco_index_read(struct gm_coco_index *x, struct gm_document *doc,
                                  struct gm_losses *lost, struct gm_error *err) GM_NODISCARD;

/* gm_coco_id - an id, an integer (also written as 7.0, as pandas does) or a string, as text, perhaps
 * in `buf`; false: it is none. */
bool gm_coco_id(const struct gm_json *j, char buf[32], struct gm_str *out);

/* gm_coco_index_category - the name of a category id; empty: there is none such. */
struct gm_str gm_coco_index_category(const struct gm_coco_index *x, const struct gm_json *id);

/* gm_coco_index_places - the annotations of an image. */
const struct gm_coco_place *gm_coco_index_places(const struct gm_coco_index *x, struct gm_str id,
                                                 size_t *n);

/* gm_coco_index_post_id - the id of the post of an image in the arena: its file's name without folder
 * and ending; where several images have that, with the folders (a/1.jpg is a_1), and where this
 * does not tell them apart either, with the image's id too. Errors: NOMEM. */
enum gm_status gm_coco_index_post_id(const struct gm_coco_index *x, struct gm_arena *a,
                                     struct gm_str file, struct gm_str image_id, struct gm_str *out,
                                     struct gm_error *err) GM_NODISCARD;

#endif
