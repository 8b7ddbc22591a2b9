/* schema.h - checking a value against a small part of JSON Schema, the part that OpenAI's strict
 * mode, vLLM and llama.cpp all turn into grammars:
 *   type (one name), properties, required, additionalProperties (a boolean), items (one schema),
 *   minItems, maxItems, enum (of strings), minimum, maximum, minLength, maxLength (code points).
 * `title` and `description` are allowed and say nothing. */
#ifndef GM_LLM_SCHEMA_H
#define GM_LLM_SCHEMA_H

#include "base/json.h"

/* gm_schema_parse - read a schema and refuse what the list above hasn't. *out is yours
 * (gm_json_free). Errors: FORMAT naming the keyword, NOMEM. */
enum gm_status gm_schema_parse(struct gm_json **out, struct gm_str text,
                               struct gm_error *err) GM_NODISCARD;

/* gm_schema_check - whether `value` fits. Errors: FORMAT with the place and the reason
 * ("$.boxes[2].label: is missing"). Any thread. */
enum gm_status gm_schema_check(const struct gm_json *schema, const struct gm_json *value,
                               struct gm_error *err) GM_NODISCARD;

#endif
