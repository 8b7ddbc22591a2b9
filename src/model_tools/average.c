#include "model_tools/average.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/path.h"
#include "model/net.h"
#include "model/settings.h"
#include "model_tools/average_adapter.h"
#include "nn/finite.h"

enum { MAX_SETTINGS = 128 << 20 };

static enum gm_status settings_of(const char *dir, struct gm_json **settings, struct gm_error *err)
{
    enum gm_status st = gm_model_settings_load(settings, dir, err);
    if (st == GM_OK && !*settings)
        st = GM_FAIL(
            err, GM_EMODEL,
            "%s: no model of `gmner train`, which alone are averaged: it has no gmner.json", dir);
    return st;
}

/* What must be the same in all models, and what a model has that doesn't say it. */
static const struct key {
    const char *key, *absent;
} keys[] = {{"format", "null"},     {"task", "null"},        {"head", "null"},
            {"scheme", "null"},     {"pooling", "\"mean\""}, {"case", "true"},
            {"knowledge", "false"}, {"name_parts", "false"}, {"types", "null"},
            {"fine_types", "null"}, {"base", "null"},        {"adapter", "false"},
            {"words", "\"spaces\""}};

/* A setting as text. A base is what its weights are, whatever it is called. */
static enum gm_status text_of(const struct gm_json *settings, const struct key *k,
                              struct gm_buf *text, struct gm_error *err)
{
    const struct gm_json *j = gm_json_get(settings, k->key);
    if (gm_json_get(j, "fingerprint"))
        j = gm_json_get(j, "fingerprint");
    gm_buf_reset(text);
    return j ? gm_json_write(j, false, text, err) : gm_buf_add_c(text, k->absent, err);
}

static enum gm_status same_kind(const char *dir, const char *other, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *settings[2] = {NULL, NULL};
    struct gm_buf text[2];
    gm_buf_init(&text[0], MAX_SETTINGS);
    gm_buf_init(&text[1], MAX_SETTINGS);
    GM_TRY(settings_of(dir, &settings[0], err));
    GM_TRY(settings_of(other, &settings[1], err));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        for (size_t k = 0; k < 2; k++)
            GM_TRY(text_of(settings[k], &keys[i], &text[k], err));
        if (!gm_str_eq(gm_buf_str(&text[0]), gm_buf_str(&text[1]))) {
            st = GM_FAIL(err, GM_EMODEL,
                         "%s and %s: \"%s\" in gmner.json differs; models to average are of one "
                         "task, with the same types and base model, and all or none read knowledge",
                         dir, other, keys[i].key);
            goto done;
        }
    }
done:
    for (size_t k = 0; k < 2; k++) {
        gm_json_free(settings[k]);
        gm_buf_clear(&text[k]);
    }
    return st;
}

/* Every tensor of the one is in the other. */
static enum gm_status has_all(const struct gm_safetensors *f, const struct gm_safetensors *other,
                              struct gm_error *err)
{
    struct gm_tensor t;
    for (size_t i = 0; i < gm_safetensors_count(f); i++) {
        const char *name = gm_safetensors_name(f, i);
        if (!gm_safetensors_get(other, name, &t))
            return GM_FAIL(err, GM_EMODEL,
                           "%s: tensor %s is not in %s; models to average have the same tensors",
                           gm_safetensors_path(f), name, gm_safetensors_path(other));
    }
    return GM_OK;
}

/* The mean of tensor `name` in a new block, in its own type, but of F16 as F32. */
static enum gm_status mean_of(struct gm_safetensors *const *files, size_t n, const char *name,
                              struct gm_tensor *out, struct gm_error *err)
{
    struct gm_tensor first, t;
    gm_safetensors_get(files[0], name, &first);
    *out = first;
    out->data = NULL;
    if (first.dtype != GM_F32 && first.dtype != GM_BF16 && first.dtype != GM_F16)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: tensor %s is none of F32, BF16 and F16; average first, then quantise",
                       gm_safetensors_path(files[0]), name);
    size_t count = gm_tensor_count(out);
    float *sum = gm_alloc_aligned(count, sizeof *sum), *one = gm_alloc_aligned(count, sizeof *one);
    enum gm_status st = sum && one ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n && st == GM_OK; i++) {
        bool same = gm_safetensors_get(files[i], name, &t) && t.dtype == first.dtype &&
                    t.rank == first.rank &&
                    memcmp(t.shape, first.shape, t.rank * sizeof *t.shape) == 0;
        if (!same) {
            st = GM_FAIL(err, GM_EMODEL, "%s and %s: tensor %s is not the same in shape and type",
                         gm_safetensors_path(files[0]), gm_safetensors_path(files[i]), name);
            break;
        }
        if ((st = gm_tensor_check_finite(&t, name, gm_safetensors_path(files[i]), err)) != GM_OK)
            break;
        gm_tensor_to_f32(&t, 0, count, one);
        for (size_t k = 0; k < count; k++)
            sum[k] = (i ? sum[k] : 0) + one[k] / (float)n;
    }
    if (st == GM_OK && first.dtype == GM_BF16)
        gm_bf16_in_place(sum, count);
    else
        out->dtype = GM_F32;
    gm_free(one);
    out->data = sum;
    return st;
}

