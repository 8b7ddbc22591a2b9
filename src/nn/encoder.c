/* encoder.c - BERT's encoder over a packed batch: the pieces of all sequences end to end, N rows
 * of width H, without padding between them.
 *
 *   x[i] = LN(W[id_i] + P[position_i] + S[type_i] + X[extra_i])       embeddings, [N][H]
 *   for each layer:
 *     [q k v] = x Wqkv' + bqkv                                        [N][3H]: q, k, v
 *     x = LN(x + attention(q, k, v) Wo' + bo)
 *     x = LN(x + gelu(x Wup' + bup) Wdown' + bdown)                   Wup [inner][H]
 *
 * with dropout on the embeddings, on attention's probabilities and on what is added to x, in
 * training only. RoBERTa is the same but for where positions start. Source: Vaswani et al. 2017;
 * Devlin et al., NAACL 2019; Liu et al. 2019 (RoBERTa); names and defaults of transformers'
 * BertModel. Reference: transformers itself, tests/ref/encoder_reference.py (tiny models whose
 * states and gradients tests/unit/test_nn_encoder.c compares with) and encoder_live.sh (whole
 * ones). */
#include "nn/encoder.h"

#include "base/file.h"
#include "base/json.h"

#include <stdio.h>

enum { MAX_CONFIG_BYTES = 4 << 20 };

/* A whole number in [min, max]; `*out` stays when the key is absent and not required. */
static enum gm_status number(const struct gm_json *j, const char *path, const char *key,
                             bool required, long long min, long long max, size_t *out,
                             struct gm_error *err)
{
    long long x;
    const struct gm_json *v = gm_json_get(j, key);
    if (!v && !required)
        return GM_OK;
    if (!gm_json_int(v, &x))
        return GM_FAIL(err, GM_EMODEL, "%s: \"%s\" must be a whole number from %lld to %lld", path,
                       key, min, max);
    if (x < min || x > max)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: \"%s\" must be a whole number from %lld to %lld, not %lld", path, key,
                       min, max, x);
    *out = (size_t)x;
    return GM_OK;
}

static enum gm_status fraction(const struct gm_json *j, const char *path, const char *key,
                               double fallback, double max, double *out, struct gm_error *err)
{
    const struct gm_json *v = gm_json_get(j, key);
    *out = fallback;
    if (v && (!gm_json_num(v, out) || !(*out >= 0) || *out > max))
        return GM_FAIL(err, GM_EMODEL, "%s: \"%s\" must be a number from 0 to %g", path, key, max);
    return GM_OK;
}

/* The families: how a config.json names them. */
static const struct {
    const char *model_type;
    bool offset;   /* positions start behind the padding id */
    long long pad; /* the padding id where the file has none */
} families[] = {{"bert", false, 0}, {"roberta", true, 1}, {"xlm-roberta", true, 1}};

/* A member that must have one value, if it is there at all. */
static enum gm_status only(const struct gm_json *j, const char *path, const char *key,
                           const char *value, struct gm_error *err)
{
    struct gm_str have = gm_str(value);
    gm_json_str(gm_json_get(j, key), &have);
    return gm_str_eq_c(have, value)
               ? GM_OK
               : GM_FAIL(err, GM_EMODEL, "%s: %s \"%.*s\" is not supported (%s is)", path, key,
                         GM_STR_ARG(have), value);
}

static enum gm_status check_kind(const struct gm_json *j, const char *path, size_t *family,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = sizeof families / sizeof *families;
    struct gm_str type = {0};
    bool on = false;
    gm_json_str(gm_json_get(j, "model_type"), &type);
    for (*family = 0; *family < n && !gm_str_eq_c(type, families[*family].model_type);)
        ++*family;
    if (*family == n) {
        char known[200] = "";
        for (size_t i = 0, at = 0; i < n && at < sizeof known; i++)
            at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
                                   families[i].model_type);
        return GM_FAIL(err, GM_EMODEL, "%s: model_type \"%.*s\" is not supported; known: %s", path,
                       GM_STR_ARG(type), known);
    }
    GM_TRY(only(j, path, "hidden_act", "gelu", err));
    GM_TRY(only(j, path, "position_embedding_type", "absolute", err));
    static const char *const off[] = {"is_decoder", "add_cross_attention"};
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        if (gm_json_bool(gm_json_get(j, off[i]), &on) && on)
            return GM_FAIL(err, GM_EMODEL, "%s: %s true is not supported", path, off[i]);
done:
    return st;
}

