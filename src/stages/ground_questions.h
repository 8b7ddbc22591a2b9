/* ground_questions.h - what a language model is asked about the entities of one post: one question an entity,
 * or one about all, with examples before it. */
#ifndef GM_STAGES_GROUND_QUESTIONS_H
#define GM_STAGES_GROUND_QUESTIONS_H

#include "stages/examples.h"
#include "stages/ground_coords.h"
#include "stages/ground_marks.h"

/* The values of their prompts beside those of GM_LLM_VALUES and GM_GROUND_COORDS_VALUES; of examples, beside
 * those of GM_EXAMPLES_VALUES. */
#define GM_GROUND_EACH_VALUES \
    "text", "caption", "entity", "type", "type_definition", "expression", "several", "marks"
#define GM_GROUND_ALL_VALUES "text", "caption", "entities", "type_definition", "several", "marks"
#define GM_GROUND_EXAMPLE_VALUES "entity", "type", "answer"

extern const char *const gm_ground_values_of_all[]; /* NULL-ended */
extern const char *const gm_ground_example_values[];

/* The schemas of an entity's places, boxes or numbers of marks; of an answer about several entities: `member`, named
 * `name`, says whether each is there, `places` where. */
#define GM_GROUND_SCHEMA_OF_BOXES                                                             \
    "\"boxes\":{\"type\":\"array\",\"maxItems\":100,\"items\":{\"type\":\"array\",\"items\":" \
    "{\"type\":\"number\"},\"minItems\":4,\"maxItems\":4}}"
#define GM_GROUND_SCHEMA_OF_MARKS                                                                    \
    "\"numbers\":{\"type\":\"array\",\"maxItems\":20,\"items\":{\"type\":\"integer\",\"minimum\":1," \
    "\"maximum\":20}}"
#define GM_GROUND_SCHEMA_OF_ALL(member, name, places, places_name)                            \
    "{\"type\":\"object\",\"properties\":{\"entities\":{\"type\":\"array\",\"maxItems\":200," \
    "\"items\":{\"type\":\"object\",\"properties\":{\"entity\":{\"type\":\"integer\"},"       \
    "\"reason\":{\"type\":\"string\"}," member "," places "},"                                \
    "\"required\":[\"entity\",\"reason\",\"" name "\",\"" places_name                         \
    "\"],\"additionalProperties\":false}}},"                                                  \
    "\"required\":[\"entities\"],\"additionalProperties\":false}"

/* What is asked for: an entity, and with it (batch: post) the later mentions of its name. */
struct gm_ground_target {
    const struct gm_entity *first;
    const struct gm_json
        *boxes; /* what was answered (ground_answers.h); NULL = nothing that fits */
};

/* Who asks. */
struct gm_ground_asking {
    const struct gm_ground_coords *coords;
    struct gm_llm_stage *base;
    struct gm_examples *examples; /* NULL = none are shown */
    bool several;                 /* an entity may have more boxes than one */
};

/* One post's questions while they are out. */
struct gm_ground_work {
    struct gm_arena arena;
    struct gm_picture picture;
    struct gm_frame frame;   /* of the answers' boxes */
    struct gm_marked marked; /* n is 0 where boxes are said */
    struct gm_example_set examples;
    struct gm_entity **asked; /* [n] */
    size_t *of;               /* [n] its target */
    size_t n;
    struct gm_ground_target *targets;
    size_t n_targets;
    struct gm_llm_question *q;
    struct gm_llm_reply *replies;
    size_t n_q;
    /* [n_late] about targets that those have left out (ground_answers.h); late_at [n_targets]: 1 + the number of that
     * question, 0 = none. */
    struct gm_llm_question *late_q;
    struct gm_llm_reply *late;
    size_t *late_at, n_late;
};

/* gm_ground_work_init - for a post of n entities; *w is zeroed, nothing is asked. gm_ground_work_clear frees, also after
 * a failed init. Errors: NOMEM. */
enum gm_status gm_ground_work_init(struct gm_ground_work *w, size_t n,
                                   struct gm_error *err) GM_NODISCARD;
void gm_ground_work_clear(struct gm_ground_work *w);

/* gm_ground_questions - from w's targets (at least one), picture and marks to its questions. gm_ground_question_of_one - a
 * question as of batch: post about target t alone. Errors: NOMEM, those of gm_examples_find. */
enum gm_status gm_ground_questions(const struct gm_ground_asking *g, struct gm_post *p,
                                   struct gm_ground_work *w, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_ground_question_of_one(const struct gm_ground_asking *g, const struct gm_post *p,
                                         struct gm_ground_work *w, size_t t,
                                         struct gm_llm_question *q,
                                         struct gm_error *err) GM_NODISCARD;

#endif
