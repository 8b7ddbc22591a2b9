/* ops.h - the operations that models are made of; each records its gradient on the graph's tape.
 * All: *y is a new variable of the graph, with as many rows as x where nothing else is said; errors are NOMEM
 * (activations) and SHAPE. */
#ifndef GM_NN_OPS_H
#define GM_NN_OPS_H

#include "nn/graph.h"

/* gm_op_embed - y[i] = sum over k of table_k[ids_k[i]], for n <= 4 embedding parameters (by index).
 * ids_k: [n_rows] rows of table k, checked by the caller; NULL = the table's row 0 for all.
 * y has gm_rows_bucket(n_rows) rows; padding rows are zero. Errors beside NOMEM: MODEL, where a row
 * that is read holds NaN or infinity (not in training: finite.h). */
struct gm_embed_input {
    size_t table;
    const uint32_t *ids; /* must live until backward has run */
};
enum gm_status gm_op_embed(struct gm_graph *g, const struct gm_embed_input *in, size_t n,
                           size_t n_rows, struct gm_var **y, struct gm_error *err) GM_NODISCARD;

/* gm_op_linear - y = x W' + b; W [out,in] matrix, b [out] vector (parameters by index). */
enum gm_status gm_op_linear(struct gm_graph *g, struct gm_var *x, size_t weight, size_t bias,
                            struct gm_var **y, struct gm_error *err) GM_NODISCARD;

/* gm_op_linear_activate - y = f(x W' + b): gm_op_linear and gm_op_activate, for GELU in one product where
 * no gradient is needed. */
enum gm_status gm_op_linear_activate(struct gm_graph *g, struct gm_var *x, size_t weight,
                                     size_t bias, enum gm_activation f, struct gm_var **y,
                                     struct gm_error *err) GM_NODISCARD;

/* gm_op_linear_pack - bring a linear layer's weights into the layout that products read, where they
 * changed since. Products of many rows do it themselves; before threads share the weights it has to
 * be done. Errors: NOMEM, SHAPE. */
