/* distill.h - what a trained tagger (the teacher) makes of the training posts, for another to learn
 * from. Source: Hinton, Vinyals, Dean 2015. Private to src/train. */
#ifndef GM_TRAIN_DISTILL_H
#define GM_TRAIN_DISTILL_H

#include "ner/ner_model.h"
#include "train/posts.h"

/* gm_distill_targets - load the tagger in `dir` and let it read the posts, with their
 * knowledge if it was trained with some; out [posts->n] of [n_tokens, k]: the marginals of the
 * labels `l`, in `a`, whatever the order of types in `dir`.
 * Errors: MODEL (no tagger, or one of other types or scheme), those of gm_tagger_load and
 * gm_tagger_predict. */
enum gm_status gm_distill_targets(const char *dir, const char *precision,
                                  const struct gm_posts *posts, const struct gm_ner_labels *l,
                                  struct gm_arena *a, const float ***out,
                                  struct gm_error *err) GM_NODISCARD;

#endif
