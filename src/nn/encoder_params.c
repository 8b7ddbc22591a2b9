/* encoder_params.c - the rows of the table of parameters that an encoder has, under its family's names. */
#include "nn/encoder.h"

#include <stdio.h>

enum { MAX_NAME = 160 };

/* A family's tensors and those of layer `layer` begin with what `prefix` holds. */
struct adding {
    struct gm_params *ps;
    char prefix[64];
};

static enum gm_status add_vector(struct adding *a, size_t *index, size_t n, const char *name,
                                 const char *end, struct gm_error *err)
{
    return gm_params_add(a->ps, index, GM_VECTOR, n, 0, err, "%s%s%s", a->prefix, name, end);
}

static enum gm_status add_bias(struct adding *a, bool has_bias, size_t *index, size_t n,
                               const char *name, struct gm_error *err)
{
    return has_bias ? add_vector(a, index, n, name, ".bias", err)
                    : gm_params_add_zeros(a->ps, index, n, err);
}

static enum gm_status add_linear(struct adding *a, bool has_bias, struct gm_weights *w, size_t out,
                                 size_t in, const char *name, struct gm_error *err)
{
    enum gm_status st =
        gm_params_add(a->ps, &w->w, GM_MATRIX, out, in, err, "%s%s.weight", a->prefix, name);
    return st == GM_OK ? add_bias(a, has_bias, &w->b, out, name, err) : st;
}

static enum gm_status add_norm(struct adding *a, bool has_bias, struct gm_weights *w, size_t n,
                               const char *name, struct gm_error *err)
{
    enum gm_status st = add_vector(a, &w->w, n, name, ".weight", err);
    return st == GM_OK ? add_bias(a, has_bias, &w->b, n, name, err) : st;
}

/* query, key and value as one matrix, so that one product makes all three. */
static enum gm_status add_qkv(struct adding *a, const struct gm_encoder_names *names,
                              struct gm_weights *w, size_t hidden, struct gm_error *err)
{
    const char *parts[3] = {names->q, names->k, names->v};
    char text[6][MAX_NAME];
    const char *tensors[2][3];
    if (names->qkv)
        return add_linear(a, false, w, 3 * hidden, hidden, names->qkv, err);
    for (size_t i = 0; i < 6; i++) {
        snprintf(text[i], sizeof text[i], "%s%s.%s", a->prefix, parts[i % 3],
                 i < 3 ? "weight" : "bias");
        tensors[i / 3][i % 3] = text[i];
    }
    enum gm_status st =
        gm_params_add_parts(a->ps, &w->w, GM_MATRIX, hidden, hidden, tensors[0], err);
    return st != GM_OK ? st
                       : gm_params_add_parts(a->ps, &w->b, GM_VECTOR, hidden, 0, tensors[1], err);
}

static enum gm_status add_layer(struct adding *a, struct gm_encoder *enc, size_t i,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder_config *c = &enc->config;
    const struct gm_encoder_names *n = c->names;
    bool bias = !c->rotary;
    size_t h = c->hidden, up = c->rotary ? 2 * c->intermediate : c->intermediate;
    size_t rest = i;
    char number[24], *at = number + sizeof number;
    for (*--at = '\0'; rest || !*at; rest /= 10) /* the name's one %zu */
        *--at = (char)('0' + rest % 10);
    const char *percent = strstr(n->layer, "%zu");
    snprintf(a->prefix, sizeof a->prefix, "%.*s%s%s", (int)(percent - n->layer), n->layer, at,
             percent + 3);
    enc->layer[i].first = a->ps->n;
    GM_TRY(add_qkv(a, n, &enc->layer[i].qkv, h, err));
    GM_TRY(add_linear(a, bias, &enc->layer[i].out, h, h, n->out, err));
    if (!c->rotary || i > 0) /* the first of ModernBERT's layers has none */
        GM_TRY(add_norm(a, bias, &enc->layer[i].norm1, h, n->norm1, err));
    GM_TRY(add_linear(a, bias, &enc->layer[i].up, up, h, n->up, err));
    GM_TRY(add_linear(a, bias, &enc->layer[i].down, h, c->intermediate, n->down, err));
    GM_TRY(add_norm(a, bias, &enc->layer[i].norm2, h, n->norm2, err));
    if (c->to_position && !c->shared_rel)
        GM_TRY(add_linear(a, true, &enc->layer[i].rel_k, h, h, n->rel_k, err));
    if (c->from_position && !c->shared_rel)
        GM_TRY(add_linear(a, true, &enc->layer[i].rel_q, h, h, n->rel_q, err));
done:
    return st;
}

