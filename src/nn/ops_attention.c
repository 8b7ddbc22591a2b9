/* ops_attention.c - self-attention within each sequence of a packed batch; never pads. For
 * sequence s with T rows, and head h with its D = width / heads columns of q, k and v (all
 * [T][D]):
 *
 *   y = dropout(softmax(q k' / sqrt(D))) v
 *
 * qkv is [rows][3 width]: q, k and v side by side, the heads' columns side by side in each. Each
 * pair of sequence and head is one call of the kernel (kernels/attention.h) and has a dropout
 * mask of its own. Source: Vaswani et al. 2017, equation 1. Naive reference: naive_attention in
 * tests/unit/test_nn_attention.c; gradients: tests/unit/test_nn_ops.c. */
#include "base/parallel.h"
#include "nn/ops_internal.h"

#include <math.h>
#include <omp.h>

struct attention {
    struct gm_var *qkv, *y;
    const uint32_t *offsets;
    size_t n_seqs, heads;
    struct gm_dropout drop;
    size_t *probs_at; /* [n_seqs]: where the probabilities of a sequence's heads start */
    void *probs;      /* T; NULL when not training */
    float *scratch;   /* scratch_each floats a thread */
    size_t scratch_each;
};

static size_t longest(const uint32_t *offsets, size_t n_seqs)
{
    size_t most = 0;
    for (size_t s = 0; s < n_seqs; s++)
        if (offsets[s + 1] - offsets[s] > most)
            most = offsets[s + 1] - offsets[s];
    return most;
}

/* Settings of head h of sequence s. Each (sequence, head) has a dropout mask of its own. */
static struct gm_attention settings(const struct attention *a, size_t s, size_t h)
{
    size_t width = a->y->cols, dim = width / a->heads;
    struct gm_dropout drop = a->drop;
    drop.seed += (uint32_t)((s * a->heads + h) * 0x9E3779B1u);
    return (struct gm_attention){.len = a->offsets[s + 1] - a->offsets[s],
                                 .dim = dim,
                                 .qkv_stride = 3 * width,
                                 .k_at = width,
                                 .v_at = 2 * width,
                                 .out_stride = width,
                                 .scale = 1.0f / sqrtf((float)dim),
                                 .drop = drop};
}

static void *probs_of(const struct gm_graph *g, const struct attention *a, size_t s, size_t h,
                      size_t len)
{
    return a->probs ? gm_ops_at(g, a->probs, a->probs_at[s] + h * len * len) : NULL;
}

static enum gm_status attention_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    struct attention *a = ctx;
    void *d_qkv;
    enum gm_status st = gm_ops_grad_into(g, a->qkv, &d_qkv, err);
    if (st != GM_OK)
        return st;
    size_t width = a->y->cols, dim = width / a->heads, used = a->offsets[a->n_seqs];
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t i = 0; i < a->n_seqs * a->heads; i++) {
        size_t s = i / a->heads, h = i % a->heads, row = a->offsets[s];
        struct gm_attention k = settings(a, s, h);
        if (k.len)
            g->kn->attention_back(&k, gm_ops_at(g, a->qkv->x, row * 3 * width + h * dim),
                                  probs_of(g, a, s, h, k.len),
                                  gm_ops_at(g, a->y->d, row * width + h * dim),
                                  gm_ops_at(g, d_qkv, row * 3 * width + h * dim),
                                  a->scratch + (size_t)omp_get_thread_num() * a->scratch_each);
    }
    memset(gm_ops_at(g, d_qkv, used * 3 * width), 0,
           (a->qkv->rows - used) * 3 * width * gm_dtype_size(g->dtype));
    gm_ops_grad_done(g, a->qkv, d_qkv);
    return GM_OK;
}

static enum gm_status attention_new(struct gm_graph *g, struct gm_var *qkv, const uint32_t *offsets,
                                    size_t n_seqs, size_t heads, struct attention **out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    void *ctx, *p;
    size_t n_probs = 0, width = qkv->cols / 3;
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof **out, err));
    struct attention *a = ctx;
    *a = (struct attention){.qkv = qkv, .offsets = offsets, .n_seqs = n_seqs, .heads = heads};
    GM_TRY(gm_graph_var(g, &a->y, qkv->rows, width, err));
    if (g->training) {
        GM_TRY(gm_graph_alloc(g, &p, n_seqs, sizeof *a->probs_at, err));
        a->probs_at = p;
        for (size_t s = 0; s < n_seqs; s++) {
            size_t len = offsets[s + 1] - offsets[s];
            a->probs_at[s] = n_probs;
            n_probs += heads * len * len;
        }
        GM_TRY(gm_graph_alloc(g, &a->probs, n_probs, gm_dtype_size(g->dtype), err));
    }
    a->scratch_each = g->kn->attention_scratch(longest(offsets, n_seqs), width / heads);
    GM_TRY(gm_graph_alloc(g, &p, gm_threads() * a->scratch_each, sizeof(float), err));
    a->scratch = p;
    *out = a;
done:
    return st;
}

enum gm_status gm_op_attention(struct gm_graph *g, struct gm_var *qkv, const uint32_t *offsets,
                               size_t n_seqs, size_t heads, double drop_p, struct gm_var **y,
                               struct gm_error *err)
{
    struct attention *a;
    enum gm_status st = attention_new(g, qkv, offsets, n_seqs, heads, &a, err);
    if (st != GM_OK)
        return st;
    a->drop = gm_graph_dropout(g, drop_p);
    size_t width = a->y->cols, dim = width / heads, used = offsets[n_seqs];
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t i = 0; i < n_seqs * heads; i++) {
        size_t s = i / heads, h = i % heads, row = offsets[s];
        struct gm_attention k = settings(a, s, h);
        if (k.len)
            g->kn->attention(&k, gm_ops_at(g, qkv->x, row * 3 * width + h * dim),
                             gm_ops_at(g, a->y->x, row * width + h * dim),
                             probs_of(g, a, s, h, k.len),
                             a->scratch + (size_t)omp_get_thread_num() * a->scratch_each);
    }
    memset(gm_ops_at(g, a->y->x, used * width), 0,
           (a->y->rows - used) * width * gm_dtype_size(g->dtype));
    *y = a->y;
    return gm_graph_record(g, attention_back, a, a->y, err);
}
