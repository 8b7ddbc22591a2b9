/* special.h - which tokens the post-processor of a tokenizer.json puts around a text. Internal to
 * src/text. */
#ifndef GM_TEXT_SPECIAL_H
#define GM_TEXT_SPECIAL_H

#include "base/json.h"
#include "text/tokenizer.h"

/* gm_special_read - set cls, sep and pad. Known are TemplateProcessing of the form "CLS text SEP"
 * (or none), BertProcessing, RobertaProcessing and no post-processor, where the vocabulary's
 * "[CLS]" and "[SEP]" are taken. Errors: MODEL (another form, named). */
enum gm_status gm_special_read(struct gm_special_ids *out, const struct gm_tokenizer *t,
                               const struct gm_json *json, const char *path,
                               struct gm_error *err) GM_NODISCARD;

#endif
