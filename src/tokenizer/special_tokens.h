/* special_tokens.h - what the post-processor of a tokenizer.json does: the tokens it puts around a text,
 * and the trimming of offsets. Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_SPECIAL_TOKENS_H
#define GM_TOKENIZER_SPECIAL_TOKENS_H

#include "base/json.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocab.h"

#include <stdbool.h>

struct gm_post_processing {
    struct gm_special_tokens_ids ids; /* but unk */
    bool trim_offsets;                /* pieces do not cover the spaces at their ends ... */
    bool add_prefix_space;            /* ... but for one that the pre-tokeniser put in front */
};

/* gm_post_processing_read - known are TemplateProcessing of the form "CLS text SEP" (or none), BertProcessing,
 * RobertaProcessing, ByteLevel, a Sequence of them, and no post-processor, where the tokenizer's
 * "[CLS]" and "[SEP]", or "<s>" and "</s>", are taken. pad is "[PAD]" or "<pad>".
 * Errors: MODEL (another form, named). */
enum gm_status gm_post_processing_read(struct gm_post_processing *out,
                                       const struct gm_added_tokens *added,
                                       const struct gm_vocab *vocab, const struct gm_json *json,
                                       const char *path, struct gm_error *err) GM_NODISCARD;

#endif
