/* encoder.h - BERT-type text encoders from a Hugging Face directory: BERT (also MiniLM and E5) and
 * RoBERTa (also XLM-R and multilingual E5), which have the same layers and differ in where positions
 * start.
 * Source: Devlin et al., NAACL 2019; Liu et al., arXiv 1907.11692; Conneau et al., ACL 2020;
 * Vaswani et al. 2017 (post-norm layers). Weight names are those of transformers' BertModel. */
#ifndef GM_NN_ENCODER_H
#define GM_NN_ENCODER_H

#include "nn/ops.h"

enum { GM_ENCODER_MAX_LAYERS = 64 };

struct gm_encoder_config {
    size_t vocab, hidden, layers, heads, intermediate, types;
    size_t positions;       /* tokens that a sequence may have */
    size_t position_offset; /* row of the first token's position: 0, in RoBERTa padding id + 1 */
    size_t pad;             /* id of the padding token */
    double norm_eps, hidden_dropout, attention_dropout;
};

/* The model's shape and where its parameters are in the table. */
struct gm_encoder {
    struct gm_encoder_config config;
    size_t word, position, type, norm_g, norm_b;
    bool has_extra;
    size_t extra; /* one more embedding table, added to the input; zero at first */
    struct {
        size_t qkv_w, qkv_b, out_w, out_b, norm1_g, norm1_b;
        size_t up_w, up_b, down_w, down_b, norm2_g, norm2_b;
    } layer[GM_ENCODER_MAX_LAYERS];
};

/* gm_encoder_config_load - read config.json. Errors: IO, FORMAT, MODEL (an architecture or a value
 * that this engine does not have, named). */
enum gm_status gm_encoder_config_load(struct gm_encoder_config *out, const char *path,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_encoder_init - add the encoder's parameters to the table; extra_rows > 0 adds an embedding
 * table of so many rows, named `extra_name`. Errors: NOMEM, SHAPE. */
enum gm_status gm_encoder_init(struct gm_encoder *enc, const struct gm_encoder_config *config,
                               struct gm_params *ps, const char *extra_name, size_t extra_rows,
                               struct gm_error *err) GM_NODISCARD;

/* A packed batch: the tokens of all sequences laid end to end. All arrays are borrowed and must live
 * until the step is over. */
struct gm_batch {
    size_t n_tokens, n_seqs;
    const uint32_t *ids;       /* [n_tokens] < vocab */
    const uint32_t *positions; /* [n_tokens] < positions, from 0 in every family */
    const uint32_t *types;     /* [n_tokens] < types; NULL = all 0, as in models with one type */
    const uint32_t *extra;     /* [n_tokens] rows of the extra table; NULL without one */
    const uint32_t *offsets;   /* [n_seqs+1] */
};

/* gm_encoder_forward - *hidden = last layer's states [gm_rows_bucket(n_tokens), hidden].
 * Errors: NOMEM, SHAPE, ARG (an id, position or type out of range; `extra` is the caller's to check), MODEL
 * (as gm_op_embed). Without training the layers' memory is reused. */
enum gm_status gm_encoder_forward(const struct gm_encoder *enc, struct gm_graph *g,
                                  const struct gm_batch *b, struct gm_var **hidden,
                                  struct gm_error *err) GM_NODISCARD;

#endif
