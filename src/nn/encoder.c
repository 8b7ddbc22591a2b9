/* encoder.c - an encoder over a packed batch: the pieces of all sequences end to end, N rows of width H,
 * without padding between them.
 *
 *   x[i] = LN(W[id_i] + P[position_i] + S[type_i] + X[extra_i]) Wp'     embeddings, [N][H]
 *   for each layer:
 *     [q k v] = x Wqkv' + bqkv                                        [N][3H]: q, k, v
 *     x = LN(x + attention(q, k, v) Wo' + bo)
 *     x = LN(x + f(x Wup' + bup) Wdown' + bdown)                      Wup [inner][H]
 *
 * with dropout on the embeddings, on attention's probabilities and on what is added to x, in training only. Of
 * P, S and Wp (ELECTRA's, from narrower embeddings) a family may lack any. MPNet adds to attention's scores a
 * number for each distance of two tokens and head, DeBERTa products with vectors of distances (distance_bias.c),
 * which are rows of R, or LN(R), through the layer's own projections; and its larger models have behind the first
 * layer x = LN(x + f(dropout(conv(x0)))), x0 being that layer's input. ModernBERT has norms in front:
 *
 *     x = x + attention(rotated by position of LN(x)) Wo'             LN of the first layer: none
 *     [a b] = LN(x) Wup';   x = x + (f(a) b) Wdown'                   and one LN behind the last layer
 *
 * with its layers but every third seeing a window of tokens only. Sources: encoder.h. Reference: transformers
 * itself, tests/ref/encoder_reference.py (tiny models whose states and gradients
 * tests/unit/test_nn_encoder.c compares with) and encoder_live.sh (whole ones). */
#include "nn/encoder.h"

#include <math.h>

static enum gm_status check_ids(const struct gm_encoder_config *c, const struct gm_batch *b,
                                struct gm_error *err)
{
    for (size_t i = 0; i < b->n_tokens; i++)
        if (b->ids[i] >= c->vocab || b->positions[i] >= c->positions ||
            (b->types && c->types > 1 && b->types[i] >= c->types))
            return GM_FAIL(err, GM_EARG,
                           "token %zu (id %u, position %u) is outside the model's %zu ids and %zu "
                           "positions; do tokenizer.json and config.json belong together?",
                           i, b->ids[i], b->positions[i], c->vocab, c->positions);
    return GM_OK;
}

/* What a layer's attention needs beside its input. */
struct layers {
    const struct gm_encoder *enc;
    const struct gm_batch *b;
    size_t longest; /* of its sequences */
    struct gm_distance_bias
        bias;           /* of MPNet and DeBERTa, the same for all layers but for its variables */
    struct gm_var *rel; /* DeBERTa's rows of distances */
    struct gm_angles *far, *near; /* ModernBERT's */
};

/* The row of MPNet's table for distance query - key: its half says the sign, and within a half, distances up to a
 * quarter of the rows have one each, those up to 128 share by the logarithm. In f32, as torch does it. */
static uint32_t table_row(size_t buckets, long distance)
{
    size_t half = buckets / 2, exact = half / 2, n = (size_t)(distance < 0 ? -distance : distance);
    size_t at = n;
    if (n >= exact) {
        float share = logf((float)n / (float)exact) / (float)log(128.0 / (double)exact);
        at = exact + (size_t)(share * (float)(half - exact));
        at = at < half - 1 ? at : half - 1;
    }
    return (uint32_t)(at + (distance < 0 ? half : 0));
}

/* The row of DeBERTa's vectors for distance query - key: those up to span/2 have one each, those beyond share by
 * the logarithm. In f32, as torch does it. */
static uint32_t vector_row(const struct gm_encoder_config *c, long distance)
{
    long n = distance < 0 ? -distance : distance, mid = (long)c->span / 2, at = distance;
    long last = 2 * (long)c->span - 1;
    if (c->bucketed && n > mid) {
        float top = logf((float)(c->max_distance - 1) / (float)mid);
        at = (long)ceilf(logf((float)n / (float)mid) / top * (float)(mid - 1)) + mid;
        at = distance < 0 ? -at : at;
    }
    at += (long)c->span;
    return (uint32_t)(at < 0 ? 0 : at > last ? last : at);
}

