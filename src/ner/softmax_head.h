/* softmax_head.h - taggers of others: a Hugging Face directory that AutoModelForTokenClassification saved, with a
 * linear layer and softmax for a head, and labels in config.json's "id2label" (tag_names.h).
 * Private to src/ner. */
#ifndef GM_NER_SOFTMAX_HEAD_H
#define GM_NER_SOFTMAX_HEAD_H

#include "ner/ner_model.h"

/* gm_softmax_head_labels - types and scheme from config.json ("iob1" from gmner.json), and what else the family's head
 * has; sets t->softmax. Errors: MODEL (no such labels, or labels that cannot be read, named), IO, FORMAT, NOMEM. */
enum gm_status gm_softmax_head_labels(struct gm_tagger *t, struct gm_error *err) GM_NODISCARD;

/* gm_softmax_head_bind - after gm_net_bind: its classifier as values of head_w [n_rows][H] and head_b [n_rows].
 * Errors: MODEL (the classifier is missing or has another shape), NOMEM. */
enum gm_status gm_softmax_head_bind(struct gm_tagger *t, struct gm_error *err) GM_NODISCARD;

/* gm_softmax_head_join - emissions [n][n_rows] of the classifier become those of our labels, [n][k] in the graph's
 * memory; a label that it does not have becomes impossible. Errors: NOMEM. */
enum gm_status gm_softmax_head_join(const struct gm_tagger *t, struct gm_graph *g, size_t n,
                                    float **emit, struct gm_error *err) GM_NODISCARD;

/* gm_softmax_head_signs - counts in the likeliest labels of n words, emit [n][k], those that begin an entity, and those
 * that go on with one that is not there: with tags of IOB1 nearly all. */
void gm_softmax_head_signs(const struct gm_tagger *t, const float *emit, size_t n, size_t *begins,
                           size_t *odd);

#endif
