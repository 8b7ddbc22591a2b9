/* layouts.h - the vocabulary of a Hugging Face directory: tokenizer.json, or what older tokenizers kept.
 *
 *   tokenizer.json              as it is
 *   vocab.txt, bpe.codes        BERTweet's: fastBPE, "</w>" at the end of a word, "x@@" within
 *   vocab.json, merges.txt      RoBERTa's and GPT-2's: byte-level BPE
 *   vocab.txt                   BERT's: WordPiece
 *
 * SentencePiece's own files are refused, with the line that writes a tokenizer.json. */
#ifndef GM_TOKENIZER_LAYOUTS_H
#define GM_TOKENIZER_LAYOUTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

/* gm_tokenizer_text - append the text of tokenizer.json of a directory, or one that says what the other files say
 * (model "fastBPE" is a dialect that only gmner reads); *path, for messages, is the file that it comes from, in the
 * arena. Errors: MODEL (none of them, or a broken one, naming it), IO, FORMAT, NOMEM. */
enum gm_status gm_tokenizer_text(struct gm_buf *out, const char *dir, struct gm_arena *a,
                                 const char **path, struct gm_error *err) GM_NODISCARD;

#endif