/* The rows of distances that the batch has, and DeBERTa's vectors of them: rows [first, last] of its table. */
static enum gm_status begin_distances(struct layers *l, struct gm_graph *g, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder *enc = l->enc;
    const struct gm_encoder_config *c = &enc->config;
    size_t max = l->longest ? l->longest : 1, n = 2 * max - 1;
    void *rows_, *ids_;
    if (!c->buckets && !c->span)
        return GM_OK;
    GM_TRY(gm_graph_alloc(g, &rows_, n, sizeof(uint32_t), err));
    uint32_t *rows = rows_;
    for (size_t i = 0; i < n; i++) {
        long distance = (long)i - (long)(max - 1);
        rows[i] = c->buckets ? table_row(c->buckets, distance) : vector_row(c, distance);
    }
    l->bias = (struct gm_distance_bias){
        .row = rows, .row_max = max, .has_table = c->buckets > 0, .table = enc->table};
    if (!c->span)
        goto done;
    uint32_t first = rows[0], count = rows[n - 1] - first + 1;
    GM_TRY(gm_graph_alloc(g, &ids_, count, sizeof(uint32_t), err));
    uint32_t *ids = ids_;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = first + i;
    for (size_t i = 0; i < n; i++)
        rows[i] -= first;
    GM_TRY(gm_op_embed(g, &(struct gm_embed_input){enc->rel, ids}, 1, count, &l->rel, err));
    if (c->rel_normed)
        GM_TRY(gm_op_layernorm(g, l->rel, NULL, 0, enc->rel_norm.w, enc->rel_norm.b, c->norm_eps,
                               &l->rel, err));
done:
    return st;
}

static enum gm_status begin_angles(struct layers *l, struct gm_graph *g, struct gm_error *err)
{
    const struct gm_encoder_config *c = &l->enc->config;
    size_t half = c->hidden / c->heads / 2;
    if (!c->rotary)
        return GM_OK;
    enum gm_status st = gm_op_angles(g, l->longest, half, c->theta_far, &l->far, err);
    return st == GM_OK ? gm_op_angles(g, l->longest, half, c->theta_near, &l->near, err) : st;
}

/* DeBERTa's vectors of distances in one layer: through its k and q, or through projections of their own. */
static enum gm_status project_distances(struct layers *l, size_t i, struct gm_graph *g,
                                        struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder *enc = l->enc;
    const struct gm_encoder_config *c = &enc->config;
    struct gm_var *k = NULL, *q = NULL;
    if (!l->rel)
        return GM_OK;
    if (c->shared_rel) {
        GM_TRY(gm_op_linear(g, l->rel, enc->layer[i].qkv.w, enc->layer[i].qkv.b, &k, err));
        q = k;
        l->bias.rel_k_at = c->hidden;
    } else {
        if (c->to_position)
            GM_TRY(gm_op_linear(g, l->rel, enc->layer[i].rel_k.w, enc->layer[i].rel_k.b, &k, err));
        if (c->from_position)
            GM_TRY(gm_op_linear(g, l->rel, enc->layer[i].rel_q.w, enc->layer[i].rel_q.b, &q, err));
    }
    l->bias.rel_k = c->to_position ? k : NULL;
    l->bias.rel_q = c->from_position ? q : NULL;
done:
    return st;
}

