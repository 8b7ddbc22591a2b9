/* ner_examples.h - what the tagger learns from: posts with gold entities as pieces and labels.
 * Private to src/train. */
#ifndef GM_TRAIN_NER_EXAMPLES_H
#define GM_TRAIN_NER_EXAMPLES_H

#include "base/rng.h"
#include "ner/ner_model.h"
#include "train/train.h"

/* One sequence: a post, or a part of one that is longer than the encoder reads. */
struct gm_ner_example {
    struct gm_pieced text, context; /* context: the post's knowledge */
    uint16_t *gold;                 /* [n_words] labels */
    uint16_t
        *fine_classes; /* [n_words] classes of the tagger's gm_fine_types; NULL = no fine types */
    const float *soft; /* [n_words, k] a teacher's probabilities; NULL = no teacher */
    const struct gm_str *words; /* [n_words]; NULL = it is always spelled as it is */
};

struct gm_ner_examples {
    struct gm_arena arena;
    struct gm_ner_example *items;
    size_t n, cap;
    struct gm_str
        *users; /* [n_users] the names behind "@" that are no entities, for other spellings */
    size_t n_users, cap_users;
};

/* gm_ner_examples_read - the posts of o->train (with o->fine_file's fine types and o->teacher's
 * probabilities), and a tagger of their types on o->encoder, ready for training: *t is yours.
 * Errors: IO, FORMAT, MODEL, ARG, NOMEM. gm_ner_examples_clear - also after an error. */
enum gm_status gm_ner_examples_read(struct gm_ner_examples *x, struct gm_tagger **t,
                                    const struct gm_train_opts *o,
                                    struct gm_error *err) GM_NODISCARD;
void gm_ner_examples_clear(struct gm_ner_examples *x); /* a zeroed one is fine */

/* gm_ner_example_spell - an example that has words in another spelling (spellings.h), its targets with the
 * words they belong to: words that weren't there are outside. Memory from `a`, or the example's.
 * Errors: NOMEM. */
enum gm_status gm_ner_example_spell(const struct gm_ner_examples *x, const struct gm_tagger *t,
                                    const struct gm_ner_example *from, struct gm_rng *rng,
                                    struct gm_pieces *tmp, struct gm_arena *a,
                                    struct gm_ner_example *out, struct gm_error *err) GM_NODISCARD;

#endif
