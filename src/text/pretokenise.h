/* pretokenise.h - cut a normalised text into the words that the model sees one by one. Internal to
 * src/text. */
#ifndef GM_TEXT_PRETOKENISE_H
#define GM_TEXT_PRETOKENISE_H

#include "base/json.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* gm_pretokenise_check - the "pre_tokenizer" member of a tokenizer.json must be BertPreTokenizer.
 * Errors: MODEL. */
enum gm_status gm_pretokenise_check(const struct gm_json *json, const char *path,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_pretokenise_next - the next word at or after byte *at, which moves past it; false at the end.
 * As BertPreTokenizer: white space parts words, every punctuation mark is a word of its own. */
bool gm_pretokenise_next(struct gm_str s, size_t *at, struct gm_str *word);

#endif
