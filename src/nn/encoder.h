/* encoder.h - text encoders from a Hugging Face directory: BERT (also MiniLM and E5) and its relatives, which
 * have the same layers and differ in names, positions and what attention's scores depend on (DistilBERT,
 * ELECTRA, RoBERTa, XLM-R, CamemBERT, MPNet, DeBERTa-v2 and -v3), and ModernBERT.
 * Source: Devlin et al., NAACL 2019; Liu et al., arXiv 1907.11692; Conneau et al., ACL 2020; Sanh et al. 2019;
 * Clark et al., ICLR 2020; Song et al., NeurIPS 2020; He et al., ICLR 2021 and 2023; Warner et al. 2024. Weight
 * names are those of transformers. */
#ifndef GM_NN_ENCODER_H
#define GM_NN_ENCODER_H

#include "nn/encoder_config.h"
#include "nn/ops.h"

/* A linear layer's or a norm's weight and bias in the table of parameters. */
struct gm_weights {
    size_t w, b;
};

/* The model's shape and where its parameters are in the table. */
struct gm_encoder {
    struct gm_encoder_config config;
    size_t word, position, type;
    struct gm_weights norm, project, final_norm, rel_norm, conv, conv_norm;
    size_t table, rel; /* of distances */
    bool has_extra;
    size_t extra; /* one more embedding table, added to the input; zero at first */
    struct {
        size_t first; /* its parameters are those from here to the next layer's first */
        struct gm_weights qkv, out, norm1, up, down, norm2, rel_k, rel_q;
    } layer[GM_ENCODER_MAX_LAYERS + 1]; /* of the last only `first` */
};

/* gm_encoder_init - add the encoder's parameters to the table; extra_rows > 0 adds an embedding
 * table of so many rows, named `extra_name`. Biases that the family does not have are there as frozen zeros
 * that are not saved. Errors: NOMEM, SHAPE. */
enum gm_status gm_encoder_init(struct gm_encoder *enc, const struct gm_encoder_config *config,
                               struct gm_params *ps, const char *extra_name, size_t extra_rows,
                               struct gm_error *err) GM_NODISCARD;

/* gm_encoder_layer_of - the layer that parameter `index` belongs to; SIZE_MAX = none. */
size_t gm_encoder_layer_of(const struct gm_encoder *enc, size_t index);

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
