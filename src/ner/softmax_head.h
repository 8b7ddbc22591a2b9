/* softmax_head.h - taggers of others: a Hugging Face directory that AutoModelForTokenClassification saved, with a
 * linear layer and softmax for a head, and labels in config.json's "id2label" (tag_names.h).
 * Private to src/ner. */
#ifndef GM_NER_SOFTMAX_HEAD_H
#define GM_NER_SOFTMAX_HEAD_H

#include "ner/ner_model.h"

/* gm_softmax_head_is - whether the directory's labels are in config.json: it has no gmner.json, or one that only
 * adds to them ("head": "softmax"). */
bool gm_softmax_head_is(const struct gm_json *settings);

/* gm_softmax_head_labels - types and scheme from config.json, and what else the family's head has; sets
 * t->softmax. Errors: MODEL (no such labels, or labels that cannot be read, named), IO, FORMAT, NOMEM. */
enum gm_status gm_softmax_head_labels(struct gm_tagger *t, struct gm_error *err) GM_NODISCARD;

/* gm_softmax_head_bind - after gm_net_bind: the rows of its classifier as values of head_w and head_b, in the
 * order of our labels; one that it does not have becomes impossible. Errors: MODEL (the classifier is missing or
 * has another shape), NOMEM. */
enum gm_status gm_softmax_head_bind(struct gm_tagger *t, struct gm_error *err) GM_NODISCARD;

#endif
