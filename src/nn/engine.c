/* engine.c - products dst[m][n] = s a[m][k] b[k][n] (+ bias[n]) (+ dst, or GELU) by oneDNN, the
 * only user of it. A product's primitive depends on shape, types and layouts; it is made when
 * first met and kept in a hash table. In int8 a and b are whole numbers, dst their exact int32
 * sums; the scales are the caller's. Naive reference: check_product (plain loops in f64) in
 * tests/unit/test_nn_engine.c. */
#include "nn/engine.h"

#include "base/alloc.h"
#include "base/host.h"
#include "nn/int8.h"

#include <oneapi/dnnl/dnnl.h>

enum { N_BINS = 1024, PACK_ROWS = 1024 };

/* One product of one shape, ready to run. */
struct product {
    struct product *next;
    struct gm_matmul d;
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, bias, dst, scratch;
    size_t scratch_bytes;
};

struct gm_packed {
    dnnl_memory_desc_t desc;
    void *data;
    float *scale; /* int8: one a column */
};

struct gm_engine {
    dnnl_engine_t cpu;
    dnnl_stream_t stream;
    struct product *bins[N_BINS];
    void *scratch;
    size_t scratch_bytes;
};

static dnnl_data_type_t dnnl_type(enum gm_dtype t)
{
    static const dnnl_data_type_t types[] = {
        [GM_F32] = dnnl_f32, [GM_BF16] = dnnl_bf16, [GM_I8] = dnnl_s8, [GM_I32] = dnnl_s32};
    return types[t];
}

static enum gm_status fail(dnnl_status_t s, const char *what, struct gm_error *err)
{
    if (s == dnnl_out_of_memory)
        return GM_FAIL(err, GM_ENOMEM, "out of memory (oneDNN: %s)", what);
    return GM_FAIL(err, GM_ESHAPE, "oneDNN: %s: status %d", what, (int)s);
}

/* For functions that have `st`, `err` and `done`. */
#define DNNL_TRY(call)                 \
    do {                               \
        dnnl_status_t s_ = (call);     \
        if (s_ != dnnl_success) {      \
            st = fail(s_, #call, err); \
            goto done;                 \
        }                              \
    } while (0)

enum gm_status gm_engine_new(struct gm_engine **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_engine *e = gm_alloc(1, sizeof *e);
    if (!e)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    DNNL_TRY(dnnl_engine_create(&e->cpu, dnnl_cpu, 0));
    DNNL_TRY(dnnl_stream_create(&e->stream, e->cpu, dnnl_stream_default_flags));
    *out = e;
    e = NULL;
done:
    gm_engine_free(e);
    return st;
}

static void product_free(struct product *p)
{
    dnnl_memory_t all[] = {p->a, p->b, p->bias, p->dst, p->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i])
            dnnl_memory_destroy(all[i]);
    if (p->primitive)
        dnnl_primitive_destroy(p->primitive);
    gm_free(p);
}

void gm_engine_free(struct gm_engine *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < N_BINS; i++)
        while (e->bins[i]) {
            struct product *p = e->bins[i];
            e->bins[i] = p->next;
            product_free(p);
        }
    if (e->stream)
        dnnl_stream_destroy(e->stream);
    if (e->cpu)
        dnnl_engine_destroy(e->cpu);
    gm_free(e->scratch);
    gm_free(e);
}

static bool cpu_has(dnnl_cpu_isa_t isa)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)isa) == (unsigned)isa;
}

enum gm_status gm_precision_pick(const char *name, struct gm_precision *out, struct gm_error *err)
{
    bool bf16 = cpu_has(dnnl_cpu_isa_avx512_core_bf16);
    bool int8 = cpu_has(dnnl_cpu_isa_avx2_vnni) || cpu_has(dnnl_cpu_isa_avx512_core_vnni);
    *out = (struct gm_precision){bf16 ? GM_BF16 : GM_F32, false};
    if (!name || strcmp(name, "auto") == 0)
        return GM_OK;
    if (strcmp(name, "f32") == 0)
        out->dtype = GM_F32;
    else if (strcmp(name, "bf16") == 0 && !bf16)
        return GM_FAIL(err, GM_EARG, "this CPU does not multiply bf16; use %s f32 or auto",
                       gm_option("--precision"));
    else if (strcmp(name, "int8") == 0 && !int8)
        return GM_FAIL(err, GM_EARG, "this CPU has no int8 dot products (VNNI); use %s auto",
                       gm_option("--precision"));
    else if (strcmp(name, "int8") == 0)
        out->int8 = true;
    else if (strcmp(name, "bf16") != 0)
        return GM_FAIL(err, GM_EARG, "unknown precision \"%s\": auto, f32, bf16 or int8", name);
    return GM_OK;
}

