/* net_base.c - see net_base.h. Tests: tests/unit/test_ner_tagger.c, tests/e2e/test_adapters.py. */
#include "model/net_base.h"

#include "base/models.h"
#include "base/path.h"
#include "base/sha256.h"
#include "model/folder.h"

#include <stdio.h>

enum { FINGERPRINT_ROWS = 64 };

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

/* Word embeddings of the base model, checked to be those that the model was trained on. */
enum gm_status gm_net_base_bind(struct gm_net *net, const struct gm_json *base,
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

/* The same of an encoder that all but adapters is taken from: its word embeddings, and the last matrix of its last
 * layer, which any training changes. */
static enum gm_status fingerprint_whole(const struct gm_net *net, char hex[GM_SHA256_HEX],
                                        struct gm_error *err)
{
    const struct gm_encoder *enc = &net->enc;
    const char *names[2] = {enc->config.names->word,
                            net->params.p[enc->layer[enc->config.layers - 1].down.w].names[0]};
    char parts[2][GM_SHA256_HEX];
    for (size_t i = 0; i < 2; i++) {
        struct gm_tensor t;
        if (!gm_params_find(net->weights, names[i], &t) || t.rank != 2)
            return GM_FAIL(err, GM_EMODEL, "%s: no %s", gm_safetensors_path(net->weights),
                           names[i]);
        fingerprint(&t, parts[i]);
    }
    gm_sha256((struct gm_str){parts[0], sizeof parts}, hex);
    return GM_OK;
}

enum gm_status gm_net_base_check(const struct gm_net *net, struct gm_error *err)
{
    struct gm_str want;
    char have[GM_SHA256_HEX];
    if (!gm_json_str(gm_json_get(gm_json_get(net->settings, "base"), "fingerprint"), &want))
        return GM_OK;
    enum gm_status st = fingerprint_whole(net, have, err);
    if (st == GM_OK && !gm_str_eq_c(want, have))
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: not the weights that the adapter %s was trained on (its base is \"%s\")",
                     gm_safetensors_path(net->weights), net->dir, net->adapter.base);
    return st;
}

static enum gm_status set_base(struct gm_json *settings, struct gm_json *base, const char *model,
                               const char *hex, struct gm_error *err)
{
    bool ok = base && gm_json_set(base, "model", gm_json_new_str(gm_str(model))) &&
              gm_json_set(base, "fingerprint", gm_json_new_str(gm_str(hex)));
    if (gm_json_set(settings, "base", base) && ok)
        return GM_OK;
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

const char *gm_net_adapter_base(const struct gm_net *net, struct gm_arena *a)
{
    const char *name = net->is_adapter ? net->adapter.base : net->base_name;
    return name ? name : gm_path_absolute(a, gm_str(net->dir)).p;
}

enum gm_status gm_net_check_place(const struct gm_net *net, const char *model, struct gm_error *err)
{
    if (!net->lora.rank)
        return GM_OK;
    return gm_model_folder_spare(net->is_adapter ? net->adapter.base_dir : net->dir,
                                 "the base of the adapter that is trained", model, err);
}

static enum gm_status say_whole(const struct gm_net *net, struct gm_json *settings,
                                struct gm_error *err)
{
    char hex[GM_SHA256_HEX];
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *name = gm_net_adapter_base(net, &a);
    enum gm_status st =
        name ? fingerprint_whole(net, hex, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st == GM_OK)
        st = set_base(settings, gm_json_new_object(), name, hex, err);
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_net_base_say(const struct gm_net *net, struct gm_json *settings,
                               struct gm_error *err)
{
    struct gm_tensor t;
    char hex[GM_SHA256_HEX];
    if (net->lora.rank)
        return say_whole(net, settings, err);
    const struct gm_safetensors *from = net->base_weights ? net->base_weights : net->weights;
    struct gm_json *base = gm_json_new_object();
    if (!gm_safetensors_get(from, net->enc.config.names->word, &t)) {
        gm_json_free(base);
        return GM_FAIL(err, GM_EMODEL, "%s: no %s", gm_safetensors_path(from),
                       net->enc.config.names->word);
    }
    fingerprint(&t, hex);
    return set_base(settings, base, net->base_name, hex, err);
}