static enum gm_status open_weights(const char *dir, bool adapter, struct gm_arena *a,
                                   struct gm_safetensors **f, struct gm_error *err)
{
    if (!adapter)
        return gm_safetensors_open_dir(f, dir, err);
    const char *path = gm_path_join(a, dir, GM_ADAPTER_WEIGHTS);
    return path ? gm_safetensors_open(f, path, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status average_weights(const char *const *dirs, size_t n, bool adapter, size_t rank,
                                      const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    size_t n_tensors = 0;
    struct gm_safetensors **files = gm_arena_alloc(&a, n, sizeof *files);
    struct gm_tensor *tensors = NULL;
    const char **names;
    GM_TRY(files ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < n; i++)
        GM_TRY(open_weights(dirs[i], adapter, &a, &files[i], err));
    for (size_t i = 1; i < n; i++) {
        GM_TRY(has_all(files[0], files[i], err));
        GM_TRY(has_all(files[i], files[0], err));
    }
    n_tensors = gm_safetensors_count(files[0]);
    tensors = gm_arena_alloc(&a, n_tensors, sizeof *tensors);
    names = gm_arena_alloc(&a, n_tensors, sizeof *names);
    GM_TRY(tensors && names ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < n_tensors; i++) {
        names[i] = gm_safetensors_name(files[0], i);
        GM_TRY((gm_average_is_factor(names[i]) ? gm_average_factor : mean_of)(files, n, names[i],
                                                                              &tensors[i], err));
    }
    if (rank)
        GM_TRY(gm_average_cut(dirs[0], tensors, names, n_tensors, n, rank, err));
    static const char *const metadata[] = {"format", "pt", NULL};
    st = gm_safetensors_write(path, tensors, names, n_tensors, adapter ? metadata : NULL, err);
done:
    for (size_t i = 0; tensors && i < n_tensors; i++)
        gm_free((void *)(uintptr_t)tensors[i].data);
    for (size_t i = 0; files && i < n; i++)
        gm_safetensors_free(files[i]);
    gm_arena_clear(&a);
    return st;
}

/* gmner.json of the first, without a calibration; "averaged" says of how many. */
static enum gm_status write_settings(const char *dir, size_t n, const char *out,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *from = NULL, *to = gm_json_new_object();
    bool ok = to != NULL;
    GM_TRY(settings_of(dir, &from, err));
    for (void *it = gm_json_first(from); it && ok; it = gm_json_next(from, it))
        if (!gm_str_eq_c(gm_json_key(it), "calibration"))
            ok = gm_json_set(to, gm_json_key(it).p, gm_json_ref(gm_json_value(it)));
    ok = ok && gm_json_set(to, "averaged", gm_json_new_int((long long)n));
    st = ok ? gm_model_settings_save(to, out, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_json_free(from);
    gm_json_free(to);
    return st;
}

enum gm_status gm_models_average(const char *const *dirs, size_t n, size_t rank, const char *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    bool adapter;
    GM_TRY(gm_adapter_is(dirs[0], &adapter, err));
    const char *weights = gm_path_join(&a, out, adapter ? GM_ADAPTER_WEIGHTS : "model.safetensors");
    GM_TRY(weights ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 1; i < n; i++)
        GM_TRY(same_kind(dirs[0], dirs[i], err));
    if (rank && !adapter) {
        st = GM_FAIL(err, GM_EMODEL, "%s: a whole model; only adapters are cut to a rank", dirs[0]);
        goto done;
    }
    GM_TRY(gm_mkdirs(out, err));
    if (adapter) {
        GM_TRY(gm_average_adapter_config(dirs, n, rank, out, err));
    } else {
        GM_TRY(gm_net_copy_file(dirs[0], out, "config.json", err));
        GM_TRY(gm_net_copy_tokenizer(dirs[0], out, err));
    }
    GM_TRY(average_weights(dirs, n, adapter, rank, weights, err));
    st = write_settings(dirs[0], n, out, err);
done:
    gm_arena_clear(&a);
    return st;
}
