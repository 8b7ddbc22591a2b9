/* encoder_config.c - one table of families, and what each says in config.json. Keys, defaults and names of
 * tensors are transformers'. Reference: transformers itself, on a random model of each family
 * (tests/ref/encoder_reference.py). */
#include "nn/encoder_config.h"

#include "base/file.h"
#include "base/json.h"

#include <stdio.h>

enum { MAX_CONFIG_BYTES = 4 << 20 };

/* What BERT's relatives say in their files, and the one thing that each has of its own. */
struct keys {
    const char *hidden, *layers, *heads, *intermediate, *activation, *hidden_dropout,
        *attention_dropout, *eps;
};
static const struct keys bert_keys = {
    "hidden_size", "num_hidden_layers",   "num_attention_heads",          "intermediate_size",
    "hidden_act",  "hidden_dropout_prob", "attention_probs_dropout_prob", "layer_norm_eps"};
static const struct keys distilbert_keys = {
    "dim", "n_layers", "n_heads", "hidden_dim", "activation", "dropout", "attention_dropout", NULL};
static const struct keys modernbert_keys = {
    "hidden_size",       "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "hidden_activation", "mlp_dropout",       "attention_dropout",   "norm_eps"};

struct source {
    const struct gm_json *j;
    const char *path;
};

/* A whole number in [min, max]; `*out` stays when the key is absent or null and not required. */
static enum gm_status number(const struct source *s, const char *key, bool required, long long min,
                             long long max, size_t *out, struct gm_error *err)
{
    long long x;
    const struct gm_json *v = gm_json_get(s->j, key);
    if ((!v || gm_json_kind(v) == GM_JSON_NULL) && !required)
        return GM_OK;
    if (!gm_json_int(v, &x))
        return GM_FAIL(err, GM_EMODEL, "%s: \"%s\" must be a whole number from %lld to %lld",
                       s->path, key, min, max);
    if (x < min || x > max)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: \"%s\" must be a whole number from %lld to %lld, not %lld", s->path,
                       key, min, max, x);
    *out = (size_t)x;
    return GM_OK;
}

/* A whole number that must have one value, if it is there at all. */
static enum gm_status must_be(const struct source *s, const char *key, size_t value,
                              struct gm_error *err)
{
    size_t have = value;
    enum gm_status st = number(s, key, false, 0, 1 << 24, &have, err);
    return st != GM_OK || have == value
               ? st
               : GM_FAIL(err, GM_EMODEL, "%s: %s %zu is not supported (%zu is)", s->path, key, have,
                         value);
}

/* A number in [0, max]; `*out` stays when the key is absent or null. */
static enum gm_status real(const struct source *s, const char *key, double max, double *out,
                           struct gm_error *err)
{
    const struct gm_json *v = key ? gm_json_get(s->j, key) : NULL;
    if (v && gm_json_kind(v) != GM_JSON_NULL &&
        (!gm_json_num(v, out) || !(*out >= 0) || *out > max))
        return GM_FAIL(err, GM_EMODEL, "%s: \"%s\" must be a number from 0 to %g", s->path, key,
                       max);
    return GM_OK;
}

static bool truth(const struct source *s, const char *key, bool fallback)
{
    bool on = fallback;
    gm_json_bool(gm_json_get(s->j, key), &on);
    return on;
}

/* A member that must have one value, if it is there at all. */
static enum gm_status only(const struct source *s, const char *key, const char *value,
                           struct gm_error *err)
{
    struct gm_str have = gm_str(value);
    gm_json_str(gm_json_get(s->j, key), &have);
    return gm_str_eq_c(have, value)
               ? GM_OK
               : GM_FAIL(err, GM_EMODEL, "%s: %s \"%.*s\" is not supported (%s is)", s->path, key,
                         GM_STR_ARG(have), value);
}

static enum gm_status never(const struct source *s, const char *key, struct gm_error *err)
{
    return truth(s, key, false)
               ? GM_FAIL(err, GM_EMODEL, "%s: %s true is not supported", s->path, key)
               : GM_OK;
}

