#include "model/net.h"

#include "base/file.h"
#include "base/host.h"
#include "base/path.h"
#include "base/log.h"
#include "base/models.h"
#include "model/members.h"
#include "model/net_base.h"
#include "model/settings.h"
#include "nn/finite.h"
#include "nn/lanes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* An adapter's config.json and tokenizer.json are its base's, unless it has its own. */
const char *gm_net_dir_of(const struct gm_net *net, const char *name)
{
    struct gm_arena a;
    if (!net->is_adapter)
        return net->dir;
    gm_arena_init(&a, 0);
    const char *own = gm_path_join(&a, net->dir, name);
    bool has_own = own && gm_is_file(own);
    gm_arena_clear(&a);
    return has_own ? net->dir : net->adapter.base_dir;
}

static enum gm_status path_in(struct gm_net *net, const char *name, const char **out,
                              struct gm_error *err)
{
    *out = gm_path_join(&net->arena, gm_net_dir_of(net, name), name);
    return *out ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

bool gm_net_is_theirs(const struct gm_json *settings)
{
    struct gm_str head = {0};
    return !settings ||
           (gm_json_str(gm_json_get(settings, "head"), &head) && gm_str_eq_c(head, "softmax"));
}

static enum gm_status read_settings(struct gm_net *net, const char *task, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_model_settings_load(&net->settings, net->dir, err));
    if (!net->settings)
        return GM_OK;
    GM_TRY(gm_model_settings_check(net->settings, net->dir, task, err));
    st = gm_members_refuse(net->settings, net->dir, err);
done:
    return st;
}

/* Whether the directory is an adapter, and below what. */
static enum gm_status read_adapter(struct gm_net *net, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_adapter_read(&net->adapter, net->dir, net->settings, &net->arena, &net->is_adapter,
                           err));
    if (!net->is_adapter)
        goto done;
    if (!strchr(net->adapter.base, '/'))
        net->base_name = net->adapter.base;
    const char *ours = gm_path_join(&a, net->adapter.base_dir, "gmner.json");
    GM_TRY(ours ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (gm_is_file(ours)) {
        st = GM_FAIL(
            err, GM_EMODEL,
            "%s: the base of an adapter must be a plain encoder, not a model that gmner trained",
            net->adapter.base_dir);
        goto done;
    }
    st = gm_adapter_open(&net->adapter_weights, net->dir, err);
done:
    gm_arena_clear(&a);
    return st;
}

/* New adapters, or those that the directory has and training goes on with. */
static enum gm_status add_adapters(struct gm_net *net, const struct gm_net_tuning *tuning,
                                   struct gm_error *err)
{
    const struct gm_lora_opts *have = &net->adapter.lora, *want = &tuning->lora;
    if (net->settings && !net->is_adapter)
        return GM_FAIL(
            err, GM_EARG,
            "%s: a whole model that was trained; lora_rank needs a plain encoder to begin with, or "
            "an adapter to go on from",
            net->dir);
    if (net->is_adapter && (have->rank != want->rank || have->alpha != want->alpha ||
                            have->rank_stabilised != want->rank_stabilised))
        return GM_FAIL(
            err, GM_EARG,
            "%s: an adapter of rank %zu and alpha %g%s; set lora_rank, lora_alpha and lora_rs so, or "
            "lora_rank 0 to train the whole encoder",
            net->dir, have->rank, have->alpha, have->rank_stabilised ? ", rank-stabilised" : "");
    net->lora = *want;
    net->lora_f32 = tuning->lora_f32;
    return gm_lora_add(&net->params, want, err);
}

