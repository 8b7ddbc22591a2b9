/* json_repair.h - reading the JSON that a language model wrote, which is often not quite JSON. */
#ifndef GM_LLM_JSON_REPAIR_H
#define GM_LLM_JSON_REPAIR_H

#include "base/json.h"

enum gm_json_care {
    GM_JSON_STRICT,   /* the text was JSON */
    GM_JSON_REPAIRED, /* it was in there, or had slips: see below */
    GM_JSON_TRUNCATED /* it ended too early: what was whole is there */
};

/* gm_json_read_tolerant - the first array or object in `text` (valid UTF-8). Understood beside
 * JSON: text around it, fenced blocks, trailing commas, 'single quotes', bare keys, Python's True,
 * False and None, NaN and Infinity (as null), line breaks inside of strings, lone surrogates (as
 * U+FFFD). A model's thoughts must be gone already (thoughts.h). Of a text that ends too early an
 * array keeps its whole elements and an object its whole members, with what is whole of an array or object
 * that is its last; any other value cut in two is dropped. *out is yours. Errors: FORMAT (nothing of the kind there, nested over 64 levels), NOMEM.
 * Cost: linear, at most 32 starts are tried. */
enum gm_status gm_json_read_tolerant(struct gm_json **out, struct gm_str text,
                                     enum gm_json_care *care, struct gm_error *err) GM_NODISCARD;

#endif
