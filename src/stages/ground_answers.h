/* ground_answers.h - what came of the questions about one post's entities. An answer about all of them of which
 * only a part can be read is not thrown away: that part counts, and the rest is asked for one by one. */
#ifndef GM_STAGES_GROUND_ANSWERS_H
#define GM_STAGES_GROUND_ANSWERS_H

#include "stages/ground_questions.h"

/* gm_ground_answers - ask w's questions and give each target the boxes of its answer, in w->frame's numbers. Where the one
 * question of batch: post has no answer that fits, however often it was asked, what its last one says of each entity is kept as
 * far as it fits, and each of the others gets one question of its own; a post of one entity does not. *answered: false where the
 * post has failed or nothing was asked (a dry run). Statuses as of gm_llm_stage_ask. */
enum gm_status gm_ground_answers(const struct gm_ground_asking *g, struct gm_post *p,
                                 struct gm_ground_work *w, bool *answered,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_ground_answer_of - the boxes of target t in the replies to all of w's questions, [n_q + n_late], the late ones behind the
 * others; NULL = no answer fits. Borrowed. */
const struct gm_json *gm_ground_answer_of(const struct gm_ground_coords *c,
                                          const struct gm_ground_work *w,
                                          const struct gm_llm_reply *replies, size_t t);

/* gm_ground_resolve - where boxes are chosen by number, those numbers in n replies become boxes. Errors: NOMEM. */
enum gm_status gm_ground_resolve(const struct gm_ground_work *w, struct gm_llm_reply *replies,
                                 size_t n, struct gm_error *err) GM_NODISCARD;

#endif
