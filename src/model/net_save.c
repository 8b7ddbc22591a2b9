/* net_save.c - writing model directories. Tests: tests/unit/test_ner_tagger.c, tests/e2e/test_training.py,
 * test_adapters.py. */
#include "model/net.h"

#include "base/file.h"
#include "base/path.h"
#include "model/net_base.h"
#include "model/settings.h"
#include "tokenizer/layouts.h"

enum { MAX_JSON = 128 << 20 };

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

enum gm_status gm_net_copy_tokenizer(const char *from_dir, const char *to_dir, struct gm_error *err)
{
    struct gm_buf b;
    struct gm_arena a;
    const char *from;
    gm_arena_init(&a, 0);
    gm_buf_init(&b, MAX_JSON);
    const char *to = gm_path_join(&a, to_dir, "tokenizer.json");
    enum gm_status st = to ? gm_tokenizer_text(&b, from_dir, &a, &from, err)
                           : GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st == GM_OK)
        st = gm_file_write(to, gm_buf_str(&b), err);
    gm_buf_clear(&b);
    gm_arena_clear(&a);
    return st;
}

static enum gm_status save_whole(const struct gm_net *net, const char *dir, bool bf16,
                                 bool skip_embeddings, struct gm_arena *a, struct gm_error *err)
{
    const struct gm_params_saving how = {.dtype = bf16 ? GM_BF16 : GM_F32,
                                         .skip_embeddings = skip_embeddings};
    enum gm_status st = GM_OK;
    GM_TRY(gm_net_copy_file(gm_net_dir_of(net, "config.json"), dir, "config.json", err));
    GM_TRY(gm_net_copy_tokenizer(gm_net_dir_of(net, "tokenizer.json"), dir, err));
    const char *path = gm_path_join(a, dir, "model.safetensors");
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_params_save(&net->params, path, &how, NULL, err);
done:
    return st;
}

/* The adapters, and what is trained beside the encoder. */
static enum gm_status save_adapter(const struct gm_net *net, const char *dir, struct gm_arena *a,
                                   struct gm_error *err)
{
    static const char *const metadata[] = {"format", "pt", NULL};
    const struct gm_params_saving how = {.dtype = net->lora_f32 ? GM_F32 : GM_BF16,
                                         .trained_only = true,
                                         .prefix = GM_ADAPTER_PREFIX};
    const char *path = gm_path_join(a, dir, GM_ADAPTER_WEIGHTS),
               *base = gm_net_adapter_base(net, a);
    enum gm_status st = path && base ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st == GM_OK)
        st = gm_params_save(&net->params, path, &how, metadata, err);
    return st == GM_OK ? gm_adapter_write(&net->params, &net->lora, base, dir, err) : st;
}

enum gm_status gm_net_save(const struct gm_net *net, const char *dir, struct gm_json *settings,
                           bool bf16, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    bool skip = net->params.p[net->enc.word].frozen && net->base_name;
    gm_arena_init(&a, 0);
    GM_TRY(gm_mkdirs(dir, err));
    bool ok = gm_json_set(settings, "words", gm_json_new_str(gm_str(gm_cut_name(net->cut)))) &&
              (!net->lora.rank || gm_json_set(settings, "adapter", gm_json_new_bool(true)));
    GM_TRY(ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (skip || net->lora.rank)
        GM_TRY(gm_net_base_say(net, settings, err));
    GM_TRY(net->lora.rank ? save_adapter(net, dir, &a, err)
                          : save_whole(net, dir, bf16, skip, &a, err));
    st = gm_model_settings_save(settings, dir, err);
done:
    gm_arena_clear(&a);
    return st;
}
