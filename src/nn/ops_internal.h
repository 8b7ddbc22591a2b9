/* ops_internal.h - what the files of operations share. */
#ifndef GM_NN_OPS_INTERNAL_H
#define GM_NN_OPS_INTERNAL_H

#include "nn/ops.h"

/* gm_ops_chunks - into how many parts to split `rows` over the thread budget (>= 1). */
size_t gm_ops_chunks(size_t rows);
/* gm_ops_at - address of an element of T. */
void *gm_ops_at(const struct gm_graph *g, const void *p, size_t element);
/* gm_ops_add_grad - add n values to a parameter's gradient from element `at`; frozen: nothing. */
void gm_ops_add_grad(struct gm_param *p, const float *d, size_t at, size_t n);

#endif
