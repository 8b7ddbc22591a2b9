/* tensor.h - element types, the shape of a block of numbers, and the workspace that holds them. */
#ifndef GM_NN_TENSOR_H
#define GM_NN_TENSOR_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum gm_dtype { GM_F32, GM_BF16, GM_F16, GM_I64, GM_I32, GM_I8, GM_U8 };

/* gm_dtype_size - bytes of one element. */
size_t gm_dtype_size(enum gm_dtype t);

enum { GM_MAX_RANK = 4 };

/* A borrowed view of numbers, row-major. */
struct gm_tensor {
    enum gm_dtype dtype;
    unsigned rank;
    size_t shape[GM_MAX_RANK];
    const void *data;
};

/* gm_tensor_count - number of elements. */
size_t gm_tensor_count(const struct gm_tensor *t);

/* gm_tensor_to_f32 - copy elements [from, from+n) as f32. Types F32, BF16, F16 only. */
void gm_tensor_to_f32(const struct gm_tensor *t, size_t from, size_t n, float *out);

/* bfloat16: the upper half of an f32, rounded to nearest even (NaN stays NaN). */
static inline float gm_bf16_to_f32(uint16_t x)
{
    uint32_t u = (uint32_t)x << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint16_t gm_bf16_from_f32(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t rounded = u + 0x7FFFu + ((u >> 16) & 1);
    return (uint16_t)(((u & 0x7FFFFFFFu) > 0x7F800000u ? u | 0x400000u : rounded) >> 16);
}

/* gm_bf16_in_place - n values rounded to halves at the front of their own memory; they trail what is still to read. */
static inline void gm_bf16_in_place(float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = gm_bf16_from_f32(v[i]);
        memcpy((char *)v + i * sizeof h, &h, sizeof h);
    }
}

/* Memory for the activations of one step: bump allocation from blocks that are kept from step to
 * step, so that a steady state allocates nothing. Not zeroed; 64-byte aligned. One thread. */
struct gm_workspace;

/* gm_workspace_new - never holds more than max_bytes. */
enum gm_status gm_workspace_new(struct gm_workspace **out, size_t max_bytes,
                                struct gm_error *err) GM_NODISCARD;
void gm_workspace_free(struct gm_workspace *ws);
/* gm_workspace_alloc - NULL when memory or the bound is out. */
void *gm_workspace_alloc(struct gm_workspace *ws, size_t n, size_t size);
/* gm_workspace_mark / _rewind - forget what was allocated since the mark, keeping the memory. */
struct gm_workspace_mark {
    size_t block, used;
};
struct gm_workspace_mark gm_workspace_mark(const struct gm_workspace *ws);
void gm_workspace_rewind(struct gm_workspace *ws, struct gm_workspace_mark m);
/* gm_workspace_bytes - bytes held now. */
size_t gm_workspace_bytes(const struct gm_workspace *ws);

#endif