size_t gm_rows_bucket(size_t n)
{
    size_t step = n <= 256 ? 16 : n <= 1024 ? 32 : n <= 4096 ? 64 : 128;
    return n == 0 ? 16 : (n + step - 1) / step * step;
}

/* A matrix whose rows (transposed: columns) are stored `step` elements apart; 0 = side by side. */
static enum gm_status desc_2d(dnnl_memory_desc_t *out, size_t rows, size_t cols, enum gm_dtype t,
                              bool transposed, size_t step, struct gm_error *err)
{
    dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    dnnl_dim_t far = (dnnl_dim_t)(step ? step : transposed ? rows : cols);
    dnnl_dims_t strides = {transposed ? 1 : far, transposed ? far : 1};
    dnnl_status_t s = dnnl_memory_desc_create_with_strides(out, 2, dims, dnnl_type(t), strides);
    return s == dnnl_success ? GM_OK : fail(s, "memory descriptor", err);
}

static enum gm_status desc_any(dnnl_memory_desc_t *out, size_t rows, size_t cols, enum gm_dtype t,
                               struct gm_error *err)
{
    dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    dnnl_status_t s =
        dnnl_memory_desc_create_with_tag(out, 2, dims, dnnl_type(t), dnnl_format_tag_any);
    return s == dnnl_success ? GM_OK : fail(s, "memory descriptor", err);
}

/* What is done to a product before it is written. */
static enum gm_status append_ops(dnnl_post_ops_t ops, const struct gm_matmul *d,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (d->scale != 0)
        DNNL_TRY(dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_linear, d->scale, 0));
    if (d->accumulate)
        DNNL_TRY(dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef));
    else if (d->gelu)
        DNNL_TRY(dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_gelu_erf, 0, 0));
done:
    return st;
}

