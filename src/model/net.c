#include "model/net.h"

#include "base/file.h"
#include "base/path.h"
#include "base/log.h"
#include "base/models.h"
#include "base/sha256.h"
#include "nn/finite.h"
#include "nn/lanes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_JSON = 128 << 20, FINGERPRINT_ROWS = 64 };

/* A short proof that an embedding table is the one a model was trained on: SHA-256 of its shape and
 * of rows spread evenly over it. */
static void fingerprint(const struct gm_tensor *t, char hex[GM_SHA256_HEX])
{
    char rows[FINGERPRINT_ROWS + 1][GM_SHA256_HEX], shape[64];
    size_t bytes = t->shape[1] * gm_dtype_size(t->dtype);
    snprintf(shape, sizeof shape, "%d %zu %zu", (int)t->dtype, t->shape[0], t->shape[1]);
    gm_sha256(gm_str(shape), rows[FINGERPRINT_ROWS]);
    for (size_t i = 0; i < FINGERPRINT_ROWS; i++) {
        size_t row = t->shape[0] * i / FINGERPRINT_ROWS;
        gm_sha256((struct gm_str){(const char *)t->data + row * bytes, bytes}, rows[i]);
    }
    gm_sha256((struct gm_str){rows[0], sizeof rows}, hex);
}

