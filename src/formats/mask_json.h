/* mask_json.h - masks from JSON files, one file an image, as Twitter-SMNER comes: DIR/ID.json beside the texts.
 * Read are what tools for annotating write (LabelMe: `shapes` of `points`; ISAT: `objects` of `segmentation`) and
 * whatever looks alike: a list, or an object of names, of masks as COCO's runs, polygons, lists of points
 * or rows of 0 and 1. */
#ifndef GM_FORMATS_MASK_JSON_H
#define GM_FORMATS_MASK_JSON_H

#include "formats/voc_xml.h"

/* gm_masks_read - the file `path` of post `id` into the arena, as objects with masks whose boxes are the smallest
 * around them. A label may carry a type, "Ann Lee(PER)" or "PER: Ann Lee". What has no label or a mask that
 * can't be read is left out and counted in `lost` (NULL: not counted).
 * Errors: IO, NOMEM, FORMAT with the path (no JSON, no masks in it at all, over 10,000). */
enum gm_status gm_masks_read(struct gm_voc *out, struct gm_arena *a, const char *path,
                             struct gm_str id, struct gm_losses *lost,
                             struct gm_error *err) GM_NODISCARD;

#endif
