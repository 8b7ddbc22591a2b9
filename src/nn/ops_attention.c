/* ops_attention.c - self-attention within each sequence of a packed batch; never pads. For
 * sequence s with T rows, and head h with its D = width / heads columns of q, k and v (all
 * [T][D]):
 *
 *   y = dropout(softmax(q k' scale + bias)) v,   scale 1 / sqrt(D) where nothing else is said
 *
 * qkv is [rows][3 width]: q, k and v side by side, the heads' columns side by side in each. Each
 * pair of sequence and head is one call of the kernel (kernels/attention.h) and has a dropout
 * mask of its own; what is added to the scores, if anything, is made for that call
 * (distance_bias.c). Source: Vaswani et al. 2017, equation 1. Naive reference: naive_attention in
 * tests/unit/test_nn_attention.c; gradients: tests/unit/test_nn_ops.c. */
#include "base/parallel.h"
#include "nn/distance_bias.h"

#include <math.h>
#include <omp.h>

struct attention {
    struct gm_attention_input in;
    struct gm_distance_bias bias; /* copy of in.bias */
    struct gm_var *y;
    struct gm_dropout drop;
    size_t *probs_at; /* [n_seqs]: where the probabilities of a sequence's heads start */
    void *probs;      /* T; NULL when not training */
    float *scratch;   /* scratch_each floats a thread, after them bias_each */
    size_t scratch_each, bias_each;
    bool learns; /* the bias has gradients */
    struct gm_distance_grads grads;
};

/* Settings of head h of sequence s. Each (sequence, head) has a dropout mask of its own. */
static struct gm_attention settings(const struct attention *a, size_t s, size_t h)
{
    size_t width = a->y->cols, dim = width / a->in.heads;
    struct gm_dropout drop = a->drop;
    drop.seed += (uint32_t)((s * a->in.heads + h) * 0x9E3779B1u);
    return (struct gm_attention){.len = a->in.offsets[s + 1] - a->in.offsets[s],
                                 .dim = dim,
                                 .qkv_stride = 3 * width,
                                 .k_at = width,
                                 .v_at = 2 * width,
                                 .out_stride = width,
                                 .scale = a->in.scale > 0 ? a->in.scale : 1.0f / sqrtf((float)dim),
                                 .drop = drop};
}

static void *probs_of(const struct gm_graph *g, const struct attention *a, size_t s, size_t h,
                      size_t len)
{
    return a->probs ? gm_ops_at(g, a->probs, a->probs_at[s] + h * len * len) : NULL;
}

/* A thread's scratch, and behind it that of the bias. */
static float *scratch_of(const struct attention *a)
{
    return a->scratch + (size_t)omp_get_thread_num() * (a->scratch_each + a->bias_each);
}

static void head_back(struct gm_graph *g, struct attention *a, size_t s, size_t h, void *d_qkv)
{
    size_t width = a->y->cols, dim = width / a->in.heads, row = a->in.offsets[s];
    float *scratch = scratch_of(a), *d_bias = scratch + a->scratch_each;
    struct gm_attention k = settings(a, s, h);
    const void *qkv = gm_ops_at(g, a->in.qkv->x, row * 3 * width + h * dim);
    void *to = gm_ops_at(g, d_qkv, row * 3 * width + h * dim);
    k.d_bias = a->learns ? d_bias : NULL;
    g->kn->attention_back(&k, qkv, probs_of(g, a, s, h, k.len),
                          gm_ops_at(g, a->y->d, row * width + h * dim), to, scratch);
    if (a->learns)
        gm_distance_bias_back(g, &a->bias, &k, h, qkv, d_bias, to, &a->grads);
}