enum gm_status gm_op_linear_pack(struct gm_graph *g, struct gm_param *w,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_op_layernorm - y = LN(dropout_p(x) + residual) * gamma + beta; residual NULL = none. At most
 * GM_HIDDEN_MAX columns. */
enum gm_status gm_op_layernorm(struct gm_graph *g, struct gm_var *x, struct gm_var *residual,
                               double drop_p, size_t gamma, size_t beta, double eps,
                               struct gm_var **y, struct gm_error *err) GM_NODISCARD;

/* gm_op_activate - y = f(x); how exact: kernels.h. */
enum gm_status gm_op_activate(struct gm_graph *g, struct gm_var *x, enum gm_activation f,
                              struct gm_var **y, struct gm_error *err) GM_NODISCARD;

/* gm_op_gated - y = f(a) * b of the halves [a b] of each row of x; half as many columns. */
enum gm_status gm_op_gated(struct gm_graph *g, struct gm_var *x, enum gm_activation f,
                           struct gm_var **y, struct gm_error *err) GM_NODISCARD;

/* gm_op_add - y = dropout_p(x) + residual. */
enum gm_status gm_op_add(struct gm_graph *g, struct gm_var *x, struct gm_var *residual,
                         double drop_p, struct gm_var **y, struct gm_error *err) GM_NODISCARD;

/* gm_op_dropout - y = x with each element 0 with probability p, else divided by 1 - p. When not training, or
 * for p 0, *y is x itself. */
enum gm_status gm_op_dropout(struct gm_graph *g, struct gm_var *x, double p, struct gm_var **y,
                             struct gm_error *err) GM_NODISCARD;

/* gm_op_conv - a convolution along each sequence s, rows offsets[s] .. offsets[s+1] of x, and within it:
 * y[i][o] = b[o] + sum over c, k of W[o][c * kernel + k] x[i + k - kernel / 2][c], with 0 for rows outside; of
 * `groups` the columns of one depend on those of the same one only. W [out][in / groups * kernel] is a parameter
 * with a kernel (gm_params_add_conv). In f32 whatever T is. offsets must live until backward has run. */
enum gm_status gm_op_conv(struct gm_graph *g, struct gm_var *x, const uint32_t *offsets,
                          size_t n_seqs, size_t groups, size_t weight, size_t bias,
                          struct gm_var **y, struct gm_error *err) GM_NODISCARD;

/* gm_longest_sequence - rows of the longest of the sequences offsets[s] .. offsets[s+1]. */
size_t gm_longest_sequence(const uint32_t *offsets, size_t n_seqs);

/* What the scores of query i and key j depend on beside the two: their distance i - j. */
struct gm_distance_bias {
    size_t window; /* keys farther away than this are not seen; 0 = all are */
    /* Rows of `table` or of rel_k and rel_q by distance: row[i - j + row_max - 1]. */
    const uint32_t *row; /* [2 row_max - 1]; NULL: no distance has a value */
    size_t row_max;      /* at least the longest sequence */
    bool has_table;      /* + table[row][head]: a parameter [n][heads], as in T5 and MPNet */
    size_t table;
    /* + (q_i . rel_k[row] + k_j . rel_q[row]) * scale, as in DeBERTa: variables whose columns rel_k_at and
     * rel_q_at are the first head's; NULL = without that term. */
    struct gm_var *rel_k, *rel_q;
    size_t rel_k_at, rel_q_at;
};

/* gm_op_attention - multi-head self-attention within each sequence; qkv [rows, 3*width] holds q, k
 * and v of all heads. y is [rows, width], zero in the rows behind the last sequence. */
struct gm_attention_input {
    struct gm_var *qkv;
    const uint32_t *offsets; /* [n_seqs+1]: sequence s is rows offsets[s] .. offsets[s+1] */
    size_t n_seqs, heads;
    double drop_p;
    float scale;                         /* of q k'; 0 = 1/sqrt(columns of a head) */
    const struct gm_distance_bias *bias; /* NULL = none */
};
/* What `in` points to must live until backward has run. Cost O(sum of squared lengths). */
enum gm_status gm_op_attention(struct gm_graph *g, const struct gm_attention_input *in,
                               struct gm_var **y, struct gm_error *err) GM_NODISCARD;

/* Angles position * theta^(-2i/d) of rotary embeddings, d = 2 half the columns of a head. Source: Su et al. 2021. */
struct gm_angles {
    size_t n, half;
    float *cosine, *sine; /* [n][half] */
};

/* gm_op_angles - those of positions 0 .. n, in the graph's memory of this step: once for all layers with one theta.
 * Errors: NOMEM. */
enum gm_status gm_op_angles(struct gm_graph *g, size_t n, size_t half, double theta,
                            struct gm_angles **out, struct gm_error *err) GM_NODISCARD;

/* gm_op_rotate - turns q and k of qkv in place by their positions in the sequence; `angles` of at least the
 * longest one's, which live until backward has run. What made qkv must not read it in its backward. Errors: NOMEM. */
enum gm_status gm_op_rotate(struct gm_graph *g, struct gm_var *qkv, const uint32_t *offsets,
                            size_t n_seqs, size_t heads, const struct gm_angles *angles,
                            struct gm_error *err) GM_NODISCARD;

/* gm_op_mean_rows - y[i] = mean of rows begin[i] .. end[i] of x (at least one each): picks the
 * first piece of a word (end = begin+1), or pools a span. y has gm_rows_bucket(n) rows; padding rows are
 * zero. Ranges must live until backward has run. */
enum gm_status gm_op_mean_rows(struct gm_graph *g, struct gm_var *x, const uint32_t *begin,
                               const uint32_t *end, size_t n, struct gm_var **y,
                               struct gm_error *err) GM_NODISCARD;

/* gm_op_head - the last layer, in f32 whatever T is: out[i] = W x[i] + b for the first n rows of x.
 * W [out,in] and b [out] are f32 parameters (GM_VECTOR kind). *out is [n, out] f32; the caller writes
 * the loss's gradient to *d_out (same shape, zeroed here; NULL when not training) before
 * gm_graph_backward. Both lie in the graph's memory of this step. */
enum gm_status gm_op_head(struct gm_graph *g, struct gm_var *x, size_t n, size_t weight,
                          size_t bias, float **out, float **d_out,
                          struct gm_error *err) GM_NODISCARD;

#endif
