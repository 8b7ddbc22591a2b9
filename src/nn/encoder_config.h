/* encoder_config.h - the shape of a text encoder, as config.json of a Hugging Face directory says it.
 *
 * The families differ in little: what the file and the tensors are called, where positions start, what scores
 * depend on beside queries and keys, and whether norms stand before or behind what they belong to. */
#ifndef GM_NN_ENCODER_CONFIG_H
#define GM_NN_ENCODER_CONFIG_H

#include "base/str.h"
#include "nn/encoder_names.h"
#include "nn/kernels/kernels.h"

enum { GM_ENCODER_MAX_LAYERS = 64 };

struct gm_encoder_config {
    const struct gm_encoder_names *names;
    size_t vocab, hidden, layers, heads, intermediate;
    size_t width;       /* of the embeddings: hidden, where there is no projection */
    size_t types;       /* rows of the table of token types; 0 = none */
    size_t positions;   /* tokens that a sequence may have */
    bool has_positions; /* a table of positions, with as many rows, and position_offset in front */
    size_t position_offset; /* row of the first token's position: 0, in RoBERTa padding id + 1 */
    size_t pad;             /* id of the padding token */
    enum gm_activation activation;
    double norm_eps, hidden_dropout, attention_dropout;

    size_t buckets; /* rows of a table of distances (MPNet); 0 = none */

    /* Vectors of distances (DeBERTa): 2 span rows, 0 = none. Beyond span/2 they are bucketed by the logarithm up
     * to max_distance; without `bucketed` they are cut off. */
    size_t span, max_distance;
    bool bucketed, to_position, from_position; /* c2p, p2c */
    bool shared_rel, rel_normed;
    /* A convolution beside the first layer (DeBERTa's larger models), over so many tokens; 0 = none. */
    size_t conv_kernel, conv_groups;
    enum gm_activation conv_activation;

    /* Rotary positions, norms in front, gated feed-forward parts without biases (ModernBERT). */
    bool rotary;
    double theta_far,
        theta_near; /* of layers that see all tokens, and of those that see a window */
    size_t window;  /* tokens to either side */
    bool is_near[GM_ENCODER_MAX_LAYERS];
};

/* gm_encoder_config_load - read config.json. Errors: IO, FORMAT, MODEL (an architecture or a value
 * that this engine does not have, named). */
enum gm_status gm_encoder_config_load(struct gm_encoder_config *out, const char *path,
                                      struct gm_error *err) GM_NODISCARD;

/* gm_activation_parse - the function that a config.json's hidden_act names; false = none that is known. */
bool gm_activation_parse(struct gm_str name, enum gm_activation *out);

#endif
