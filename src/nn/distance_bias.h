/* distance_bias.h - what attention adds to its scores by the distance of two tokens, for one head of one
 * sequence at a time; and its gradients. For ops_attention.c. */
#ifndef GM_NN_DISTANCE_BIAS_H
#define GM_NN_DISTANCE_BIAS_H

#include "nn/ops_internal.h"

/* Sums of gradients over all sequences, f32: [rows][heads] of the table, [heads][rows][row of a head] of
 * the two variables. NULL where there is no such term. */
struct gm_distance_grads {
    float *table, *rel_k, *rel_q;
};

/* gm_distance_bias_scratch - floats that fill and back need for a sequence of `len`. */
size_t gm_distance_bias_scratch(const struct gm_graph *g, const struct gm_distance_bias *b,
                                size_t len, size_t dim);

/* gm_distance_bias_fill - the bias of head h, [len][attention_row(len)], in the scratch. `qkv` is the head's
 * first q. Any thread. */
const float *gm_distance_bias_fill(const struct gm_graph *g, const struct gm_distance_bias *b,
                                   const struct gm_attention *a, size_t h, const void *qkv,
                                   float *scratch);

/* gm_distance_bias_back - d_bias (of the shape above, the scratch behind it) to the sums, and to d_qkv what
 * comes by the vectors of distances. One thread a head. */
void gm_distance_bias_back(const struct gm_graph *g, const struct gm_distance_bias *b,
                           const struct gm_attention *a, size_t h, const void *qkv,
                           const float *d_bias, void *d_qkv, const struct gm_distance_grads *to);

/* gm_distance_grads_new - sums of zero. gm_distance_grads_done - add them to the parameter and the
 * variables. Errors: NOMEM. */
enum gm_status gm_distance_grads_new(struct gm_graph *g, const struct gm_distance_bias *b,
                                     size_t heads, size_t dim, struct gm_distance_grads *out,
                                     struct gm_error *err) GM_NODISCARD;
enum gm_status gm_distance_grads_done(struct gm_graph *g, const struct gm_distance_bias *b,
                                      size_t heads, size_t dim,
                                      const struct gm_distance_grads *grads,
                                      struct gm_error *err) GM_NODISCARD;

#endif