bool gm_activation_parse(struct gm_str name, enum gm_activation *out)
{
    static const struct {
        const char *name;
        enum gm_activation f;
    } known[] = {{"gelu", GM_GELU},
                 {"gelu_python", GM_GELU},
                 {"gelu_new", GM_GELU_TANH},
                 {"gelu_fast", GM_GELU_TANH},
                 {"gelu_pytorch_tanh", GM_GELU_TANH},
                 {"gelu_python_tanh", GM_GELU_TANH},
                 {"gelu_accurate", GM_GELU_TANH},
                 {"quick_gelu", GM_QUICK_GELU},
                 {"silu", GM_SILU},
                 {"swish", GM_SILU},
                 {"relu", GM_RELU},
                 {"tanh", GM_TANH}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (gm_str_eq_c(name, known[i].name)) {
            *out = known[i].f;
            return true;
        }
    return false;
}

static enum gm_status read_activation(const struct source *s, const char *key, const char *fallback,
                                      enum gm_activation *out, struct gm_error *err)
{
    struct gm_str name = gm_str(fallback);
    gm_json_str(gm_json_get(s->j, key), &name);
    return gm_activation_parse(name, out)
               ? GM_OK
               : GM_FAIL(err, GM_EMODEL,
                         "%s: %s \"%.*s\" is not supported (gelu, gelu_new, quick_gelu, silu, relu "
                         "and tanh are)",
                         s->path, key, GM_STR_ARG(name));
}

/* Sizes, rates and the activation, under the family's keys. */
static enum gm_status read_common(const struct source *s, const struct keys *k,
                                  struct gm_encoder_config *c, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(number(s, "vocab_size", true, 1, 1 << 24, &c->vocab, err));
    GM_TRY(number(s, k->hidden, true, 1, GM_HIDDEN_MAX, &c->hidden, err));
    GM_TRY(number(s, k->layers, true, 1, GM_ENCODER_MAX_LAYERS, &c->layers, err));
    GM_TRY(number(s, k->heads, true, 1, 1024, &c->heads, err));
    GM_TRY(number(s, k->intermediate, true, 1, 1 << 20, &c->intermediate, err));
    GM_TRY(read_activation(s, k->activation, "gelu", &c->activation, err));
    GM_TRY(real(s, k->eps, 1, &c->norm_eps, err));
    GM_TRY(real(s, k->hidden_dropout, 0.95, &c->hidden_dropout, err));
    GM_TRY(real(s, k->attention_dropout, 0.95, &c->attention_dropout, err));
    if (c->hidden % c->heads)
        st = GM_FAIL(err, GM_EMODEL, "%s: %s %zu is no multiple of %s %zu", s->path, k->hidden,
                     c->hidden, k->heads, c->heads);
    c->width = c->hidden;
done:
    return st;
}

/* Where positions start, and how many are left for tokens; `pad` is the padding id where the file has
 * none at `key` (NULL: whatever it says). */
static enum gm_status read_positions(const struct source *s, bool offset, const char *key,
                                     size_t pad, struct gm_encoder_config *c, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    c->pad = pad;
    if (key)
        GM_TRY(number(s, key, false, 0, (long long)c->vocab - 1, &c->pad, err));
    c->position_offset = offset ? c->pad + 1 : 0;
    GM_TRY(number(s, "max_position_embeddings", true, (long long)c->position_offset + 8, 1 << 20,
                  &c->positions, err));
    c->positions -= c->position_offset;
    c->has_positions = true;
done:
    return st;
}

static enum gm_status read_bert(const struct source *s, struct gm_encoder_config *c,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    c->names = &gm_names_bert;
    c->types = 2;
    GM_TRY(only(s, "position_embedding_type", "absolute", err));
    GM_TRY(never(s, "is_decoder", err));
    GM_TRY(never(s, "add_cross_attention", err));
    GM_TRY(read_common(s, &bert_keys, c, err));
    GM_TRY(read_positions(s, false, "pad_token_id", 0, c, err));
    GM_TRY(number(s, "type_vocab_size", false, 1, 1 << 10, &c->types, err));
done:
    return st;
}

static enum gm_status read_roberta(const struct source *s, struct gm_encoder_config *c,
                                   struct gm_error *err)
{
    enum gm_status st = read_bert(s, c, err);
    return st == GM_OK ? read_positions(s, true, "pad_token_id", 1, c, err) : st;
}

static enum gm_status read_electra(const struct source *s, struct gm_encoder_config *c,
                                   struct gm_error *err)
{
    enum gm_status st = read_bert(s, c, err);
    c->width = 128;
    return st == GM_OK ? number(s, "embedding_size", false, 1, GM_HIDDEN_MAX, &c->width, err) : st;
}

static enum gm_status read_distilbert(const struct source *s, struct gm_encoder_config *c,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    c->names = &gm_names_distilbert;
    GM_TRY(read_common(s, &distilbert_keys, c, err));
    st = read_positions(s, false, "pad_token_id", 0, c, err);
done:
    return st;
}

static enum gm_status read_mpnet(const struct source *s, struct gm_encoder_config *c,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    c->names = &gm_names_mpnet;
    c->buckets = 32;
    GM_TRY(read_common(s, &bert_keys, c, err));
    GM_TRY(read_positions(s, true, NULL, 1, c, err));
    st = must_be(s, "relative_attention_num_buckets", c->buckets, err);
done:
    return st;
}

/* Which terms the scores have; "c2p|p2c", or a list of the two. */
static enum gm_status read_terms(const struct source *s, struct gm_encoder_config *c,
                                 struct gm_error *err)
{
    const struct gm_json *v = gm_json_get(s->j, "pos_att_type");
    struct gm_str text = {0}, term = {0};
    size_t n = gm_json_count(v);
    gm_json_str(v, &text);
    for (size_t i = 0; text.n || i < n; i++) {
        if (text.n)
            gm_str_cut(text, '|', &term, &text);
        else
            gm_json_str(gm_json_at(v, i), &term);
        if (gm_str_eq_c(term, "c2p"))
            c->to_position = true;
        else if (gm_str_eq_c(term, "p2c"))
            c->from_position = true;
        else
            return GM_FAIL(err, GM_EMODEL,
                           "%s: pos_att_type \"%.*s\" is not supported (c2p and p2c are)", s->path,
                           GM_STR_ARG(term));
    }
    return GM_OK;
}

static enum gm_status read_distances(const struct source *s, struct gm_encoder_config *c,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str norm = {0};
    long long n = -1;
    if (!truth(s, "relative_attention", false))
        return GM_OK;
    c->max_distance = c->positions;
    if (gm_json_int(gm_json_get(s->j, "max_relative_positions"), &n) && n >= 1)
        GM_TRY(number(s, "max_relative_positions", false, 1, 1 << 16, &c->max_distance, err));
    c->span = c->max_distance;
    n = -1;
    c->bucketed = gm_json_int(gm_json_get(s->j, "position_buckets"), &n) && n > 0;
    if (c->bucketed)
        GM_TRY(number(s, "position_buckets", false, 4, 1 << 14, &c->span, err));
    c->shared_rel = truth(s, "share_att_key", false);
    if (gm_json_str(gm_json_get(s->j, "norm_rel_ebd"), &norm) && !gm_str_eq_c(norm, "none"))
        GM_TRY(only(s, "norm_rel_ebd", "layer_norm", err));
    c->rel_normed = gm_str_eq_c(norm, "layer_norm");
    st = read_terms(s, c, err);
done:
    return st;
}

/* A kernel of an even size would give one row too few, and transformers fails, too. */
static enum gm_status read_convolution(const struct source *s, struct gm_encoder_config *c,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(number(s, "conv_kernel_size", false, 0, 99, &c->conv_kernel, err));
    if (!c->conv_kernel)
        return GM_OK;
    c->conv_groups = 1;
    GM_TRY(number(s, "conv_groups", false, 1, GM_HIDDEN_MAX, &c->conv_groups, err));
    if (c->conv_kernel % 2 == 0)
        st =
            GM_FAIL(err, GM_EMODEL, "%s: conv_kernel_size %zu is not odd", s->path, c->conv_kernel);
    else if (c->hidden % c->conv_groups)
        st = GM_FAIL(err, GM_EMODEL, "%s: hidden_size %zu is no multiple of conv_groups %zu",
                     s->path, c->hidden, c->conv_groups);
    else
        st = read_activation(s, "conv_act", "tanh", &c->conv_activation, err);
done:
    return st;
}

static enum gm_status read_deberta(const struct source *s, struct gm_encoder_config *c,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    c->names = &gm_names_deberta;
    c->norm_eps = 1e-7;
    GM_TRY(read_common(s, &bert_keys, c, err));
    GM_TRY(read_positions(s, false, "pad_token_id", 0, c, err));
    c->has_positions = truth(s, "position_biased_input", true);
    GM_TRY(number(s, "type_vocab_size", false, 0, 1 << 10, &c->types, err));
    GM_TRY(read_convolution(s, c, err));
    GM_TRY(must_be(s, "attention_head_size", c->hidden / c->heads, err));
    GM_TRY(must_be(s, "embedding_size", c->hidden, err));
    st = read_distances(s, c, err);
done:
    return st;
}

/* The base of the angles of one kind of layer: under a key of its own, or in rope_parameters. */
static enum gm_status read_theta(const struct source *s, const char *key, const char *kind,
                                 double *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *rope = gm_json_get(gm_json_get(s->j, "rope_parameters"), kind);
    struct source inner = {rope, s->path};
    GM_TRY(real(s, key, 1e12, out, err));
    if (rope) {
        GM_TRY(real(&inner, "rope_theta", 1e12, out, err));
        GM_TRY(only(&inner, "rope_type", "default", err));
    }
    if (*out < 1)
        st = GM_FAIL(err, GM_EMODEL, "%s: \"%s\" must be 1 or more", s->path, key);
done:
    return st;
}

/* Which layers see a window only: by a list, or all but every n-th. */
static enum gm_status read_layer_types(const struct source *s, struct gm_encoder_config *c,
                                       struct gm_error *err)
{
    const struct gm_json *list = gm_json_get(s->j, "layer_types");
    size_t every = 3;
    enum gm_status st =
        number(s, "global_attn_every_n_layers", false, 1, GM_ENCODER_MAX_LAYERS, &every, err);
    if (st == GM_OK && gm_json_count(list) && gm_json_count(list) != c->layers)
        st = GM_FAIL(err, GM_EMODEL, "%s: layer_types has %zu entries for num_hidden_layers %zu",
                     s->path, gm_json_count(list), c->layers);
    for (size_t i = 0; i < c->layers && st == GM_OK; i++) {
        struct gm_str type = i % every ? GM_STR("sliding_attention") : GM_STR("full_attention");
        if (gm_json_count(list))
            gm_json_str(gm_json_at(list, i), &type);
        c->is_near[i] = gm_str_eq_c(type, "sliding_attention");
        if (!c->is_near[i] && !gm_str_eq_c(type, "full_attention"))
            st = GM_FAIL(err, GM_EMODEL, "%s: layer_types \"%.*s\" is not supported", s->path,
                         GM_STR_ARG(type));
    }
    return st;
}

static enum gm_status read_modernbert(const struct source *s, struct gm_encoder_config *c,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    static const char *const biases[] = {"attention_bias", "mlp_bias", "norm_bias"};
    c->names = &gm_names_modernbert;
    c->norm_eps = 1e-5;
    c->hidden_dropout = c->attention_dropout = 0;
    c->rotary = true;
    c->theta_far = 160000;
    c->theta_near = 10000;
    c->window = 128;
    for (size_t i = 0; i < sizeof biases / sizeof *biases; i++)
        GM_TRY(never(s, biases[i], err));
    GM_TRY(read_common(s, &modernbert_keys, c, err));
    GM_TRY(read_positions(s, false, "pad_token_id", 0, c, err));
    c->has_positions = false;
    GM_TRY(number(s, "local_attention", false, 2, 1 << 20, &c->window, err));
    c->window /= 2;
    size_t head = c->hidden / c->heads;
    GM_TRY(must_be(s, "head_dim", head, err));
    if (head % 2)
        return GM_FAIL(err, GM_EMODEL, "%s: heads of %zu columns, which must be even", s->path,
                       head);
    GM_TRY(read_theta(s, "global_rope_theta", "full_attention", &c->theta_far, err));
    if (gm_json_kind(gm_json_get(s->j, "local_rope_theta")) == GM_JSON_NULL)
        c->theta_near = c->theta_far; /* as transformers 4 reads a null */
    GM_TRY(read_theta(s, "local_rope_theta", "sliding_attention", &c->theta_near, err));
    st = read_layer_types(s, c, err);
done:
    return st;
}

/* The families: how a config.json names them. */
static const struct {
    const char *model_type;
    enum gm_status (*read)(const struct source *s, struct gm_encoder_config *c,
                           struct gm_error *err);
} families[] = {
    {"bert", read_bert},         {"roberta", read_roberta},       {"xlm-roberta", read_roberta},
    {"camembert", read_roberta}, {"distilbert", read_distilbert}, {"electra", read_electra},
    {"mpnet", read_mpnet},       {"deberta-v2", read_deberta},    {"modernbert", read_modernbert}};

static enum gm_status find_family(const struct source *s, size_t *family, struct gm_error *err)
{
    size_t n = sizeof families / sizeof *families, at = 0;
    struct gm_str type = {0};
    char known[200] = "";
    gm_json_str(gm_json_get(s->j, "model_type"), &type);
    for (*family = 0; *family < n && !gm_str_eq_c(type, families[*family].model_type);)
        ++*family;
    if (*family < n)
        return GM_OK;
    for (size_t i = 0; i < n && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
                               families[i].model_type);
    return GM_FAIL(err, GM_EMODEL, "%s: model_type \"%.*s\" is not supported; known: %s", s->path,
                   GM_STR_ARG(type), known);
}

enum gm_status gm_encoder_config_load(struct gm_encoder_config *out, const char *path,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct gm_encoder_config c = {
        .norm_eps = 1e-12, .hidden_dropout = 0.1, .attention_dropout = 0.1};
    size_t family;
    GM_TRY(gm_path_reach(path, err));
    if (!gm_is_file(path))
        return GM_FAIL(err, GM_EMODEL, "%s: no such file; a model directory needs it", path);
    GM_TRY(gm_json_load(&j, path, MAX_CONFIG_BYTES, err));
    struct source s = {j, path};
    GM_TRY(find_family(&s, &family, err));
    GM_TRY(families[family].read(&s, &c, err));
    *out = c;
done:
    gm_json_free(j);
    return st;
}
