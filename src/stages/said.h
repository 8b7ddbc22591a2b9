/* said.h - models' answers in forms of their own, as the form that was asked for. Each reads an
 * answer's text (thoughts cut) and gives what the stage's schema wants; what it doesn't understand
 * it leaves for the schema to refuse. *out is yours. Errors: FORMAT (nothing of the kind), NOMEM. */
#ifndef GM_STAGES_SAID_H
#define GM_STAGES_SAID_H

#include "base/json.h"

/* gm_said_boxes - {"boxes": [[xmin, ymin, xmax, ymax], …]}. Understood besides: the list alone; one
 * box alone; boxes in objects under bbox_2d, bbox, box_2d, box2d, box, bounding_box(es), boxes or as
 * xmin/ymin/xmax/ymax, x1/y1/x2/y2, left/top/right/bottom; two corner points; numbers as text;
 * corners in the other order; <|box_start|>(x,y),(x,y)<|box_end|>; null for none. */
enum gm_status gm_said_boxes(struct gm_json **out, struct gm_str text,
                             struct gm_error *err) GM_NODISCARD;

/* gm_said_entities, gm_said_phrases - {"entities": […]}, {"phrases": […]}, also from the list alone;
 * the numbers of entities may be text. */
enum gm_status gm_said_entities(struct gm_json **out, struct gm_str text,
                                struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_phrases(struct gm_json **out, struct gm_str text,
                               struct gm_error *err) GM_NODISCARD;

#endif
