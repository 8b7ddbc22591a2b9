/* tensor.c - number types and the memory of activations. bf16 is the upper half of an f32;
 * binary16 is (-1)^s 2^(e-15) (1 + m/1024), for e = 0 (-1)^s 2^-24 m, for e = 31 infinity or NaN
 * (IEEE 754). Naive references: tests/unit/test_nn_engine.c (workspace), test_nn_safetensors.c
 * and test_nn_params.c (every type's values). */
#include "nn/tensor.h"

#include "base/alloc.h"

size_t gm_dtype_size(enum gm_dtype t)
{
    static const size_t sizes[] = {[GM_F32] = 4, [GM_BF16] = 2, [GM_F16] = 2, [GM_I64] = 8,
                                   [GM_I32] = 4, [GM_I8] = 1,   [GM_U8] = 1};
    return sizes[t];
}

size_t gm_tensor_count(const struct gm_tensor *t)
{
    size_t n = 1;
    for (unsigned i = 0; i < t->rank; i++)
        n *= t->shape[i];
    return n;
}

/* IEEE binary16, subnormals included. */
static float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
    if (exponent == 0)
        return (sign ? -1.0f : 1.0f) * (float)mantissa * 0x1p-24f;
    uint32_t u = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | mantissa << 13;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

void gm_tensor_to_f32(const struct gm_tensor *t, size_t from, size_t n, float *out)
{
    if (t->dtype == GM_F32) {
        memcpy(out, (const float *)t->data + from, n * sizeof *out);
    } else {
        const uint16_t *p = (const uint16_t *)t->data + from;
        if (t->dtype == GM_BF16)
            for (size_t i = 0; i < n; i++)
                out[i] = gm_bf16_to_f32(p[i]);
        else
            for (size_t i = 0; i < n; i++)
                out[i] = f16_to_f32(p[i]);
    }
}

enum { MAX_BLOCKS = 64 };

struct gm_workspace {
    size_t max_bytes, total_bytes;
    size_t n_blocks, block, used; /* position: block number and bytes used in it */
    struct {
        unsigned char *p;
        size_t cap;
    } blocks[MAX_BLOCKS];
};

enum gm_status gm_workspace_new(struct gm_workspace **out, size_t max_bytes, struct gm_error *err)
{
    *out = gm_alloc(1, sizeof **out);
    if (!*out)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    (*out)->max_bytes = max_bytes;
    return GM_OK;
}

void gm_workspace_free(struct gm_workspace *ws)
{
    for (size_t i = 0; ws && i < ws->n_blocks; i++)
        gm_free(ws->blocks[i].p);
    gm_free(ws);
}

static bool add_block(struct gm_workspace *ws, size_t bytes)
{
    size_t cap = ws->total_bytes / 2 > (size_t)1 << 20 ? ws->total_bytes / 2 : (size_t)1 << 20;
    if (cap > ws->max_bytes - ws->total_bytes)
        cap = ws->max_bytes - ws->total_bytes;
    if (cap < bytes)
        cap = bytes;
    if (ws->n_blocks == MAX_BLOCKS || cap > ws->max_bytes - ws->total_bytes)
        return false;
    unsigned char *p = gm_alloc_aligned(cap, 1);
    if (!p)
        return false;
    ws->blocks[ws->n_blocks].p = p;
    ws->blocks[ws->n_blocks++].cap = cap;
    ws->total_bytes += cap;
    return true;
}

void *gm_workspace_alloc(struct gm_workspace *ws, size_t n, size_t size)
{
    size_t bytes;
    if (!gm_mul_size(n, size, &bytes) || bytes > SIZE_MAX - 64)
        return NULL;
    bytes = (bytes + 63) & ~(size_t)63;
    while (ws->block < ws->n_blocks && ws->blocks[ws->block].cap - ws->used < bytes) {
        ws->block++;
        ws->used = 0;
    }
    if (ws->block == ws->n_blocks && !add_block(ws, bytes))
        return NULL;
    void *p = ws->blocks[ws->block].p + ws->used;
    ws->used += bytes;
    return p;
}

struct gm_workspace_mark gm_workspace_mark(const struct gm_workspace *ws)
{
    return (struct gm_workspace_mark){ws->block, ws->used};
}

void gm_workspace_rewind(struct gm_workspace *ws, struct gm_workspace_mark m)
{
    ws->block = m.block;
    ws->used = m.used;
}

size_t gm_workspace_bytes(const struct gm_workspace *ws) { return ws->total_bytes; }