/* Where positions start, and how many are left for tokens. */
static enum gm_status read_positions(const struct gm_json *j, const char *path, size_t family,
                                     struct gm_encoder_config *c, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *pad = gm_json_get(j, "pad_token_id");
    c->pad = (size_t)families[family].pad;
    if (gm_json_kind(pad) != GM_JSON_NULL)
        GM_TRY(number(j, path, "pad_token_id", false, 0, (long long)c->vocab - 1, &c->pad, err));
    c->position_offset = families[family].offset ? c->pad + 1 : 0;
    GM_TRY(number(j, path, "max_position_embeddings", true, (long long)c->position_offset + 8,
                  1 << 20, &c->positions, err));
    c->positions -= c->position_offset;
done:
    return st;
}

enum gm_status gm_encoder_config_load(struct gm_encoder_config *out, const char *path,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct gm_encoder_config c = {.types = 2};
    size_t family;
    GM_TRY(gm_path_reach(path, err));
    if (!gm_is_file(path))
        return GM_FAIL(err, GM_EMODEL, "%s: no such file; a model directory needs it", path);
    GM_TRY(gm_json_load(&j, path, MAX_CONFIG_BYTES, err));
    GM_TRY(check_kind(j, path, &family, err));
    GM_TRY(number(j, path, "vocab_size", true, 1, 1 << 24, &c.vocab, err));
    GM_TRY(number(j, path, "hidden_size", true, 1, GM_HIDDEN_MAX, &c.hidden, err));
    GM_TRY(number(j, path, "num_hidden_layers", true, 1, GM_ENCODER_MAX_LAYERS, &c.layers, err));
    GM_TRY(number(j, path, "num_attention_heads", true, 1, 1024, &c.heads, err));
    GM_TRY(number(j, path, "intermediate_size", true, 1, 1 << 20, &c.intermediate, err));
    GM_TRY(read_positions(j, path, family, &c, err));
    GM_TRY(number(j, path, "type_vocab_size", false, 1, 1 << 10, &c.types, err));
    GM_TRY(fraction(j, path, "layer_norm_eps", 1e-12, 1, &c.norm_eps, err));
    GM_TRY(fraction(j, path, "hidden_dropout_prob", 0.1, 0.95, &c.hidden_dropout, err));
    GM_TRY(fraction(j, path, "attention_probs_dropout_prob", 0.1, 0.95, &c.attention_dropout, err));
    if (c.hidden % c.heads) {
        st =
            GM_FAIL(err, GM_EMODEL, "%s: hidden_size %zu is no multiple of num_attention_heads %zu",
                    path, c.hidden, c.heads);
        goto done;
    }
    *out = c;
done:
    gm_json_free(j);
    return st;
}

static enum gm_status linear_params(struct gm_params *ps, size_t *w, size_t *b, size_t out,
                                    size_t in, size_t layer, const char *name, struct gm_error *err)
{
    enum gm_status st =
        gm_params_add(ps, w, GM_MATRIX, out, in, err, "encoder.layer.%zu.%s.weight", layer, name);
    return st != GM_OK ? st
                       : gm_params_add(ps, b, GM_VECTOR, out, 0, err, "encoder.layer.%zu.%s.bias",
                                       layer, name);
}

static enum gm_status norm_params(struct gm_params *ps, size_t *g, size_t *b, size_t n,
                                  size_t layer, const char *name, struct gm_error *err)
{
    enum gm_status st =
        gm_params_add(ps, g, GM_VECTOR, n, 0, err, "encoder.layer.%zu.%s.weight", layer, name);
    return st != GM_OK ? st
                       : gm_params_add(ps, b, GM_VECTOR, n, 0, err, "encoder.layer.%zu.%s.bias",
                                       layer, name);
}

/* query, key and value as one matrix, so that one product makes all three. */
static enum gm_status qkv_params(struct gm_params *ps, size_t *w, size_t *b, size_t hidden,
                                 size_t layer, struct gm_error *err)
{
    static const char *const parts[3] = {"query", "key", "value"};
    char text[6][96];
    const char *names[2][3];
    for (size_t i = 0; i < 6; i++) {
        snprintf(text[i], sizeof text[i], "encoder.layer.%zu.attention.self.%s.%s", layer,
                 parts[i % 3], i < 3 ? "weight" : "bias");
        names[i / 3][i % 3] = text[i];
    }
    enum gm_status st = gm_params_add_parts(ps, w, GM_MATRIX, hidden, hidden, names[0], err);
    return st != GM_OK ? st : gm_params_add_parts(ps, b, GM_VECTOR, hidden, 0, names[1], err);
}

