/* ner_model.h - the tagger's model: encoder + linear layer + CRF, and what its labels mean.
 * For src/ner and src/train; the public interface is tagger.h. */
#ifndef GM_NER_NER_MODEL_H
#define GM_NER_NER_MODEL_H

#include "model/session.h"
#include "model/words.h"
#include "model/calibration.h"
#include "ner/fine_types.h"
#include "ner/tagger.h"
#include "nn/crf.h"
#include "record/tags.h"

enum { GM_NER_MAX_TYPES = 1000 };

struct gm_tag_name;

/* Label 0 is O; then for each type B, I (BIO) or B, I, E, S (BIOES). */
struct gm_ner_labels {
    struct gm_labels types;
    enum gm_tag_scheme scheme;
    bool
        runs; /* BIO in which an entity never follows one of its own type: IO's runs of one class */
    size_t k;
    uint8_t *allowed, *allowed_start, *allowed_end; /* [k,k], [k], [k]: valid sequences only */
    struct gm_crf_moves moves, any_move; /* the same as `allowed` in sets of labels; everything */
    struct gm_arena arena;
};

struct gm_tagger {
    struct gm_net net;
    struct gm_ner_labels labels;
    size_t head_w, head_b, trans, start, end; /* parameters */
    struct gm_fine_types fine_types;
    struct gm_calibration calibration;
    double candidates_min; /* 0 = none */
    double min_score;      /* entities below it are left out */
    bool tweets;           /* name_policy.h */
    bool knowledge;        /* trained with posts' knowledge, and so reads it */

    /* Of a token classifier of somebody else (softmax_head.h): words are independent of each other. */
    bool softmax;
    size_t n_rows;                /* of the classifier */
    struct gm_tag_name *row_tags; /* [n_rows] what they mean */
    uint32_t *rows,
        *first_row; /* those of label j: rows[first_row[j]] … rows[first_row[j + 1] - 1] */
    bool has_dense; /* a layer in front of the classifier: LN(f(x W')) */
    struct gm_weights dense, dense_norm;
    enum gm_activation dense_f;

    /* Of an ensemble (ner_ensemble.c), of which this is the first member: those behind it, and the weighted means of the
     * transitions of all, [k,k], [k], [k]. */
    struct gm_ner_other {
        struct gm_tagger *t;
        uint16_t *map; /* [k] its numbers of the first one's labels */
        float weight;  /* of its scores */
    } * others;
    size_t n_others;
    float weight; /* of the first one's scores */
    float *mean_trans, *mean_start, *mean_end;
};

struct gm_tagger_session {
    const struct gm_tagger *t;
    struct gm_net_session net;
    struct gm_tagger_session **others; /* [n_others] */
    size_t n_begins, n_odd; /* gm_softmax_head_signs of all posts, until the user was told */
    bool told;
};

/* gm_ner_labels_build - after types and scheme are set: k and the allowed transitions. */
enum gm_status gm_ner_labels_build(struct gm_ner_labels *l, struct gm_error *err) GM_NODISCARD;
void gm_ner_labels_clear(struct gm_ner_labels *l);
uint16_t gm_ner_label(const struct gm_ner_labels *l, struct gm_tag tag);
struct gm_tag gm_ner_tag(const struct gm_ner_labels *l, size_t label);

/* gm_ner_map_labels - map [l->k]: the numbers that the labels of `l` have in `other`, whose scheme and types are the
 * same, the latter in any order. */
void gm_ner_map_labels(const struct gm_ner_labels *l, const struct gm_ner_labels *other,
                       uint16_t *map);

/* gm_ner_check_names - that a model in `dir` has the names of the training data, in any order; what: "types",
 * "fine types"; who and remedy: how the message goes on behind `dir`, and ends. Errors: MODEL, with the names that only one
 * of the two has; NOMEM. gm_ner_check_scheme - the same of schemes. */
