/* fine_types.h - fine types below the coarse ones (Twitter-FMNERG: person > athlete). A second head on the
 * words' states says each word's fine type; the CRF decides spans and coarse types, and a span's fine
 * type is the best one below its coarse type, so that the two never contradict each other.
 * As a helper the head is there in training only. For src/ner and src/train. */
#ifndef GM_NER_FINE_TYPES_H
#define GM_NER_FINE_TYPES_H

#include "record/labels.h"
#include "record/record.h"

struct gm_fine_types {
    struct gm_labels pairs; /* "person\tathlete": class 1 + i of the head; class 0 is no entity.
                               None: the tagger has no fine types */
    bool helper;            /* for training only: not saved, not predicted */
    size_t w, b;            /* the head's parameters */
};

enum { GM_FINE_UNKNOWN = UINT16_MAX }; /* class of a word that teaches nothing */

void gm_fine_types_init(struct gm_fine_types *f);
void gm_fine_types_clear(struct gm_fine_types *f); /* a zeroed one is fine */

/* gm_fine_types_k - classes of the head. */
size_t gm_fine_types_k(const struct gm_fine_types *f);

/* gm_fine_types_collect - add the pairs of a post's entities that have a fine type. Errors: NOMEM, FORMAT
 * (too many). */
enum gm_status gm_fine_types_collect(struct gm_fine_types *f, const struct gm_post *p,
                                     struct gm_error *err) GM_NODISCARD;

/* gm_fine_types_classes - class of each word of a post (all its pairs collected): out [n_tokens].
 * The words of an entity without fine type get GM_FINE_UNKNOWN. Errors: NOMEM. */
enum gm_status gm_fine_types_classes(struct gm_fine_types *f, const struct gm_post *p,
                                     uint16_t *out, struct gm_error *err) GM_NODISCARD;

/* gm_fine_types_loss - add weight * sum of the rows' cross-entropies (nats) to *loss, and its gradient to
 * d_logits; both [n, gm_fine_types_k]; classes [n], rows of GM_FINE_UNKNOWN left out. */
void gm_fine_types_loss(const struct gm_fine_types *f, const float *logits, const uint16_t *classes,
                        size_t n, double weight, float *d_logits, double *loss);

/* gm_fine_types_pick - the fine type of an entity of type `coarse` whose words have logits [n, k]: the
 * likeliest one below `coarse`, taking words as independent; empty = there is none. Borrowed. */
struct gm_str gm_fine_types_pick(const struct gm_fine_types *f, struct gm_str coarse,
                                 const float *logits, size_t n);

/* gm_fine_types_json - the pairs as [{"type","name"}]; NULL when memory is out. _read - the same back;
 * absent: none. Errors: NOMEM, MODEL naming `where`. */
struct gm_json *gm_fine_types_json(const struct gm_fine_types *f);
enum gm_status gm_fine_types_read(struct gm_fine_types *f, const struct gm_json *pairs,
                                  const char *where, struct gm_error *err) GM_NODISCARD;

#endif
