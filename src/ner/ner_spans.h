/* ner_spans.h - how likely single spans are, and the likeliest that the tagger did not choose.
 * Private to src/ner. */
#ifndef GM_NER_NER_SPANS_H
#define GM_NER_NER_SPANS_H

#include "ner/ner_model.h"

/* One post's lattice, what its labels and probabilities mean, and the best path [n]; all borrowed. */
struct gm_ner_lattice {
    const struct gm_ner_labels *labels;
    const struct gm_calibration *calibration;
    const struct gm_crf_lattice *lattice;
    const uint16_t *best;
};

/* What Viterbi finds of one post, in the arena. */
struct gm_ner_path {
    uint16_t *best; /* [n words] labels */
    double score;
    struct gm_span *spans; /* [n_spans] the entities of the labels, in order */
    size_t n_spans;
};

/* gm_ner_best_path - memory from `work`. Errors: NOMEM. */
enum gm_status gm_ner_best_path(const struct gm_tagger *t, const struct gm_ner_rows *r,
                                struct gm_arena *work, struct gm_ner_path *out,
                                struct gm_error *err) GM_NODISCARD;

struct gm_span_odds {
    double any;    /* probability that the words are an entity */
    double best;   /* … of `type` */
    uint32_t type; /* the likeliest one */
};

/* gm_ner_span_probability - that words [first, end) are exactly an entity of that type; work as below. */
double gm_ner_span_probability(const struct gm_ner_lattice *x, size_t first, size_t end,
                               uint32_t type, uint16_t *work);

/* gm_ner_span_odds - of words [first, end), first < end; work [n words] is overwritten.
 * Cost O(types * words of the span). */
struct gm_span_odds gm_ner_span_odds(const struct gm_ner_lattice *x, size_t first, size_t end,
                                     uint16_t *work);

struct gm_candidate {
    struct gm_span span;
    struct gm_span_odds odds;
};

/* gm_ner_candidates - the likeliest spans, best first, that overlap neither an entity of the best path nor
 * each other, and whose calibrated probability of being an entity is at least `min` (> 0); at most
 * `max`, out [max]. work [n words] is overwritten.
 * Cost O(words * types) where nothing is likely. */
size_t gm_ner_candidates(const struct gm_ner_lattice *x, double min, size_t max, uint16_t *work,
                         struct gm_candidate *out);

#endif