/* What the primitive is made from; `b_any` leaves the layout of b to oneDNN. */
static enum gm_status describe(struct gm_engine *e, const struct gm_matmul *d,
                               const struct gm_packed *packed, bool b_any,
                               dnnl_primitive_desc_t *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    dnnl_memory_desc_t a = NULL, b = NULL, bias = NULL, dst = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    GM_TRY(desc_2d(&a, d->m, d->k, d->dtype, d->a_trans, d->a_row, err));
    if (packed)
        DNNL_TRY(dnnl_memory_desc_clone(&b, packed->desc));
    else if (b_any)
        GM_TRY(desc_any(&b, d->k, d->n, d->dtype, err));
    else
        GM_TRY(desc_2d(&b, d->k, d->n, d->dtype, d->b_layout == GM_B_TRANSPOSED, d->b_row, err));
    if (d->has_bias)
        GM_TRY(desc_2d(&bias, 1, d->n, GM_F32, false, 0, err));
    GM_TRY(desc_2d(&dst, d->m, d->n, d->dst_dtype, false, d->dst_row, err));
    DNNL_TRY(dnnl_primitive_attr_create(&attr));
    DNNL_TRY(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    if (d->accumulate || d->gelu || d->scale != 0) {
        DNNL_TRY(dnnl_post_ops_create(&ops));
        GM_TRY(append_ops(ops, d, err));
        DNNL_TRY(dnnl_primitive_attr_set_post_ops(attr, ops));
    }
    DNNL_TRY(dnnl_matmul_primitive_desc_create(out, e->cpu, a, b, bias, dst, attr));
done:
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    dnnl_memory_desc_t all[] = {a, b, bias, dst};
    for (size_t i = 0; i < 4; i++)
        if (all[i])
            dnnl_memory_desc_destroy(all[i]);
    return st;
}

static enum gm_status memory_for(struct gm_engine *e, dnnl_memory_t *out,
                                 const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                                 struct gm_error *err)
{
    const_dnnl_memory_desc_t md = dnnl_primitive_desc_query_md(pd, what, 0);
    dnnl_status_t s = dnnl_memory_create(out, md, e->cpu, DNNL_MEMORY_NONE);
    return s == dnnl_success ? GM_OK : fail(s, "memory", err);
}

static enum gm_status product_new(struct gm_engine *e, struct product **out,
                                  const struct gm_matmul *d, const struct gm_packed *packed,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    dnnl_primitive_desc_t pd = NULL;
    struct product *p = gm_alloc(1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    p->d = *d;
    GM_TRY(describe(e, d, packed, false, &pd, err));
    DNNL_TRY(dnnl_primitive_create(&p->primitive, pd));
    GM_TRY(memory_for(e, &p->a, pd, dnnl_query_src_md, err));
    GM_TRY(memory_for(e, &p->b, pd, dnnl_query_weights_md, err));
    GM_TRY(memory_for(e, &p->dst, pd, dnnl_query_dst_md, err));
    GM_TRY(memory_for(e, &p->scratch, pd, dnnl_query_scratchpad_md, err));
    p->scratch_bytes =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
    if (d->has_bias) {
        const_dnnl_memory_desc_t md = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1);
        DNNL_TRY(dnnl_memory_create(&p->bias, md, e->cpu, DNNL_MEMORY_NONE));
    }
    *out = p;
    p = NULL;
done:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (p)
        product_free(p);
    return st;
}

static bool same(const struct product *p, const struct gm_matmul *d)
{
    return p->d.m == d->m && p->d.k == d->k && p->d.n == d->n && p->d.dtype == d->dtype &&
           p->d.dst_dtype == d->dst_dtype && p->d.a_trans == d->a_trans &&
           p->d.b_layout == d->b_layout && p->d.has_bias == d->has_bias &&
           p->d.accumulate == d->accumulate && p->d.gelu == d->gelu && p->d.a_row == d->a_row &&
           p->d.b_row == d->b_row && p->d.dst_row == d->dst_row && p->d.scale == d->scale;
}

/* Weights of one shape and type all get one layout (packing always asks oneDNN the same question),
 * so that a product made for one of them serves the others. */
static enum gm_status product_get(struct gm_engine *e, struct product **out,
                                  const struct gm_matmul *d, const struct gm_packed *packed,
                                  struct gm_error *err)
{
    size_t bin = (d->m * 31 + d->k * 7 + d->n * 3 + (size_t)d->b_layout * 5 + d->a_trans +
                  2 * (size_t)d->accumulate + 4 * (size_t)d->gelu) %
                 N_BINS;
    for (struct product *p = e->bins[bin]; p; p = p->next)
        if (same(p, d)) {
            *out = p;
            return GM_OK;
        }
    enum gm_status st = product_new(e, out, d, packed, err);
    if (st == GM_OK) {
        (*out)->next = e->bins[bin];
        e->bins[bin] = *out;
    }
    return st;
}

static enum gm_status need_scratch(struct gm_engine *e, size_t bytes, struct gm_error *err)
{
    if (bytes <= e->scratch_bytes)
        return GM_OK;
    gm_free(e->scratch);
    e->scratch = gm_alloc_aligned(bytes, 1);
    e->scratch_bytes = e->scratch ? bytes : 0;
    return e->scratch ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for %zu bytes", bytes);
}

static void *handle(const void *p) { return (void *)(uintptr_t)p; }

enum gm_status gm_matmul_run(struct gm_engine *e, const struct gm_matmul *d, const void *a,
                             const void *b, const float *bias, void *dst, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct product *p = NULL;
    const struct gm_packed *packed = d->b_layout == GM_B_PACKED ? b : NULL;
    GM_TRY(product_get(e, &p, d, packed, err));
    GM_TRY(need_scratch(e, p->scratch_bytes, err));
    DNNL_TRY(dnnl_memory_set_data_handle(p->a, handle(a)));
    DNNL_TRY(dnnl_memory_set_data_handle(p->b, packed ? packed->data : handle(b)));
    DNNL_TRY(dnnl_memory_set_data_handle(p->dst, dst));
    DNNL_TRY(dnnl_memory_set_data_handle(p->scratch, e->scratch));
    if (p->bias)
        DNNL_TRY(dnnl_memory_set_data_handle(p->bias, handle(bias)));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, p->a},
                              {DNNL_ARG_WEIGHTS, p->b},
                              {DNNL_ARG_DST, p->dst},
                              {DNNL_ARG_SCRATCHPAD, p->scratch},
                              {DNNL_ARG_BIAS, p->bias}};
    DNNL_TRY(dnnl_primitive_execute(p->primitive, e->stream, p->bias ? 5 : 4, args));
    DNNL_TRY(dnnl_stream_wait(e->stream));