/* The convolution beside the first layer, whose parameters are that layer's. */
static enum gm_status add_convolution(struct adding *a, struct gm_encoder *enc,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder_config *c = &enc->config;
    const struct gm_encoder_names *n = c->names;
    char name[MAX_NAME];
    if (!c->conv_kernel)
        return GM_OK;
    a->prefix[0] = '\0';
    snprintf(name, sizeof name, "%s.weight", n->conv);
    GM_TRY(gm_params_add_conv(a->ps, &enc->conv.w, c->hidden, c->hidden / c->conv_groups,
                              c->conv_kernel, name, err));
    GM_TRY(add_vector(a, &enc->conv.b, c->hidden, n->conv, ".bias", err));
    st = add_norm(a, true, &enc->conv_norm, c->hidden, n->conv_norm, err);
done:
    return st;
}

static enum gm_status add_embeddings(struct adding *a, struct gm_encoder *enc,
                                     const char *extra_name, size_t extra_rows,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder_config *c = &enc->config;
    const struct gm_encoder_names *n = c->names;
    size_t rows = c->positions + c->position_offset;
    GM_TRY(gm_params_add(a->ps, &enc->word, GM_EMBEDDING, c->vocab, c->width, err, "%s", n->word));
    if (c->has_positions)
        GM_TRY(gm_params_add(a->ps, &enc->position, GM_EMBEDDING, rows, c->width, err, "%s",
                             n->position));
    if (c->types)
        GM_TRY(
            gm_params_add(a->ps, &enc->type, GM_EMBEDDING, c->types, c->width, err, "%s", n->type));
    if (extra_rows)
        GM_TRY(gm_params_add(a->ps, &enc->extra, GM_EMBEDDING, extra_rows, c->width, err, "%s",
                             extra_name));
    GM_TRY(add_norm(a, !c->rotary, &enc->norm, c->width, n->norm, err));
    if (c->width != c->hidden)
        GM_TRY(add_linear(a, true, &enc->project, c->hidden, c->width, n->project, err));
    if (c->buckets)
        GM_TRY(gm_params_add(a->ps, &enc->table, GM_VECTOR, c->buckets, c->heads, err, "%s",
                             n->table));
    if (c->span)
        GM_TRY(gm_params_add(a->ps, &enc->rel, GM_EMBEDDING, 2 * c->span, c->hidden, err, "%s",
                             n->rel));
    if (c->rel_normed)
        GM_TRY(add_norm(a, true, &enc->rel_norm, c->hidden, n->rel_norm, err));
done:
    return st;
}

enum gm_status gm_encoder_init(struct gm_encoder *enc, const struct gm_encoder_config *config,
                               struct gm_params *ps, const char *extra_name, size_t extra_rows,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct adding a = {.ps = ps};
    *enc = (struct gm_encoder){.config = *config, .has_extra = extra_rows > 0};
    GM_TRY(add_embeddings(&a, enc, extra_name, extra_rows, err));
    for (size_t i = 0; i < config->layers; i++) {
        GM_TRY(add_layer(&a, enc, i, err));
        if (i == 0)
            GM_TRY(add_convolution(&a, enc, err));
    }
    enc->layer[config->layers].first = ps->n;
    a.prefix[0] = '\0';
    if (config->names->final_norm)
        st = add_norm(&a, false, &enc->final_norm, config->hidden, config->names->final_norm, err);
done:
    return st;
}

size_t gm_encoder_layer_of(const struct gm_encoder *enc, size_t index)
{
    for (size_t i = 0; i < enc->config.layers; i++)
        if (index >= enc->layer[i].first && index < enc->layer[i + 1].first)
            return i;
    return SIZE_MAX;
}
