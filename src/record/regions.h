/* regions.h - which boxes and masks a post can have: decided here alone, for every reader and
 * writer. */
#ifndef GM_RECORD_REGIONS_H
#define GM_RECORD_REGIONS_H

#include "record/losses.h"
#include "record/record.h"

/* gm_box_has_area - whether xmin < xmax and ymin < ymax, also once they are written with the two
 * decimals that files have. */
bool gm_box_has_area(const double box[GM_BOX_XYXY]);

/* gm_box_is_nothing - [0, 0, 0, 0]: RiVEG's way to say of an entity that it is in the image, but that
 * its box fits nothing. */
bool gm_box_is_nothing(const double box[GM_BOX_XYXY]);

/* gm_box_write - append four numbers of pixels, with two decimals where they have some: "1, 2, 6.5, 8".
 * Errors: NOMEM. */
enum gm_status gm_box_write(const double box[GM_BOX_XYXY], struct gm_buf *out,
                            struct gm_error *err) GM_NODISCARD;

/* gm_post_settle_boxes - leave out the regions and objects whose box is empty or the wrong way round,
 * and count them in `lost` (NULL: not counted). An entity that has no other region keeps one with the
 * box [0, 0, 0, 0], since it was said to be in the image; regions that had this box already stay. */
void gm_post_settle_boxes(struct gm_post *p, struct gm_losses *lost);

/* gm_post_drop_nothing - leave out the regions with the box [0, 0, 0, 0], for formats where it means
 * nothing, and count them. An entity that loses its last region so stays one that is in the image: it is said
 * to be visible. */
void gm_post_drop_nothing(struct gm_post *p, struct gm_losses *lost);

/* gm_post_drop_masks - leave out the masks that can't be decoded, and count them; their boxes stay.
 * Errors: NOMEM. */
enum gm_status gm_post_drop_masks(struct gm_post *p, struct gm_losses *lost,
                                  struct gm_error *err) GM_NODISCARD;

#endif
