/* ops_internal.h - what the files of operations share. */
#ifndef GM_NN_OPS_INTERNAL_H
#define GM_NN_OPS_INTERNAL_H

#include "nn/ops.h"

/* gm_ops_chunks - into how many parts to split `rows` over the thread budget (>= 1). */
size_t gm_ops_chunks(size_t rows);
/* gm_ops_at - address of an element of T. */
void *gm_ops_at(const struct gm_graph *g, const void *p, size_t element);
/* gm_ops_grad_into - where a kernel that only overwrites may put its gradient of v: v->d itself, or
 * memory of this step when another user of v has written there before. Then gm_ops_grad_done(v, to)
 * adds it up. Errors: NOMEM. */
enum gm_status gm_ops_grad_into(struct gm_graph *g, struct gm_var *v, void **to,
                                struct gm_error *err) GM_NODISCARD;
void gm_ops_grad_done(const struct gm_graph *g, struct gm_var *v, const void *to);
/* gm_ops_mask_from - the mask of a part of a tensor that begins at element `at`. */
struct gm_dropout gm_ops_mask_from(struct gm_dropout d, size_t at);
/* gm_ops_dropout - y (+)= dropout(x) for as many elements as v has, over the threads. */
void gm_ops_dropout(const struct gm_graph *g, const struct gm_var *v, const void *x,
                    const struct gm_dropout *drop, void *y, bool add);
/* gm_ops_operand - a matrix as right operand of x W', in *d and *b: in prediction packed, which the lanes have done
 * once; in training, where weights change, packed where the rows repay it. Errors: NOMEM, SHAPE. */
enum gm_status gm_ops_operand(struct gm_graph *g, struct gm_param *w, size_t rows,
                              struct gm_matmul *d, const void **b,
                              struct gm_error *err) GM_NODISCARD;
/* Rows of a tensor's columns; `stride` elements from one row to the next, 0 = side by side. */
struct gm_ops_rows {
    const void *at;
    size_t stride;
};

/* gm_ops_weight_grad - add d_y' x to the gradient of the matrix w [out][in] of a linear layer: d_y [rows][out] and
 * x [rows][in] in `dtype`, the sums in f32. Nothing where w is frozen. Errors: NOMEM, SHAPE. */
enum gm_status gm_ops_weight_grad(struct gm_graph *g, struct gm_param *w, size_t rows,
                                  struct gm_ops_rows d_y, struct gm_ops_rows x, enum gm_dtype dtype,
                                  struct gm_error *err) GM_NODISCARD;
/* gm_ops_weight_rows_grad - the same for rows first .. first + n of w, without saying that its gradient has values. */
enum gm_status gm_ops_weight_rows_grad(struct gm_graph *g, struct gm_param *w, size_t first,
                                       size_t n, size_t rows, struct gm_ops_rows d_y,
                                       struct gm_ops_rows x, enum gm_dtype dtype,
                                       struct gm_error *err) GM_NODISCARD;
/* gm_ops_lora - y += what the adapters of the layer that made y from x say (lora.h). */
enum gm_status gm_ops_lora(struct gm_graph *g, const struct gm_lora *l, struct gm_var *x,
                           struct gm_var *y, struct gm_error *err) GM_NODISCARD;

#endif
