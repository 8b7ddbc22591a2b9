/* written.h - one sentence of an answer: read, its entities found in it, and checked by itself. Private to
 * src/synth. */
#ifndef GM_SYNTH_WRITTEN_H
#define GM_SYNTH_WRITTEN_H

#include "base/json.h"
#include "synth/seeds.h"
#include "synth/synth.h"
#include "text/segment.h"

struct gm_synth_mention {
    size_t first, end; /* words */
    uint32_t type;
};

struct gm_synth_sentence {
    struct gm_str text, knowledge; /* knowledge of a rewritten post that has some; else empty */
    struct gm_word *words;
    size_t n_words;
    struct gm_synth_mention *mentions; /* in order of their places, not overlapping */
    size_t n_mentions;
};

/* gm_synth_words_least, _most - how many words a sentence of a kind may have. */
size_t gm_synth_words_least(const struct gm_synth_opts *o, const struct gm_synth_seed *seed,
                            enum gm_synth_kind kind);
size_t gm_synth_words_most(const struct gm_synth_opts *o, const struct gm_synth_seed *seed,
                           enum gm_synth_kind kind);

/* gm_synth_sentence_read - `item` is {"text", "entities": [{"text", "type"}]} (answer.h), of a rewritten post
 * perhaps with "knowledge". Each name that it gives, and of a rewritten post each of the post's, is looked for
 * in the text word for word, longer ones first, and every place of it that is whole words and in no longer one
 * is an entity. *why is FITS, or the first reason that holds; all in the arena. Errors: NOMEM. */
enum gm_status gm_synth_sentence_read(const struct gm_synth_seeds *seeds,
                                      const struct gm_synth_seed *seed, enum gm_synth_kind kind,
                                      const struct gm_synth_opts *opts, const struct gm_json *item,
                                      struct gm_arena *a, struct gm_synth_sentence *out,
                                      enum gm_synth_reason *why, struct gm_error *err) GM_NODISCARD;

/* gm_synth_sentence_post - as a record: text, words, entities, and the object `origin`, which is taken over,
 * as the field "synth". The post is initialised; after an error, too, it is to be cleared. Errors: NOMEM. */
enum gm_status gm_synth_sentence_post(const struct gm_synth_sentence *s,
                                      const struct gm_labels *types, struct gm_str id,
                                      struct gm_json *origin, struct gm_post *out,
                                      struct gm_error *err) GM_NODISCARD;

#endif