static enum gm_status attention_back(struct gm_graph *g, void *ctx, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct attention *a = ctx;
    void *d_qkv;
    const uint32_t *offsets = a->in.offsets;
    size_t width = a->y->cols, heads = a->in.heads, n_seqs = a->in.n_seqs, used = offsets[n_seqs];
    GM_TRY(gm_ops_grad_into(g, a->in.qkv, &d_qkv, err));
    if (a->learns)
        GM_TRY(gm_distance_grads_new(g, &a->bias, heads, width / heads, &a->grads, err));
    /* Sequences share the gradients of distances, and heads share nothing: with them, a head a thread. */
    size_t turns = a->learns ? heads : heads * n_seqs, each = a->learns ? n_seqs : 1;
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t i = 0; i < turns; i++)
        for (size_t k = 0; k < each; k++) {
            size_t s = a->learns ? k : i / heads, h = a->learns ? i : i % heads;
            if (offsets[s + 1] > offsets[s])
                head_back(g, a, s, h, d_qkv);
        }
    memset(gm_ops_at(g, d_qkv, used * 3 * width), 0,
           (a->in.qkv->rows - used) * 3 * width * gm_dtype_size(g->dtype));
    gm_ops_grad_done(g, a->in.qkv, d_qkv);
    if (a->learns)
        GM_TRY(gm_distance_grads_done(g, &a->bias, heads, width / heads, &a->grads, err));
done:
    return st;
}

static enum gm_status attention_new(struct gm_graph *g, const struct gm_attention_input *in,
                                    struct attention **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    void *ctx, *p;
    size_t n_probs = 0, width = in->qkv->cols / 3, dim = width / in->heads;
    size_t longest = gm_longest_sequence(in->offsets, in->n_seqs);
    GM_TRY(gm_graph_alloc(g, &ctx, 1, sizeof **out, err));
    struct attention *a = ctx;
    *a = (struct attention){.in = *in};
    if (in->bias) {
        a->bias = *in->bias;
        a->in.bias = &a->bias;
        a->learns = a->bias.has_table || a->bias.rel_k || a->bias.rel_q;
    }
    GM_TRY(gm_graph_var(g, &a->y, in->qkv->rows, width, err));
    GM_TRY(gm_graph_alloc(g, &p, in->n_seqs, sizeof *a->probs_at, err));
    a->probs_at = p;
    for (size_t s = 0; s < in->n_seqs; s++) {
        size_t len = in->offsets[s + 1] - in->offsets[s];
        a->probs_at[s] = n_probs;
        n_probs += in->heads * len * len;
    }
    if (g->training)
        GM_TRY(gm_graph_alloc(g, &a->probs, n_probs, gm_dtype_size(g->dtype), err));
    a->scratch_each = g->kn->attention_scratch(longest, dim);
    a->bias_each = in->bias ? gm_distance_bias_scratch(g, &a->bias, longest, dim) : 0;
    GM_TRY(
        gm_graph_alloc(g, &p, gm_threads() * (a->scratch_each + a->bias_each), sizeof(float), err));
    a->scratch = p;
    *out = a;
done:
    return st;
}

enum gm_status gm_op_attention(struct gm_graph *g, const struct gm_attention_input *in,
                               struct gm_var **y, struct gm_error *err)
{
    struct attention *a;
    enum gm_status st = attention_new(g, in, &a, err);
    if (st != GM_OK)
        return st;
    a->drop = gm_graph_dropout(g, in->drop_p);
    size_t width = a->y->cols, heads = in->heads, dim = width / heads,
           used = in->offsets[in->n_seqs];
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t i = 0; i < in->n_seqs * heads; i++) {
        size_t s = i / heads, h = i % heads, row = in->offsets[s];
        struct gm_attention k = settings(a, s, h);
        const void *qkv = gm_ops_at(g, in->qkv->x, row * 3 * width + h * dim);
        float *scratch = scratch_of(a);
        if (k.len && in->bias)
            k.bias = gm_distance_bias_fill(g, &a->bias, &k, h, qkv, scratch + a->scratch_each);
        if (k.len)
            g->kn->attention(&k, qkv, gm_ops_at(g, a->y->x, row * width + h * dim),
                             probs_of(g, a, s, h, k.len), scratch);
    }
    memset(gm_ops_at(g, a->y->x, used * width), 0,
           (a->y->rows - used) * width * gm_dtype_size(g->dtype));
    *y = a->y;
    return gm_graph_record(g, attention_back, a, a->y, err);
}
