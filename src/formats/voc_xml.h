/* voc_xml.h - boxes from Pascal VOC annotation files, one file an image, and masks from JSON files of the
 * same names (mask_json.h); voc_xml.c is the only user of expat. Source: the Pascal VOC development kit's format, as Twitter-GMNER uses it: an object's
 * name is the text of the entity that it shows, several objects may share a name, and a file or an
 * object that is missing means "not in the image". */
#ifndef GM_FORMATS_VOC_XML_H
#define GM_FORMATS_VOC_XML_H

#include "record/losses.h"
#include "record/record.h"

/* What one name shows; an object of several names is there once for each. */
struct gm_voc_object {
    struct gm_str name;      /* white space at both ends removed */
    double box[GM_BOX_XYXY]; /* as the file says, not clipped */
    struct gm_rle mask;      /* counts.n == 0: none, as always in XML */
};

struct gm_voc {
    uint32_t w, h; /* pixels, as the file says; 0 = it does not */
    struct gm_voc_object *objects;
    size_t n_objects;
};

/* gm_voc_read - the annotation dir/ID.xml, else dir/ID.json, into the arena; files that are missing have no
 * objects.
 * Objects without a bndbox are left out and counted in `lost` (NULL: not counted).
 * Errors: IO, NOMEM, FORMAT with path:line:column (not well-formed; a root other than <annotation>;
 * an object without a name, or with a box that lacks one of its four numbers; over 10,000 objects). */
enum gm_status gm_voc_read(struct gm_voc *out, struct gm_arena *a, const char *dir,
                           struct gm_str id, struct gm_losses *lost,
                           struct gm_error *err) GM_NODISCARD;

/* gm_voc_path - dir/ID.xml, NUL-ended in the arena; .p NULL when memory is out. */
struct gm_str gm_voc_path(struct gm_arena *a, const char *dir, struct gm_str id);

/* gm_voc_find - the objects that show the entity `text`, in the file's order, into found [v->n_objects]; returns how
 * many. The name is the text; where no object is named exactly so, names that differ from it by
 * ASCII white space and punctuation only count. */
size_t gm_voc_find(const struct gm_voc *v, struct gm_str text, const struct gm_voc_object **found);

/* gm_post_add_boxes - gold regions for a post's entities from dir/ID.xml or dir/ID.json: each entity gets the
 * boxes of its name (score 1), and `visible` 1 or 0; a post of unknown picture size gets the file's.
 * What the file holds and the post can't is counted in `lost` (NULL: not counted).
 * Errors: as gm_voc_read. */
enum gm_status gm_post_add_boxes(struct gm_post *p, const char *dir, struct gm_losses *lost,
                                 struct gm_error *err) GM_NODISCARD;

#endif