static enum gm_status attend(struct layers *l, size_t i, struct gm_graph *g, struct gm_var *x,
                             struct gm_var **y, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder *enc = l->enc;
    const struct gm_encoder_config *c = &enc->config;
    const struct gm_distance_bias near = {.window = c->window};
    struct gm_attention_input in = {.offsets = l->b->offsets,
                                    .n_seqs = l->b->n_seqs,
                                    .heads = c->heads,
                                    .drop_p = c->attention_dropout};
    GM_TRY(gm_op_linear(g, x, enc->layer[i].qkv.w, enc->layer[i].qkv.b, &in.qkv, err));
    if (c->rotary)
        GM_TRY(gm_op_rotate(g, in.qkv, l->b->offsets, l->b->n_seqs, c->heads,
                            c->is_near[i] ? l->near : l->far, err));
    GM_TRY(project_distances(l, i, g, err));
    if (l->bias.row)
        in.bias = &l->bias;
    else if (c->is_near[i] && l->longest > c->window + 1)
        in.bias = &near;
    if (c->span) /* He et al. 2021: as many terms share the scale */
        in.scale = 1.0f / sqrtf((float)(c->hidden / c->heads) *
                                (float)(1 + c->to_position + c->from_position));
    GM_TRY(gm_op_attention(g, &in, y, err));
    st = gm_op_linear(g, *y, enc->layer[i].out.w, enc->layer[i].out.b, y, err);
done:
    return st;
}

/* One layer: x = LN(x + attention(x)); x = LN(x + down(f(up(x)))). */
static enum gm_status layer(struct layers *l, size_t i, struct gm_graph *g, struct gm_var *x,
                            struct gm_var **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder *enc = l->enc;
    const struct gm_encoder_config *c = &enc->config;
    struct gm_var *y, *mid;
    GM_TRY(attend(l, i, g, x, &y, err));
    GM_TRY(gm_op_layernorm(g, y, x, c->hidden_dropout, enc->layer[i].norm1.w, enc->layer[i].norm1.b,
                           c->norm_eps, &mid, err));
    GM_TRY(gm_op_linear_activate(g, mid, enc->layer[i].up.w, enc->layer[i].up.b, c->activation, &y,
                                 err));
    GM_TRY(gm_op_linear(g, y, enc->layer[i].down.w, enc->layer[i].down.b, &y, err));
    GM_TRY(gm_op_layernorm(g, y, mid, c->hidden_dropout, enc->layer[i].norm2.w,
                           enc->layer[i].norm2.b, c->norm_eps, out, err));
done:
    return st;
}

/* The convolution beside the first layer: x0 is the layer's input, y its result and what it becomes. */
static enum gm_status convolve(struct layers *l, struct gm_graph *g, struct gm_var *x0,
                               struct gm_var **y, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder *enc = l->enc;
    const struct gm_encoder_config *c = &enc->config;
    struct gm_var *z;
    GM_TRY(gm_op_conv(g, x0, l->b->offsets, l->b->n_seqs, c->conv_groups, enc->conv.w, enc->conv.b,
                      &z, err));
    GM_TRY(gm_op_dropout(g, z, c->hidden_dropout, &z, err));
    GM_TRY(gm_op_activate(g, z, c->conv_activation, &z, err));
    st = gm_op_layernorm(g, z, *y, 0, enc->conv_norm.w, enc->conv_norm.b, c->norm_eps, y, err);
done:
    return st;
}

/* One layer with the norms in front: x = x + attention(LN(x)); x = x + down(f(a) b), [a b] = up(LN(x)). */
static enum gm_status gated_layer(struct layers *l, size_t i, struct gm_graph *g, struct gm_var *x,
                                  struct gm_var **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder *enc = l->enc;
    const struct gm_encoder_config *c = &enc->config;
    struct gm_var *y = x, *mid;
    if (i > 0)
        GM_TRY(gm_op_layernorm(g, x, NULL, 0, enc->layer[i].norm1.w, enc->layer[i].norm1.b,
                               c->norm_eps, &y, err));
    GM_TRY(attend(l, i, g, y, &y, err));
    GM_TRY(gm_op_add(g, y, x, c->attention_dropout, &mid, err));
    GM_TRY(gm_op_layernorm(g, mid, NULL, 0, enc->layer[i].norm2.w, enc->layer[i].norm2.b,
                           c->norm_eps, &y, err));
    GM_TRY(gm_op_linear(g, y, enc->layer[i].up.w, enc->layer[i].up.b, &y, err));
    GM_TRY(gm_op_gated(g, y, c->activation, &y, err));
    GM_TRY(gm_op_dropout(g, y, c->hidden_dropout, &y, err));
    GM_TRY(gm_op_linear(g, y, enc->layer[i].down.w, enc->layer[i].down.b, &y, err));
    st = gm_op_add(g, y, mid, 0, out, err);
done:
    return st;
}