enum gm_status gm_ner_check_names(const struct gm_labels *model, const struct gm_labels *data,
                                  const char *what, const char *dir, const char *who,
                                  const char *remedy, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_ner_check_scheme(const struct gm_ner_labels *model,
                                   const struct gm_ner_labels *data, const char *dir,
                                   const char *who, struct gm_error *err) GM_NODISCARD;

/* gm_ner_open - common part of loading and training: `labels` empty = from the model directory's
 * settings; set = a new head for a plain encoder directory, or what a trained one must have, whose order of types
 * and fine types then counts. The tagger takes labels and fine types (NULL: none, or the directory's) over. `tuning` set = for
 * training. Errors: as gm_tagger_load. */
struct gm_ner_open {
    const char *dir, *precision;
    bool first_piece,
        no_case; /* of a plain encoder; a trained model must be so when `tuning` is set */
    const struct gm_net_tuning *tuning;
    struct gm_ner_labels *labels;
    struct gm_fine_types *fine_types;
};
enum gm_status gm_ner_open(struct gm_tagger **out, const struct gm_ner_open *o,
                           struct gm_error *err) GM_NODISCARD;

/* gm_ner_save - write the model directory; `training` (borrowed) is recorded in gmner.json. */
enum gm_status gm_ner_save(const struct gm_tagger *t, const char *dir,
                           const struct gm_json *training, struct gm_error *err) GM_NODISCARD;

/* Scores of a slice's words, in the graph's memory. Gradients are zeroed, and NULL when not training. */
struct gm_ner_scores {
    float *emit, *d_emit;               /* [rows, k] */
    float *fine_logits, *d_fine_logits; /* [rows, gm_fine_types_k] logits; NULL = no fine types */
};

/* gm_ner_emissions - run the encoder and the heads over a slice of `p`; the graph was begun. Errors: as
 * gm_encoder_forward. */
enum gm_status gm_ner_emissions(const struct gm_tagger *t, const struct gm_packer *p,
                                struct gm_graph *g, const struct gm_slice *s,
                                struct gm_ner_scores *out, struct gm_error *err) GM_NODISCARD;

/* One post's scores. */
struct gm_ner_rows {
    struct gm_post *post;
    struct gm_word
        *words; /* [n_words] bytes of the post's text; of `runs` one without any parts two lines */
    size_t n_words;
    const float *emit; /* [n_words, k]; -INFINITY where an entity would go on over a line's end */
    const float *fine_logits; /* [n_words, gm_fine_types_k] logits; NULL = no fine types */
};

/* gm_ner_end_entities - make impossible that an entity goes on from word w - 1 to word w >= 1 of a post;
 * emit [n_words, k]. */
void gm_ner_end_entities(const struct gm_ner_labels *l, float *emit, size_t w);

/* gm_ner_pack - cut n posts' texts into pieces and put all of them into the packer, which is reset, a row a
 * word, with_knowledge the posts' knowledge behind them; rows [n] get post and words, in the arena.
 * Errors: as gm_tagger_predict. */
enum gm_status gm_ner_pack(const struct gm_tagger *t, struct gm_packer *p,
                           struct gm_post *const *posts, size_t n, bool with_knowledge,
                           struct gm_ner_rows *rows, struct gm_arena *a,
                           struct gm_error *err) GM_NODISCARD;

/* gm_ner_score - scores of n posts without training, *rows [n] in the arena. Raw text is cut into
 * words. Errors: as gm_tagger_predict. */
enum gm_status gm_ner_score(struct gm_tagger_session *s, struct gm_post **posts, size_t n,
                            struct gm_arena *a, struct gm_ner_rows **rows,
                            struct gm_error *err) GM_NODISCARD;

/* gm_ner_crf - view of the CRF's parameters: what a best path is. gm_ner_lattice_crf - the same for
 * probabilities: where words are independent, of all sequences and not of the allowed ones only. */
struct gm_crf gm_ner_crf(const struct gm_tagger *t);
struct gm_crf gm_ner_lattice_crf(const struct gm_tagger *t);

#endif
