/* said.h - models' answers in forms of their own, as the form that was asked for. Each reads an
 * answer's text (thoughts cut) and gives what the stage's schema wants; what it doesn't understand
 * it leaves for the schema to refuse. *out is yours. Errors: FORMAT (nothing of the kind), NOMEM. */
#ifndef GM_STAGES_SAID_H
#define GM_STAGES_SAID_H

#include "base/json.h"

/* gm_said_boxes - {"boxes": [[xmin, ymin, xmax, ymax], …]}. Understood besides: the list alone; one
 * box alone; boxes in objects under bbox_2d, bbox, box_2d, box2d, box, bounding_box(es), boxes or as
 * xmin/ymin/xmax/ymax, x1/y1/x2/y2, left/top/right/bottom; two corner points; numbers as text;
 * corners in the other order; numbers between <|box_start|>…<|box_end|>, <box>…</box>,
 * <|begin_of_box|>…<|end_of_box|>, <|det|>…<|/det|>, or without their marks; location tokens <loc_N>,
 * <locNNNN>, <bin_N>; null for none. Location tokens and <|det|> have a unit of their own, and come
 * as 0..1000.
 * gm_said_boxes_yx - the same where y comes first; sides that have names keep them. */
enum gm_status gm_said_boxes(struct gm_json **out, struct gm_str text,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_boxes_yx(struct gm_json **out, struct gm_str text,
                                struct gm_error *err) GM_NODISCARD;

/* gm_said_boxes_in - the list of boxes, in those forms, in a JSON value; also as text within it. Empty for
 * an object that has no member for boxes. */
enum gm_status gm_said_boxes_in(struct gm_json **out, const struct gm_json *said, bool y_first,
                                struct gm_error *err) GM_NODISCARD;

/* gm_said_ground, gm_said_ground_yx - as gm_said_boxes, with the "reason" before "boxes"; empty where none
 * was given.
 * gm_said_grounds, gm_said_grounds_yx - {"entities": [{"entity": n, "reason", "visible", "boxes"}, …]}, boxes
 * in all forms of gm_said_boxes; also from the list alone, and from an answer about one entity. An entity
 * that is said several times has the boxes of all; one that isn't visible has none. */
enum gm_status gm_said_ground(struct gm_json **out, struct gm_str text,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_ground_yx(struct gm_json **out, struct gm_str text,
                                 struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_grounds(struct gm_json **out, struct gm_str text,
                               struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_grounds_yx(struct gm_json **out, struct gm_str text,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_said_checks, gm_said_checks_yx - {"entities": [{"entity": n, "reason", "answer": "keep|change|none",
 * "boxes"}, …]}, from the same forms as gm_said_grounds. Where there is no answer, boxes mean "change", and
 * visible: false "none". */
enum gm_status gm_said_checks(struct gm_json **out, struct gm_str text,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_checks_yx(struct gm_json **out, struct gm_str text,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_said_marks, gm_said_mark_grounds, gm_said_mark_checks - as gm_said_ground, gm_said_grounds and gm_said_checks where boxes
 * are numbered and an answer names them: "numbers": [2, 5] in place of "boxes". Understood besides: one
 * number, numbers as text, and under number, marks, mark, regions, boxes or box; an answer that is nothing but numbers; null
 * and "none" for none. */
enum gm_status gm_said_marks(struct gm_json **out, struct gm_str text,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_mark_grounds(struct gm_json **out, struct gm_str text,
                                    struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_mark_checks(struct gm_json **out, struct gm_str text,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_said_marks_in - the list of numbers, in those forms, in a JSON value. gm_said_value - an answer's JSON, or,
 * where it is nothing but numbers or a word for none, a string of it. */
enum gm_status gm_said_marks_in(struct gm_json **out, const struct gm_json *said,
                                struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_value(struct gm_json **out, struct gm_str text,
                             struct gm_error *err) GM_NODISCARD;

/* gm_said_yes - what an answer's last word that is yes or no says: 1, 0, or -1 where there is none. */
int gm_said_yes(struct gm_str text);

/* gm_said_entities, gm_said_phrases - {"entities": […]}, {"phrases": […]}, also from the list alone;
 * the numbers of entities may be text. */
enum gm_status gm_said_entities(struct gm_json **out, struct gm_str text,
                                struct gm_error *err) GM_NODISCARD;
enum gm_status gm_said_phrases(struct gm_json **out, struct gm_str text,
                               struct gm_error *err) GM_NODISCARD;

/* gm_said_wrap - {name: list}, taking the list over, also when it fails. */
enum gm_status gm_said_wrap(struct gm_json **out, const char *name, struct gm_json *list,
                            struct gm_error *err) GM_NODISCARD;

#endif
