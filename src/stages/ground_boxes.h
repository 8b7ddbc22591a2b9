/* ground_boxes.h - boxes of a model's answer as an entity's regions. */
#ifndef GM_STAGES_GROUND_BOXES_H
#define GM_STAGES_GROUND_BOXES_H

#include "stages/ground_coords.h"

/* gm_ground_read_several - the setting `boxes`: whether an entity may have several (the default), or one. Errors: ARG. */
enum gm_status gm_ground_read_several(const struct gm_json *settings, bool *several,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_ground_boxes_of - the boxes that the replies to a post's questions give target number `target`, from 0 on;
 * NULL = no answer fits. Borrowed. */
const struct gm_json *gm_ground_boxes_of(const struct gm_ground_coords *c,
                                         const struct gm_llm_reply *replies, size_t target);

/* gm_ground_box - one box of an answer in pixels of the post's image: NULL, or the reason why it can't be one
 * (gm_coords_box). */
const char *gm_ground_box(const struct gm_json *four, struct gm_frame frame,
                          const struct gm_post *p, double out[4]);

/* gm_ground_take_boxes - the entity's regions become those boxes, in the frame's numbers, at most `most`; each
 * that can't be one is left out, counted and noted. No box at all: a note no_box:not_found. Errors: NOMEM. */
enum gm_status gm_ground_take_boxes(const struct gm_llm_stage *s, struct gm_post *p,
                                    struct gm_entity *e, const struct gm_json *boxes,
                                    struct gm_frame frame, size_t most,
                                    struct gm_error *err) GM_NODISCARD;

#endif
