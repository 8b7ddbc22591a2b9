/* ground_samples.h - how sure a model is of the boxes that it gave: asked the same again, does it say the
 * same? */
#ifndef GM_STAGES_GROUND_SAMPLES_H
#define GM_STAGES_GROUND_SAMPLES_H

#include "stages/ground_boxes.h"
#include "stages/ground_questions.h"

enum { GM_GROUND_SAMPLES_MAX = 16 };

/* gm_ground_samples - ask w's questions n times more (2 to GM_GROUND_SAMPLES_MAX), each time with another seed, at
 * that temperature, and make the agreement of the answers the score of the regions of the entities that were
 * asked about. The post fails where a question has no answer at all. Statuses as of gm_llm_stage_ask. */
enum gm_status gm_ground_samples(const struct gm_ground_coords *c, struct gm_llm_stage *s,
                                 struct gm_post *p, struct gm_ground_work *w, size_t n,
                                 double temperature, struct gm_error *err) GM_NODISCARD;

#endif
