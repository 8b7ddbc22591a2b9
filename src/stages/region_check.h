/* region_check.h - the parts of the stage check: asking about boxes by their crops (check_crop.c) and asking about them in the
 * whole picture (check_ask.c). Internal to the backend in check_llm.c. */
#ifndef GM_STAGES_REGION_CHECK_H
#define GM_STAGES_REGION_CHECK_H

#include "stages/ground_boxes.h"
#include "stages/ground_questions.h"

struct gm_region_check {
    struct gm_llm_stage base; /* first: the helpers take a pointer to it */
    struct gm_ground_coords coords;
    struct gm_llm_asking learning; /* ground's question, by which the model's numbers are learned */
    struct gm_prompt *ground_prompt;
    struct gm_json *ground_schema;
    struct gm_marks marks;
    double region, max_boxes;
    double
        crop; /* the share of its sides that a crop is larger by on each; < 0 = boxes are not cut out */
    double confirm; /* the least probability of yes */
    bool retry;     /* boxes that no crop confirms are asked about in the whole picture */
    bool drops;     /* what is not confirmed in the end goes */
    struct gm_prompt *crop_prompt;
    struct gm_llm_asking cropping;
};

/* An entity that is asked about, and what it came with. */
struct gm_checked {
    struct gm_entity *e;
    struct gm_region *regions;
    size_t n_regions;
    struct gm_str note;
};

/* One post's while the questions are out. */
struct gm_region_check_work {
    struct gm_post *post;
    struct gm_arena arena;
    struct gm_checked *asked; /* [n] */
    size_t n;
    struct gm_picture picture;
    struct gm_frame frame;   /* of the answers' boxes */
    struct gm_marked marked; /* n is 0 where boxes are said */
};

/* gm_check_is_uncertain - whether the entity is asked about. gm_check_score - the least of its regions' scores. */
bool gm_check_is_uncertain(const struct gm_region_check *c, const struct gm_entity *e);
double gm_check_score(const struct gm_entity *e);

/* gm_check_crops - ask about each box of w's entities by itself. Those that are confirmed stay, with the probability
 * as their score, alone or with the others beside them; an entity of which a box is confirmed, or an answer can't be used (which is noted),
 * is asked about no more: w->asked are the others then. gm_check_regions - ask about w's entities in the whole picture and take the
 * answers. Both: *answered is false where the post has failed or nothing was asked. Statuses as of
 * gm_llm_stage_ask. */
enum gm_status gm_check_crops(struct gm_region_check *c, struct gm_region_check_work *w,
                              bool *answered, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_check_regions(struct gm_region_check *c, struct gm_region_check_work *w,
                                bool *answered, struct gm_error *err) GM_NODISCARD;

#endif