/* What a trained model says of itself, else what is asked for. */
static enum gm_status read_shape(struct gm_net *net, const struct gm_net_opts *opts, bool theirs,
                                 size_t *extra_rows, struct gm_error *err)
{
    const struct gm_json *pooling = gm_json_get(net->settings, "pooling");
    struct gm_str text = GM_STR("mean");
    bool has_case = true;
    net->first_piece = opts->first_piece || theirs;
    *extra_rows = theirs ? 0 : opts->extra_rows;
    if (theirs || !net->settings)
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
    struct gm_str name = {0};
    net->cut = GM_CUT_SPACES;
    if (words && (!gm_json_str(words, &name) || !gm_cut_parse(name, &net->cut)))
        return GM_FAIL(err, GM_EMODEL,
                       "%s/gmner.json: \"words\" must be spaces, dictionary, characters or letters",
                       net->dir);
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
        return GM_FAIL(err, GM_EARG, "%s int8 is for prediction; train with auto, bf16 or f32",
                       gm_option("--precision"));
    gm_params_init(&net->params, precision.dtype, opts->training);
    net->params.int8 = precision.int8;
    GM_TRY(gm_model_find(&net->arena, dir, &net->dir, &net->base_name, err));
    GM_TRY(read_settings(net, opts->task, err));
    /* A directory that predicts and is not ours is a token classifier as others train them; training begins with its
     * encoder, whatever was said of its labels. */
    bool theirs = gm_net_is_theirs(net->settings) && !opts->training;
    if (opts->training && gm_net_is_theirs(net->settings)) {
        gm_json_free(net->settings);
        net->settings = NULL;
    }
    if (net->settings)
        net->base_name = NULL; /* a trained model has a base of its own, or none */
    GM_TRY(read_adapter(net, err));
    GM_TRY(path_in(net, "config.json", &path, err));
    GM_TRY(gm_encoder_config_load(&config, path, err));
    GM_TRY(gm_tokenizer_load_dir(&net->tokenizer, gm_net_dir_of(net, "tokenizer.json"), err));
    GM_TRY(path_in(net, "tokenizer.json", &path, err));
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
    GM_TRY(read_shape(net, opts, theirs, &extra_rows, err));
    GM_TRY(read_cut(net, theirs, err));
    GM_TRY(gm_encoder_init(&net->enc, &config, &net->params, opts->extra_name, extra_rows, err));
    if (opts->tuning && opts->tuning->lora.rank)
        GM_TRY(add_adapters(net, opts->tuning, err));
    st = gm_safetensors_open_dir(&net->weights, net->is_adapter ? net->adapter.base_dir : net->dir,
                                 err);
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

bool gm_net_tensor(const struct gm_net *net, const char *name, struct gm_tensor *out,
                   const char **path)
{
    bool own = net->is_adapter && gm_params_find(net->adapter_weights, name, out);
    *path = gm_safetensors_path(own ? net->adapter_weights : net->weights);
    return own || gm_safetensors_get(net->weights, name, out);
}

/* Training goes on with adapters and heads; what an adapter of peft's has of the encoder itself would be left out of
 * what is saved. */
static enum gm_status check_nothing_whole(const struct gm_net *net, struct gm_error *err)
{
    const char *path = gm_safetensors_path(net->adapter_weights);
    for (size_t i = 0; i < net->params.n; i++) {
        const struct gm_param *p = &net->params.p[i];
        bool is_theirs = p->file == path || p->some == net->adapter_weights;
        if (is_theirs && p->group == 0 && !strstr(p->names[0], ".lora_"))
            return GM_FAIL(
                err, GM_EMODEL,
                "%s: %s of the encoder was trained whole (modules_to_save), which adapters can't go "
                "on with; set lora_rank 0 to train all of it",
                path, p->names[0]);
    }
    return GM_OK;
}

/* Adapters go on where they ended, begin anew, or are merged. */
static enum gm_status bind_adapters(struct gm_net *net, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_safetensors *f = net->adapter_weights;
    const char *missing = gm_params_missing(&net->params);
    if (net->is_adapter)
        GM_TRY(gm_net_base_check(net, err));
    if (net->lora.rank && net->is_adapter) {
        GM_TRY(check_nothing_whole(net, err));
        GM_TRY(gm_lora_check(&net->params, f, net->lora.rank, err));
        if (missing && strstr(missing, ".lora_"))
            st = GM_FAIL(err, GM_EMODEL, "%s: no tensor %s; lora_targets must be as they were",
                         gm_safetensors_path(f), missing);
    } else if (net->lora.rank) {
        st = gm_lora_init(&net->params, GM_HEAD_SEED, err);
    } else if (net->is_adapter) {
        st = gm_lora_merge(&net->params, f, &net->adapter.lora, err);
    }
done:
    return st;
}

enum gm_status gm_net_bind(struct gm_net *net, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *base = gm_json_get(net->settings, "base");
    if (net->is_adapter) /* what it has of its own goes before the base's */
        GM_TRY(gm_params_bind(&net->params, net->adapter_weights, err));
    GM_TRY(gm_params_bind(&net->params, net->weights, err));
    if (net->is_adapter || net->lora.rank) {
        GM_TRY(bind_adapters(net, err));
    } else if (base) {
        /* Only the word embeddings may come from elsewhere: everything else must be in the file. */
        const char *missing = gm_params_missing(&net->params);
        if (missing && strcmp(missing, net->enc.config.names->word) == 0)
            st = gm_net_base_bind(net, base, err);
    }
    if (st == GM_OK && net->settings && gm_params_missing(&net->params))
        st = GM_FAIL(err, GM_EMODEL, "%s: tensor %s is missing",
                     gm_safetensors_path(net->is_adapter ? net->adapter_weights : net->weights),
                     gm_params_missing(&net->params));
done:
    return st;
}

/* With adapters the encoder stays as it is, and they learn at the rates of their layers. */
static void tune_adapters(struct gm_params *ps)
{
    for (size_t i = 0; i < ps->n; i++)
        if (ps->p[i].group == 0 && !strstr(ps->p[i].names[0], ".lora_"))
            ps->p[i].frozen = true;
    for (size_t i = 0; i < ps->n; i++) {
        const struct gm_lora *l = ps->p[i].lora;
        if (l)
            ps->p[l->a].lr_scale = ps->p[i].lr_scale;
        for (size_t k = 0; l && k < l->n; k++)
            ps->p[l->part[k].b].lr_scale = ps->p[i].lr_scale;
    }
}

void gm_net_say_trained(const struct gm_net *net)
{
    double all = 0, trained = 0;
    for (size_t i = 0; i < net->params.n; i++) {
        const struct gm_param *p = &net->params.p[i];
        all += p->helper && p->frozen ? 0 : (double)p->n;
        trained += p->frozen ? 0 : (double)p->n;
    }
    GM_LOG(GM_LOG_INFO, "train", "%s: %.2f of %.2f million numbers are trained (%.2f %%)%s",
           net->dir, trained / 1e6, all / 1e6, 100 * trained / all,
           net->lora.rank ? ", by adapters of the frozen encoder" : "");
}

enum gm_status gm_net_tune(struct gm_net *net, const struct gm_net_tuning *t, struct gm_error *err)
{
    struct gm_encoder_config *c = &net->enc.config;
    if (net->lora.rank && t->freeze_layers)
        return GM_FAIL(
            err, GM_EARG,
            "freeze_layers: with lora_rank all layers are frozen; lora_targets says which "
            "have adapters");
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
    if (net->lora.rank)
        tune_adapters(&net->params);
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
    gm_safetensors_free(net->adapter_weights);
    gm_tokenizer_free(net->tokenizer);
    gm_json_free(net->settings);
    gm_arena_clear(&net->arena);
    *net = (struct gm_net){0};
}
