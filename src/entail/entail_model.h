/* entail_model.h - the entailment classifier's model and input. For src/entail and src/train.
 *
 *   [CLS] text [SEP] entity type [SEP] caption [SEP]
 *
 * Token types are 0 for the text, 1 behind it. The input embedding `extra` holds a row for each case
 * class, and again for the entity's words, both in the text and behind it. The logit is the sum of two linear
 * layers, one over [CLS], one over the mean state of the entity's pieces in the text. */
#ifndef GM_ENTAIL_ENTAIL_MODEL_H
#define GM_ENTAIL_ENTAIL_MODEL_H

#include "entail/entail.h"
#include "model/calibration.h"
#include "model/session.h"

/* The most pieces that are read: of a caption the first ones, of a text those around the entity. Tweets,
 * of which the classifier has learned, have at most 59; a question about a long text need not cost more. */
#define GM_ENTAIL_CAPTION_PIECES ((size_t)64)
#define GM_ENTAIL_TEXT_PIECES ((size_t)64)

enum { GM_ENTAIL_BATCH_TOKENS = 4096 }; /* questions of so many are answered at once */

struct gm_entail {
    struct gm_net net;
    size_t head_w, head_b;                /* [2, hidden]: over [CLS], over the mention */
    struct gm_calibration calibration[2]; /* of answers without, with a caption */
};

struct gm_entail_session {
    const struct gm_entail *e;
    struct gm_net_session net;
};

/* One question: is this entity in the image? */
struct gm_entail_input {
    struct gm_pieced text;
    size_t first, end; /* words of the mention; first < end */
    struct gm_pieced type;
    struct gm_pieced caption; /* n_words 0 = none */
};

/* gm_entail_open - load; with `tuning` for training, which may start from a plain encoder. */
enum gm_status gm_entail_open(struct gm_entail **out, const char *dir, const char *precision,
                              const struct gm_net_tuning *tuning,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_entail_save(const struct gm_entail *e, const char *dir,
                              const struct gm_json *training, struct gm_error *err) GM_NODISCARD;

/* gm_entail_inputs - the questions of a post, one an entity, in order; *inputs [n_entities] in the
 * arena. The caption is the short one where there is one. An entity that covers no word gets end == first: no question. */
enum gm_status gm_entail_inputs(const struct gm_entail *e, const struct gm_post *p,
                                struct gm_pieces *tmp, struct gm_arena *a,
                                struct gm_entail_input **inputs, struct gm_error *err) GM_NODISCARD;

/* gm_entail_cost - tokens of a question; gm_entail_add - append it to `p` as a post of one
 * sequence with two rows, [CLS] and mention. */
size_t gm_entail_cost(const struct gm_entail *e, const struct gm_entail_input *in,
                      bool with_caption);
enum gm_status gm_entail_add(const struct gm_entail *e, struct gm_packer *p,
                             const struct gm_entail_input *in, bool with_caption,
                             struct gm_error *err) GM_NODISCARD;

/* gm_entail_forward - outputs [rows, 2] of a slice of `p`, in the graph, which was begun; rows 2i
 * and 2i+1 are of its question i, whose logit is out[2i][0] + out[2i+1][1]. */
enum gm_status gm_entail_forward(const struct gm_entail *e, const struct gm_packer *p,
                                 struct gm_graph *g, const struct gm_slice *s, float **out,
                                 float **d_out, struct gm_error *err) GM_NODISCARD;
double gm_entail_logit(const float *out, size_t i);

/* gm_entail_answer - the probability of yes to each question in the session's packer, before calibration: p [n].
 * Errors: as gm_tagger_predict. */
enum gm_status gm_entail_answer(struct gm_entail_session *s, double *p,
                                struct gm_error *err) GM_NODISCARD;

#endif
