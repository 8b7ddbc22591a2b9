/* ground_questions.h - what a language model is asked about the entities of one post: one question an entity,
 * or one about all, with examples before it. */
#ifndef GM_STAGES_GROUND_QUESTIONS_H
#define GM_STAGES_GROUND_QUESTIONS_H

#include "stages/examples.h"
#include "stages/ground_coords.h"

/* The values of their prompts beside those of GM_LLM_VALUES and GM_GROUND_COORDS_VALUES; of examples, beside
 * those of GM_EXAMPLES_VALUES. */
#define GM_GROUND_EACH_VALUES "text", "caption", "entity", "type", "type_definition", "expression"
#define GM_GROUND_ALL_VALUES "text", "caption", "entities", "type_definition"
#define GM_GROUND_EXAMPLE_VALUES "entity", "type", "answer"

extern const char *const gm_ground_values_of_all[]; /* NULL-ended */
extern const char *const gm_ground_example_values[];

/* The schema of an answer about several entities: `member`, named `name`, says whether each is there. */
#define GM_GROUND_SCHEMA_OF_BOXES                                                             \
    "\"boxes\":{\"type\":\"array\",\"maxItems\":100,\"items\":{\"type\":\"array\",\"items\":" \
    "{\"type\":\"number\"},\"minItems\":4,\"maxItems\":4}}"
#define GM_GROUND_SCHEMA_OF_ALL(member, name)                                                 \
    "{\"type\":\"object\",\"properties\":{\"entities\":{\"type\":\"array\",\"maxItems\":200," \
    "\"items\":{\"type\":\"object\",\"properties\":{\"entity\":{\"type\":\"integer\"},"       \
    "\"reason\":{\"type\":\"string\"}," member "," GM_GROUND_SCHEMA_OF_BOXES "},"             \
    "\"required\":[\"entity\",\"reason\",\"" name                                             \
    "\",\"boxes\"],\"additionalProperties\":false}}},"                                        \
    "\"required\":[\"entities\"],\"additionalProperties\":false}"

/* What is asked for: an entity, and with it (batch: post) the later mentions of its name. */
struct gm_ground_target {
    const struct gm_entity *first;
};

/* One post's questions while they are out. */
struct gm_ground_work {
    struct gm_arena arena;
    struct gm_picture picture;
    struct gm_example_set examples;
    struct gm_entity **asked; /* [n] */
    size_t *of;               /* [n] its target */
    size_t n;
    struct gm_ground_target *targets;
    size_t n_targets;
    struct gm_llm_question *q;
    struct gm_llm_reply *replies;
    size_t n_q;
};

/* gm_ground_work_init - for a post of n entities; *w is zeroed, nothing is asked. gm_ground_work_clear frees, also after
 * a failed init. Errors: NOMEM. */
enum gm_status gm_ground_work_init(struct gm_ground_work *w, size_t n,
                                   struct gm_error *err) GM_NODISCARD;
void gm_ground_work_clear(struct gm_ground_work *w);

/* gm_ground_questions - from w's targets (at least one) and picture to its questions. examples NULL = none
 * are shown. Errors: NOMEM, those of gm_examples_find. */
enum gm_status gm_ground_questions(const struct gm_ground_coords *c, struct gm_llm_stage *s,
                                   struct gm_examples *examples, struct gm_post *p,
                                   struct gm_ground_work *w, struct gm_error *err) GM_NODISCARD;

#endif