enum gm_status gm_encoder_init(struct gm_encoder *enc, const struct gm_encoder_config *config,
                               struct gm_params *ps, const char *extra_name, size_t extra_rows,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t h = config->hidden;
    *enc = (struct gm_encoder){.config = *config, .has_extra = extra_rows > 0};
    GM_TRY(gm_params_add(ps, &enc->word, GM_EMBEDDING, config->vocab, h, err,
                         "embeddings.word_embeddings.weight"));
    GM_TRY(gm_params_add(ps, &enc->position, GM_EMBEDDING,
                         config->positions + config->position_offset, h, err,
                         "embeddings.position_embeddings.weight"));
    GM_TRY(gm_params_add(ps, &enc->type, GM_EMBEDDING, config->types, h, err,
                         "embeddings.token_type_embeddings.weight"));
    if (extra_rows)
        GM_TRY(gm_params_add(ps, &enc->extra, GM_EMBEDDING, extra_rows, h, err, "%s", extra_name));
    GM_TRY(gm_params_add(ps, &enc->norm_g, GM_VECTOR, h, 0, err, "embeddings.LayerNorm.weight"));
    GM_TRY(gm_params_add(ps, &enc->norm_b, GM_VECTOR, h, 0, err, "embeddings.LayerNorm.bias"));
    for (size_t i = 0; i < config->layers; i++) {
        size_t mid = config->intermediate;
        GM_TRY(qkv_params(ps, &enc->layer[i].qkv_w, &enc->layer[i].qkv_b, h, i, err));
        GM_TRY(linear_params(ps, &enc->layer[i].out_w, &enc->layer[i].out_b, h, h, i,
                             "attention.output.dense", err));
        GM_TRY(norm_params(ps, &enc->layer[i].norm1_g, &enc->layer[i].norm1_b, h, i,
                           "attention.output.LayerNorm", err));
        GM_TRY(linear_params(ps, &enc->layer[i].up_w, &enc->layer[i].up_b, mid, h, i,
                             "intermediate.dense", err));
        GM_TRY(linear_params(ps, &enc->layer[i].down_w, &enc->layer[i].down_b, h, mid, i,
                             "output.dense", err));
        GM_TRY(norm_params(ps, &enc->layer[i].norm2_g, &enc->layer[i].norm2_b, h, i,
                           "output.LayerNorm", err));
    }
done:
    return st;
}

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

/* One layer: x = LN(x + attention(x)); x = LN(x + down(gelu(up(x)))). */
static enum gm_status layer(const struct gm_encoder *enc, size_t i, struct gm_graph *g,
                            const struct gm_batch *b, struct gm_var *x, struct gm_var **out,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder_config *c = &enc->config;
    struct gm_var *y, *mid;
    GM_TRY(gm_op_linear(g, x, enc->layer[i].qkv_w, enc->layer[i].qkv_b, &y, err));
    GM_TRY(gm_op_attention(g, y, b->offsets, b->n_seqs, c->heads, c->attention_dropout, &y, err));
    GM_TRY(gm_op_linear(g, y, enc->layer[i].out_w, enc->layer[i].out_b, &y, err));
    GM_TRY(gm_op_layernorm(g, y, x, c->hidden_dropout, enc->layer[i].norm1_g, enc->layer[i].norm1_b,
                           c->norm_eps, &mid, err));
    GM_TRY(gm_op_linear_gelu(g, mid, enc->layer[i].up_w, enc->layer[i].up_b, &y, err));
    GM_TRY(gm_op_linear(g, y, enc->layer[i].down_w, enc->layer[i].down_b, &y, err));
    GM_TRY(gm_op_layernorm(g, y, mid, c->hidden_dropout, enc->layer[i].norm2_g,
                           enc->layer[i].norm2_b, c->norm_eps, out, err));
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

enum gm_status gm_encoder_forward(const struct gm_encoder *enc, struct gm_graph *g,
                                  const struct gm_batch *b, struct gm_var **hidden,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_encoder_config *c = &enc->config;
    struct gm_var *x, *keep;
    const uint32_t *rows;
    GM_TRY(check_ids(c, b, err));
    GM_TRY(position_rows(c, g, b, &rows, err));
    struct gm_embed_input in[4] = {
        {enc->word, b->ids},
        {enc->position, rows},
        {enc->type, c->types > 1 ? b->types : NULL},
        {enc->extra, b->extra},
    };
    GM_TRY(gm_op_embed(g, in, enc->has_extra ? 4 : 3, b->n_tokens, &x, err));
    GM_TRY(gm_op_layernorm(g, x, NULL, 0, enc->norm_g, enc->norm_b, c->norm_eps, &x, err));
    GM_TRY(gm_op_dropout(g, x, c->hidden_dropout, &x, err));
    GM_TRY(gm_graph_var(g, &keep, x->rows, x->cols, err));
    for (size_t i = 0; i < c->layers; i++) {
        struct gm_workspace_mark mark = gm_workspace_mark(g->ws);
        struct gm_var *y;
        GM_TRY(layer(enc, i, g, b, x, &y, err));
        if (!g->training) { /* only the layer's result lives on */
            memcpy(keep->x, y->x, x->rows * x->cols * gm_dtype_size(g->dtype));
            x = keep;
            gm_workspace_rewind(g->ws, mark);
        } else {
            x = y;
        }
    }
    *hidden = x;
done:
    return st;
}
