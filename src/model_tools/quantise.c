#include "model_tools/quantise.h"

#include "base/file.h"
#include "base/path.h"
#include "model/net.h"
#include "nn/finite.h"
#include "nn/int8.h"

/* The tensors of the new file; what is new of them is in the arena. */
struct output {
    struct gm_arena arena;
    struct gm_tensor *tensors;
    const char **names;
    size_t n, n_rounded;
};

/* The encoder's parameters, without values: they say which tensors are matrices. */
static enum gm_status read_table(struct gm_params *ps, const char *dir, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_encoder enc;
    struct gm_encoder_config config;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *path = gm_path_join(&a, dir, "config.json");
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_encoder_config_load(&config, path, err));
    st = gm_encoder_init(&enc, &config, ps, NULL, 0, err);
done:
    gm_arena_clear(&a);
    return st;
}

/* Adds a matrix as int8, and its scales. */
static enum gm_status add_rounded(struct output *o, const char *name, const struct gm_tensor *t,
                                  struct gm_error *err)
{
    size_t rows = t->shape[0];
    int8_t *q = gm_arena_alloc(&o->arena, rows * t->shape[1], 1);
    float *scale = gm_arena_alloc(&o->arena, rows, sizeof *scale);
    const char *scale_name = gm_arena_printf(&o->arena, "%s" GM_INT8_SCALE, name).p;
    if (!q || !scale || !scale_name)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    o->tensors[o->n] = (struct gm_tensor){GM_I8, 2, {rows, t->shape[1]}, q};
    o->names[o->n++] = name;
    o->tensors[o->n] = (struct gm_tensor){GM_F32, 1, {rows}, scale};
    o->names[o->n++] = scale_name;
    o->n_rounded++;
    return gm_int8_round(t, q, scale, err);
}

static enum gm_status round_all(struct output *o, const struct gm_params *ps,
                                const struct gm_safetensors *f, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = gm_safetensors_count(f);
    o->tensors = gm_arena_alloc(&o->arena, 2 * n, sizeof *o->tensors);
    o->names = gm_arena_alloc(&o->arena, 2 * n, sizeof *o->names);
    GM_TRY(o->tensors && o->names ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < n; i++) {
        struct gm_tensor t;
        const char *name = gm_safetensors_name(f, i);
        gm_safetensors_get(f, name, &t);
        bool is_float = t.dtype == GM_F32 || t.dtype == GM_BF16 || t.dtype == GM_F16;
        GM_TRY(gm_tensor_check_finite(&t, name, gm_safetensors_path(f), err));
        if (is_float && t.rank == 2 && gm_params_is_matrix(ps, name)) {
            GM_TRY(add_rounded(o, name, &t, err));
        } else {
            o->tensors[o->n] = t;
            o->names[o->n++] = name;
        }
    }
    if (o->n_rounded == 0)
        st = GM_FAIL(err, GM_EMODEL, "%s: no matrix of a linear layer that is not int8 already",
                     gm_safetensors_path(f));
done:
    return st;
}

enum gm_status gm_model_quantise(const char *dir, const char *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_safetensors *f = NULL;
    struct output o = {.n = 0};
    struct gm_params ps;
    bool adapter;
    gm_params_init(&ps, GM_F32, false);
    gm_arena_init(&o.arena, 0);
    GM_TRY(gm_adapter_is(dir, &adapter, err));
    if (adapter) {
        st = GM_FAIL(
            err, GM_EMODEL,
            "%s: an adapter, which has no weights of its own to round; --precision int8 predicts with it "
            "as it is",
            dir);
        goto done;
    }
    GM_TRY(read_table(&ps, dir, err));
    GM_TRY(gm_safetensors_open_dir(&f, dir, err));
    GM_TRY(round_all(&o, &ps, f, err));
    GM_TRY(gm_mkdirs(out, err));
    GM_TRY(gm_net_copy_file(dir, out, "config.json", err));
    GM_TRY(gm_net_copy_tokenizer(dir, out, err));
    const char *settings = gm_path_join(&o.arena, dir, "gmner.json");
    GM_TRY(settings ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (gm_is_file(settings)) /* a tagger of somebody else's needs none */
        GM_TRY(gm_net_copy_file(dir, out, "gmner.json", err));
    const char *path = gm_path_join(&o.arena, out, "model.safetensors");
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_safetensors_write(path, o.tensors, o.names, o.n, NULL, err);
done:
    gm_safetensors_free(f);
    gm_params_clear(&ps);
    gm_arena_clear(&o.arena);
    return st;
}
