/* sentence.h - a text as one vector: the mean state of its word pieces, [CLS] and [SEP] with them,
 * scaled to length 1, as sentence-transformers has it for all-MiniLM-L6-v2.
 * Source: Reimers, Gurevych, Sentence-BERT, EMNLP 2019. */
#ifndef GM_SIMILAR_SENTENCE_H
#define GM_SIMILAR_SENTENCE_H

#include "base/status.h"
#include "base/str.h"

#include <stddef.h>

struct gm_sentence;

/* gm_sentence_load - a sentence encoder.
 *   model      a packaged model's name or a Hugging Face directory; NULL = "minilm"
 *   precision  auto, f32, bf16, int8; NULL = f32, whose cosines are those of the reference
 * Longer texts are cut off at "max_seq_length" pieces of the directory's sentence_bert_config.json,
 * 256 (all-MiniLM-L6-v2's) where there is none. *out is yours. Errors: IO, MODEL, FORMAT, ARG, NOMEM. */
enum gm_status gm_sentence_load(struct gm_sentence **out, const char *model, const char *precision,
                                struct gm_error *err) GM_NODISCARD;
void gm_sentence_free(struct gm_sentence *s); /* NULL-safe */

/* gm_sentence_dim - numbers a vector has. */
size_t gm_sentence_dim(const struct gm_sentence *s);

/* gm_sentence_embed - the vectors of n texts (well-formed UTF-8), which go through the encoder in
 * packed batches, a part a thread.
 *   out [n][dim] out  each of length 1
 * Errors: NOMEM, ARG (tokenizer and encoder do not belong together), CANCEL and AGAIN (base/stop.h).
 * Threads: yes; one call works at a time, with all threads of its budget. */
enum gm_status gm_sentence_embed(struct gm_sentence *s, const struct gm_str *texts, size_t n,
                                 float *out, struct gm_error *err) GM_NODISCARD;

#endif
