/* answer.h - a model's answer as a list of sentences. Private to src/synth. */
#ifndef GM_SYNTH_ANSWER_H
#define GM_SYNTH_ANSWER_H

#include "base/json.h"

/* gm_synth_schema - what is asked for, as JSON Schema. */
extern const char gm_synth_schema[];
/* … of each sentence its knowledge, too. */
extern const char gm_synth_schema_knowledge[];

/* gm_synth_answer_read - for struct gm_llm_request: *out becomes {"sentences": [{"text", "entities": [{"text",
 * "type"}]}]} and fits the schema. The list may come without its object or under another name, the members
 * under names that models like ("sentence", "entity", "name", "label"). A sentence that is none becomes one
 * whose text is what was said and whose one entity is empty, so that it alone is refused.
 * Errors: FORMAT (no JSON, no list), NOMEM. */
enum gm_status gm_synth_answer_read(struct gm_json **out, struct gm_str text,
                                    struct gm_error *err) GM_NODISCARD;
/* gm_synth_answer_read_knowledge - the same with the member "knowledge" of each sentence, empty where it has
 * none. */
enum gm_status gm_synth_answer_read_knowledge(struct gm_json **out, struct gm_str text,
                                              struct gm_error *err) GM_NODISCARD;

#endif
