/* engine.h - matrix products on oneDNN (engine.c is its only user), for f32, bf16 and int8.
 *
 * Primitives are made once for each shape and kept; row counts come in buckets (gm_rows_bucket), so
 * that packed batches of any size meet few shapes. Weights may be packed once into the layout that
 * oneDNN likes best. All sums are f32. One engine belongs to one thread at a time; inside, products
 * use the thread budget of base/parallel.h. */
#ifndef GM_NN_ENGINE_H
#define GM_NN_ENGINE_H

#include "nn/tensor.h"

struct gm_engine;

enum gm_status gm_engine_new(struct gm_engine **out, struct gm_error *err) GM_NODISCARD;
void gm_engine_free(struct gm_engine *e); /* NULL-safe */

/* How a model computes: the type of its activations, and whether the products of its linear layers
 * are in int8 (prediction only). */
struct gm_precision {
    enum gm_dtype dtype; /* F32 or BF16 */
    bool int8;
};

/* gm_precision_pick - for "auto", "f32", "bf16" or "int8" (NULL = auto): auto takes bf16 where the
 * CPU multiplies it in hardware, else f32; int8 has auto's activations. Errors: ARG (unknown name;
 * what the CPU has no instructions for). */
enum gm_status gm_precision_pick(const char *name, struct gm_precision *out,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_rows_bucket - the row count that n rows are padded to: the next multiple of 16 (up to 256),
 * 32 (1024), 64 (4096) or 128. */
size_t gm_rows_bucket(size_t n);

/* A matrix in oneDNN's own layout, as right operand [k,n] of products, of any engine. */
struct gm_packed;

/* gm_pack - (re)pack `w`: `trans` false: w is [k,n] row-major; true: w is [n,k] (how models store
 * linear layers) and the product is with its transpose. *packed is made when NULL, else reused (same
 * shape and type). Cost O(k*n). */
enum gm_status gm_pack(struct gm_engine *e, struct gm_packed **packed, const void *w,
                       enum gm_dtype dtype, size_t k, size_t n, bool trans,
                       struct gm_error *err) GM_NODISCARD;
/* gm_pack_int8 - the same for int8 products from w [n,k]: I8 with the n scales, or (scale NULL) a
 * float type, rounded by gm_int8_round. Each of the n columns of the operand has a scale. */
enum gm_status gm_pack_int8(struct gm_engine *e, struct gm_packed **packed,
                            const struct gm_tensor *w, const float *scale,
                            struct gm_error *err) GM_NODISCARD;
/* gm_packed_scale - the n scales of an int8 operand, borrowed until it is packed again. */
const float *gm_packed_scale(const struct gm_packed *p);
void gm_packed_free(struct gm_packed *p); /* NULL-safe */

enum gm_b_layout { GM_B_ROWS, GM_B_TRANSPOSED, GM_B_PACKED };

/* dst[m,n] = scale * a[m,k] * b[k,n] (+ bias[n]) (+ dst), or the GELU of the first two */
struct gm_matmul {
    size_t m, k, n;
    size_t a_row, b_row, dst_row; /* elements from a row as stored to the next; 0 = side by side */
    float scale;                  /* 0 = 1; else without bias and GELU */
    enum gm_dtype dtype; /* of a and b: F32, BF16; or I8 with dst I32, b packed, nothing else */
    enum gm_dtype dst_dtype;
    bool a_trans; /* a is stored [k,m] */
    enum gm_b_layout b_layout;
    bool has_bias;   /* bias is f32 */
    bool accumulate; /* add to what dst holds */
    bool gelu;       /* x * Phi(x) of the result; not with accumulate */
};

/* gm_matmul_run - the product described by `d`; b is a struct gm_packed * when b_layout says PACKED.
 * Errors: NOMEM, SHAPE (oneDNN can't do it). Cost 2*m*k*n. */
enum gm_status gm_matmul_run(struct gm_engine *e, const struct gm_matmul *d, const void *a,
                             const void *b, const float *bias, void *dst,
                             struct gm_error *err) GM_NODISCARD;

#endif