static enum gm_status path_in(struct gm_net *net, const char *name, const char **out,
                              struct gm_error *err)
{
    *out = gm_path_join(&net->arena, net->dir, name);
    return *out ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status read_settings(struct gm_net *net, const char *task, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *path;
    struct gm_str have = {0};
    long long format = 0;
    GM_TRY(path_in(net, "gmner.json", &path, err));
    GM_TRY(gm_path_reach(path, err));
    if (!gm_is_file(path))
        return GM_OK;
    GM_TRY(gm_json_load(&net->settings, path, MAX_JSON, err));
    if (!gm_json_str(gm_json_get(net->settings, "task"), &have) || !gm_str_eq_c(have, task))
        st = GM_FAIL(err, GM_EMODEL, "%s: a model for task \"%.*s\" where one for \"%s\" is needed",
                     path, GM_STR_ARG(have), task);
    else if (!gm_json_int(gm_json_get(net->settings, "format"), &format) || format != 1)
        st = GM_FAIL(err, GM_EMODEL, "%s: \"format\" must be 1; another version of gmner wrote it",
                     path);
done:
    return st;
}

/* What a trained model says of itself, else what is asked for. */
static enum gm_status read_shape(struct gm_net *net, const struct gm_net_opts *opts,
                                 size_t *extra_rows, struct gm_error *err)
{
    const struct gm_json *pooling = gm_json_get(net->settings, "pooling");
    struct gm_str text = GM_STR("mean");
    bool has_case = true;
    /* A directory that predicts and is not ours is a token classifier as others train them. */
    bool theirs = !net->settings && !opts->training;
    net->first_piece = opts->first_piece || theirs;
    *extra_rows = theirs ? 0 : opts->extra_rows;
    if (!net->settings)
        return GM_OK;
    if (pooling && (!gm_json_str(pooling, &text) ||
                    (!gm_str_eq_c(text, "mean") && !gm_str_eq_c(text, "first"))))
        return GM_FAIL(err, GM_EMODEL, "%s/gmner.json: \"pooling\" must be mean or first",
                       net->dir);
    (void)gm_json_bool(gm_json_get(net->settings, "case"), &has_case);
    net->first_piece = gm_str_eq_c(text, "first");
    *extra_rows = has_case ? opts->extra_rows : 0;
    return GM_OK;
}

/* How the words of raw text are found: as gmner.json says. Models of before it did so know spaces alone; of somebody
 * else's, who says nothing, the tokenizer of a Chinese BERT does: its words are characters, as in the data that such
 * models are trained on. */
static enum gm_status read_cut(struct gm_net *net, bool theirs, struct gm_error *err)
{
    const struct gm_json *words = gm_json_get(net->settings, "words");
    struct gm_str name = {0}, head = {0};
    net->cut = GM_CUT_SPACES;
    if (words && (!gm_json_str(words, &name) || !gm_cut_parse(name, &net->cut)))
        return GM_FAIL(err, GM_EMODEL,
                       "%s/gmner.json: \"words\" must be spaces, dictionary, characters or letters",
                       net->dir);
    theirs = theirs || (gm_json_str(gm_json_get(net->settings, "head"), &head) &&
                        gm_str_eq_c(head, "softmax"));
    if (!words && theirs)
        net->cut =
            gm_tokenizer_parts_chinese(net->tokenizer) ? GM_CUT_CHARACTERS : GM_CUT_DICTIONARY;
    return GM_OK;
}

enum gm_status gm_net_open(struct gm_net *net, const char *dir, const struct gm_net_opts *opts,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *path;
    struct gm_precision precision;
    struct gm_encoder_config config;
    size_t extra_rows;
    *net = (struct gm_net){0};
    gm_arena_init(&net->arena, 0);
    GM_TRY(gm_precision_pick(opts->precision, &precision, err));
    if (precision.int8 && opts->training)
        return GM_FAIL(err, GM_EARG,
                       "--precision int8 is for prediction; train with auto, bf16 or f32");
    gm_params_init(&net->params, precision.dtype, opts->training);
    net->params.int8 = precision.int8;
    GM_TRY(gm_model_find(&net->arena, dir, &net->dir, &net->base_name, err));
    GM_TRY(read_settings(net, opts->task, err));
    if (net->settings)
        net->base_name = NULL; /* a trained model has a base of its own, or none */
    GM_TRY(path_in(net, "config.json", &path, err));
    GM_TRY(gm_encoder_config_load(&config, path, err));
    GM_TRY(path_in(net, "tokenizer.json", &path, err));
    GM_TRY(gm_tokenizer_load(&net->tokenizer, path, err));
    net->special_ids = gm_tokenizer_special(net->tokenizer);
    if (net->special_ids.cls < 0 || net->special_ids.sep < 0 || net->special_ids.unk < 0) {
        st = GM_FAIL(err, GM_EMODEL, "%s: no [CLS], [SEP] or [UNK] token (<s>, </s>, <unk>)", path);
        goto done;
    }
    if (gm_tokenizer_n_ids(net->tokenizer) > config.vocab) {
        st = GM_FAIL(err, GM_EMODEL, "%s: %zu ids, but config.json says vocab_size %zu", path,
                     gm_tokenizer_n_ids(net->tokenizer), config.vocab);
        goto done;
    }
    GM_TRY(read_shape(net, opts, &extra_rows, err));
    GM_TRY(read_cut(net, !net->settings && !opts->training, err));
    GM_TRY(gm_encoder_init(&net->enc, &config, &net->params, opts->extra_name, extra_rows, err));
    st = gm_safetensors_open_dir(&net->weights, net->dir, err);
done:
    return st;
}

/* Word embeddings of the base model, checked to be those that the model was trained on. */
static enum gm_status bind_base(struct gm_net *net, const struct gm_json *base,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str name = {0}, want = {0};
    const char *path;
    struct gm_tensor t;
    char have[GM_SHA256_HEX];
    if (!gm_json_str(gm_json_get(base, "model"), &name) ||
        !gm_json_str(gm_json_get(base, "fingerprint"), &want))
        return GM_FAIL(err, GM_EMODEL,
                       "%s/gmner.json: \"base\" needs \"model\" and \"fingerprint\"", net->dir);
    if (memchr(name.p, '/', name.n))
        return GM_FAIL(err, GM_EMODEL,
                       "%s/gmner.json: base model \"%.*s\" must be a packaged model's name",
                       net->dir, GM_STR_ARG(name));
    net->base_name = gm_arena_str(&net->arena, name).p;
    GM_TRY(net->base_name ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_model_path(&net->arena, net->base_name, "model.safetensors", &path, err));
    GM_TRY(gm_safetensors_open(&net->base_weights, path, err));
    if (!gm_safetensors_get(net->base_weights, net->enc.config.names->word, &t) || t.rank != 2 ||
        t.shape[0] < FINGERPRINT_ROWS)
        return GM_FAIL(err, GM_EMODEL, "%s: no %s", path, net->enc.config.names->word);
    fingerprint(&t, have);
    if (!gm_str_eq_c(want, have))
        return GM_FAIL(
            err, GM_EMODEL,
            "%s: not the weights that %s was trained on; get them with `gmner models get "
            "%s`",
            path, net->dir, net->base_name);
    st = gm_param_bind(&net->params.p[net->enc.word], net->base_weights, err);
done:
    return st;
}

/* An encoder that was trained for something else is as good a start. */
void gm_net_say_head(const struct gm_net *net)
{
    const struct gm_safetensors *f = net->weights;
    for (size_t i = 0; i < gm_safetensors_count(f); i++)
        if (gm_str_starts(gm_str(gm_safetensors_name(f, i)), GM_STR("classifier."))) {
            GM_LOG(GM_LOG_INFO, "tagger", "%s: its own classifier (%s, …) is not used",
                   gm_safetensors_path(f), gm_safetensors_name(f, i));
            return;
        }
}

enum gm_status gm_net_bind(struct gm_net *net, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *base = gm_json_get(net->settings, "base");
    GM_TRY(gm_params_bind(&net->params, net->weights, err));
    if (base) {
        /* Only the word embeddings may come from elsewhere: everything else must be in the file. */
        const char *missing = gm_params_missing(&net->params);
        if (missing && strcmp(missing, net->enc.config.names->word) == 0)
            st = bind_base(net, base, err);
    }
    if (st == GM_OK && net->settings && gm_params_missing(&net->params))
        st = GM_FAIL(err, GM_EMODEL, "%s: tensor %s is missing", gm_safetensors_path(net->weights),
                     gm_params_missing(&net->params));
done:
    return st;
}

enum gm_status gm_net_tune(struct gm_net *net, const struct gm_net_tuning *t, struct gm_error *err)
{
    struct gm_encoder_config *c = &net->enc.config;
    if (t->freeze_layers > c->layers)
        return GM_FAIL(err, GM_EARG, "freeze_layers: %zu, but %s has %zu layers", t->freeze_layers,
                       net->dir, c->layers);
    if (t->hidden_dropout >= 0)
        c->hidden_dropout = t->hidden_dropout;
    if (t->attention_dropout >= 0)
        c->attention_dropout = t->attention_dropout;
    for (size_t i = 0; i < net->params.n; i++) {
        struct gm_param *p = &net->params.p[i];
        size_t layer = gm_encoder_layer_of(&net->enc, i);
        if (layer != SIZE_MAX) {
            p->frozen = p->helper || layer < t->freeze_layers;
            p->lr_scale = (float)pow(t->layer_decay, (double)(c->layers - 1 - layer));
        } else if (p->group == 0) { /* the embeddings, below all layers */
            p->lr_scale = (float)pow(t->layer_decay, (double)c->layers);
        }
    }
    net->params.p[net->enc.word].frozen = t->freeze_embeddings;
    return GM_OK;
}

enum gm_status gm_net_ready(struct gm_net *net, const struct gm_net_opts *opts,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_lanes first = {0};
    /* In training damaged weights would show as a loss that is not finite, and look like a wrong
     * rate; in prediction nothing would be found, and nothing said. Looked at as they are stored,
     * which is the least memory to read. */
    GM_TRY(gm_params_check_finite(&net->params, opts->training, err));
    st = gm_params_ready(&net->params, err);
    if (st == GM_EMODEL)
        gm_error_prefix(err, "%s", gm_safetensors_path(net->weights));
    GM_TRY(st);
    net->max_activation_bytes =
        opts->max_activation_bytes ? opts->max_activation_bytes : (size_t)4 << 30;
    if (!opts->training) /* the first lanes lay the weights out; later ones only read */
        st = gm_lanes_init(&first, &net->params, net->max_activation_bytes, err);
done:
    gm_lanes_clear(&first);
    return st;
}

void gm_net_clear(struct gm_net *net)
{
    gm_params_clear(&net->params);
    gm_safetensors_free(net->weights);
    gm_safetensors_free(net->base_weights);
    gm_tokenizer_free(net->tokenizer);
    gm_json_free(net->settings);
    gm_arena_clear(&net->arena);
    *net = (struct gm_net){0};
}

enum gm_status gm_net_copy_file(const char *from_dir, const char *to_dir, const char *name,
                                struct gm_error *err)
{
    struct gm_buf b;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    gm_buf_init(&b, MAX_JSON);
    const char *from = gm_path_join(&a, from_dir, name), *to = gm_path_join(&a, to_dir, name);
    enum gm_status st =
        from && to ? gm_file_read(from, &b, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st == GM_OK)
        st = gm_file_write(to, gm_buf_str(&b), err);
    gm_buf_clear(&b);
    gm_arena_clear(&a);
    return st;
}

static enum gm_status add_base(const struct gm_net *net, struct gm_json *settings,
                               struct gm_error *err)
{
    struct gm_tensor t;
    char hex[GM_SHA256_HEX];
    const struct gm_safetensors *from = net->base_weights ? net->base_weights : net->weights;
    struct gm_json *base = gm_json_new_object();
    if (!gm_safetensors_get(from, net->enc.config.names->word, &t)) {
        gm_json_free(base);
        return GM_FAIL(err, GM_EMODEL, "%s: no %s", gm_safetensors_path(from),
                       net->enc.config.names->word);
    }
    fingerprint(&t, hex);
    bool ok = base && gm_json_set(base, "model", gm_json_new_str(gm_str(net->base_name))) &&
              gm_json_set(base, "fingerprint", gm_json_new_str(gm_str(hex)));
    if (gm_json_set(settings, "base", base) && ok)
        return GM_OK;
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_net_save(const struct gm_net *net, const char *dir, struct gm_json *settings,
                           bool bf16, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    const char *path;
    bool skip = net->params.p[net->enc.word].frozen && net->base_name;
    gm_arena_init(&a, 0);
    GM_TRY(gm_mkdirs(dir, err));
    if (skip)
        GM_TRY(add_base(net, settings, err));
    if (!gm_json_set(settings, "words", gm_json_new_str(gm_str(gm_cut_name(net->cut))))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_net_copy_file(net->dir, dir, "config.json", err));
    GM_TRY(gm_net_copy_file(net->dir, dir, "tokenizer.json", err));
    path = gm_path_join(&a, dir, "model.safetensors");
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_params_save(&net->params, path, bf16 ? GM_BF16 : GM_F32, skip, NULL, err));
    path = gm_path_join(&a, dir, "gmner.json");
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_json_save(settings, path, MAX_JSON, err);
done:
    gm_arena_clear(&a);
    return st;
}