/* The rows of the position table. In RoBERTa's family padding tokens do not count and share the
 * padding row; a text has them only when it spells one. */
static enum gm_status position_rows(const struct gm_encoder_config *c, struct gm_graph *g,
                                    const struct gm_batch *b, const uint32_t **out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    void *block;
    *out = b->positions;
    if (c->position_offset == 0)
        return GM_OK;
    GM_TRY(gm_graph_alloc(g, &block, b->n_tokens, sizeof(uint32_t), err));
    uint32_t *rows = block, offset = (uint32_t)c->position_offset;
    for (size_t s = 0; s < b->n_seqs; s++) {
        uint32_t n_pads = 0;
        for (size_t i = b->offsets[s]; i < b->offsets[s + 1]; i++) {
            bool pad = b->ids[i] == c->pad;
            rows[i] = pad ? offset - 1 : b->positions[i] - n_pads + offset;
            n_pads += pad;
        }
    }
    *out = rows;
done:
    return st;
}

static enum gm_status embed(const struct gm_encoder *enc, struct gm_graph *g,
                            const struct gm_batch *b, struct gm_var **x, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder_config *c = &enc->config;
    struct gm_embed_input in[4] = {{enc->word, b->ids}};
    size_t n = 1;
    const uint32_t *rows;
    GM_TRY(position_rows(c, g, b, &rows, err));
    if (c->has_positions)
        in[n++] = (struct gm_embed_input){enc->position, rows};
    if (c->types)
        in[n++] = (struct gm_embed_input){enc->type, c->types > 1 ? b->types : NULL};
    if (enc->has_extra)
        in[n++] = (struct gm_embed_input){enc->extra, b->extra};
    GM_TRY(gm_op_embed(g, in, n, b->n_tokens, x, err));
    GM_TRY(gm_op_layernorm(g, *x, NULL, 0, enc->norm.w, enc->norm.b, c->norm_eps, x, err));
    GM_TRY(gm_op_dropout(g, *x, c->hidden_dropout, x, err));
    if (c->width != c->hidden)
        st = gm_op_linear(g, *x, enc->project.w, enc->project.b, x, err);
done:
    return st;
}

enum gm_status gm_encoder_forward(const struct gm_encoder *enc, struct gm_graph *g,
                                  const struct gm_batch *b, struct gm_var **hidden,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder_config *c = &enc->config;
    struct layers l = {.enc = enc, .b = b, .longest = gm_longest_sequence(b->offsets, b->n_seqs)};
    struct gm_var *x, *keep;
    GM_TRY(check_ids(c, b, err));
    GM_TRY(embed(enc, g, b, &x, err));
    GM_TRY(begin_distances(&l, g, err));
    GM_TRY(begin_angles(&l, g, err));
    GM_TRY(gm_graph_var(g, &keep, x->rows, x->cols, err));
    for (size_t i = 0; i < c->layers; i++) {
        struct gm_workspace_mark mark = gm_workspace_mark(g->ws);
        struct gm_var *y;
        GM_TRY(c->rotary ? gated_layer(&l, i, g, x, &y, err) : layer(&l, i, g, x, &y, err));
        if (i == 0 && c->conv_kernel)
            GM_TRY(convolve(&l, g, x, &y, err));
        if (!g->training) { /* only the layer's result lives on */
            memcpy(keep->x, y->x, x->rows * x->cols * gm_dtype_size(g->dtype));
            x = keep;
            gm_workspace_rewind(g->ws, mark);
        } else {
            x = y;
        }
    }
    if (c->names->final_norm)
        GM_TRY(gm_op_layernorm(g, x, NULL, 0, enc->final_norm.w, enc->final_norm.b, c->norm_eps, &x,
                               err));
    *hidden = x;
done:
    return st;
}