done:
    return st;
}

static enum gm_status packed_new(struct gm_engine *e, struct gm_packed **out, enum gm_dtype dtype,
                                 size_t k, size_t n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    dnnl_primitive_desc_t pd = NULL;
    struct gm_packed *p = gm_alloc(1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    struct gm_matmul d = {.m = PACK_ROWS,
                          .k = k,
                          .n = n,
                          .dtype = dtype,
                          .b_layout = GM_B_ROWS,
                          .dst_dtype = dtype == GM_I8 ? GM_I32 : dtype};
    GM_TRY(describe(e, &d, NULL, true, &pd, err));
    DNNL_TRY(dnnl_memory_desc_clone(&p->desc,
                                    dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0)));
    p->data = gm_alloc_aligned(dnnl_memory_desc_get_size(p->desc), 1);
    if (!p->data) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    *out = p;
    p = NULL;
done:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    gm_packed_free(p);
    return st;
}

enum gm_status gm_pack(struct gm_engine *e, struct gm_packed **packed, const void *w,
                       enum gm_dtype dtype, size_t k, size_t n, bool trans, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    dnnl_memory_desc_t plain = NULL;
    dnnl_memory_t src = NULL, dst = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    if (!*packed)
        GM_TRY(packed_new(e, packed, dtype, k, n, err));
    GM_TRY(desc_2d(&plain, k, n, dtype, trans, 0, err));
    DNNL_TRY(dnnl_memory_create(&src, plain, e->cpu, handle(w)));
    DNNL_TRY(dnnl_memory_create(&dst, (*packed)->desc, e->cpu, (*packed)->data));
    /* oneDNN keeps made primitives itself, so this costs microseconds beside the copy. */
    DNNL_TRY(dnnl_reorder_primitive_desc_create(&pd, plain, e->cpu, (*packed)->desc, e->cpu, NULL));
    DNNL_TRY(dnnl_primitive_create(&reorder, pd));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, src}, {DNNL_ARG_TO, dst}};
    DNNL_TRY(dnnl_primitive_execute(reorder, e->stream, 2, args));
    DNNL_TRY(dnnl_stream_wait(e->stream));
done:
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (src)
        dnnl_memory_destroy(src);
    if (dst)
        dnnl_memory_destroy(dst);
    if (plain)
        dnnl_memory_desc_destroy(plain);
    return st;
}

enum gm_status gm_pack_int8(struct gm_engine *e, struct gm_packed **packed,
                            const struct gm_tensor *w, const float *scale, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = w->shape[0], k = w->shape[1];
    int8_t *rounded = scale ? NULL : gm_alloc_aligned(n * k, 1);
    float *own = gm_alloc_aligned(n, sizeof *own);
    if (!own || (!scale && !rounded)) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    if (scale)
        memcpy(own, scale, n * sizeof *own);
    else
        GM_TRY(gm_int8_round(w, rounded, own, err));
    GM_TRY(gm_pack(e, packed, scale ? w->data : rounded, GM_I8, k, n, true, err));
    gm_free((*packed)->scale);
    (*packed)->scale = own;
    own = NULL;
done:
    gm_free(rounded);
    gm_free(own);
    return st;
}

const float *gm_packed_scale(const struct gm_packed *p) { return p->scale; }

void gm_packed_free(struct gm_packed *p)
{
    if (!p)
        return;
    if (p->desc)
        dnnl_memory_desc_destroy(p->desc);
    gm_free(p->data);
    gm_free(p->scale);
    gm_free(p);
}
