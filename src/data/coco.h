/* coco.h - writing COCO JSON; the functions of a format's row (format.h). Internal to src/data. */
#ifndef GM_DATA_COCO_H
#define GM_DATA_COCO_H

#include "data/format.h"

enum gm_status gm_coco_create(void **state, const struct gm_target *to,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_coco_add(void *state, struct gm_post *p, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_coco_commit(void *state, struct gm_error *err) GM_NODISCARD;
void gm_coco_abort(void *state);

#endif
