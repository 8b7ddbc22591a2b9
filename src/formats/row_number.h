/* row_number.h - rows of formats that have one row a box, numbered so that the rows of one entity are known:
 * "ID.jpg#12" for its first box, "ID.jpg#12.2", "ID.jpg#12.3" for the further ones. Internal to src/formats. */
#ifndef GM_FORMATS_ROW_NUMBER_H
#define GM_FORMATS_ROW_NUMBER_H

#include "base/buf.h"
#include "formats/named_entities.h"

/* gm_row_number_write - append ".jpg#12" or ".jpg#12.2": the entity's number and the box's, from 0. */
enum gm_status gm_row_number_write(struct gm_buf *out, size_t entity, size_t box,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_row_number_goes_on - whether what stands behind the '#' says that the row is a further box of the entity
 * of the row before it. RiVEG's own numbers (four hexadecimal digits) never do. */
bool gm_row_number_goes_on(struct gm_str number);

/* gm_row_number_join - where `row` goes on with entity `last` (NULL: none), give that its boxes, in the post's
 * arena; *is_joined false: it is an entity of its own. Errors: NOMEM. */
enum gm_status gm_row_number_join(struct gm_post *p, struct gm_named_entity *last,
                                  const struct gm_named_entity *row, struct gm_str number,
                                  bool *is_joined, struct gm_error *err) GM_NODISCARD;

#endif
