/* average_adapter.c - the mean of n adapters of one base is an adapter of n times the rank, as
 *
 *   1/n sum of s B_i A_i  =  s/n [B_1 … B_n] [A_1; …; A_n],   s = alpha / r
 *
 * so that nothing is lost, where the means of the A and of the B would be another thing. With rank n r the scale
 * alpha / (n r) is s/n by itself; rank-stabilised, alpha / sqrt(n r), alpha is divided by sqrt(n). Cut to rank k
 * (low_rank.h) with 1/n in the factors, alpha is k/r of what it was, or sqrt(k/r). Test: tests/e2e/test_adapters.py. */
#include "model_tools/average_adapter.h"

#include "base/alloc.h"
#include "base/path.h"
#include "model/adapter.h"
#include "model_tools/low_rank.h"
#include "nn/finite.h"

#include <math.h>

enum { MAX_CONFIG = 4 << 20 };

static bool is_a(const char *name) { return gm_str_ends(gm_str(name), GM_STR(".lora_A.weight")); }

bool gm_average_is_factor(const char *name)
{
    return is_a(name) || gm_str_ends(gm_str(name), GM_STR(".lora_B.weight"));
}

enum gm_status gm_average_factor(struct gm_safetensors *const *files, size_t n, const char *name,
                                 struct gm_tensor *out, struct gm_error *err)
{
    struct gm_tensor first, t;
    gm_safetensors_get(files[0], name, &first);
    if (first.rank != 2)
        return GM_FAIL(err, GM_EMODEL, "%s: tensor %s is no matrix", gm_safetensors_path(files[0]),
                       name);
    size_t rows = first.shape[0], row = first.shape[1] * gm_dtype_size(first.dtype);
    size_t bytes = rows * row;
    char *data = gm_alloc_aligned(n * bytes, 1);
    *out = first;
    out->data = data;
    out->shape[is_a(name) ? 0 : 1] *= n;
    if (!data)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!gm_safetensors_get(files[i], name, &t) || t.dtype != first.dtype || t.rank != 2 ||
            t.shape[0] != rows || t.shape[1] != first.shape[1])
            return GM_FAIL(err, GM_EMODEL, "%s and %s: tensor %s is not the same in shape and type",
                           gm_safetensors_path(files[0]), gm_safetensors_path(files[i]), name);
        enum gm_status st = gm_tensor_check_finite(&t, name, gm_safetensors_path(files[i]), err);
        if (st != GM_OK)
            return st;
        if (is_a(name))
            memcpy(data + i * bytes, t.data, bytes);
        for (size_t k = 0; k < rows && !is_a(name); k++)
            memcpy(data + (k * n + i) * row, (const char *)t.data + k * row, row);
    }
    return GM_OK;
}

/* A tensor's values times `scale` in a new f32 block. */
static float *scaled(const struct gm_tensor *t, double scale)
{
    size_t count = gm_tensor_count(t);
    float *out = gm_alloc_aligned(count, sizeof *out);
    if (out)
        gm_tensor_to_f32(t, 0, count, out);
    for (size_t i = 0; out && i < count; i++)
        out[i] = (float)(out[i] * scale);
    return out;
}

/* The front of `data` takes the place of the tensor's block, as BF16 where that was, else as F32. */
static void replace(struct gm_tensor *t, float *data)
{
    if (t->dtype == GM_BF16)
        gm_bf16_in_place(data, gm_tensor_count(t));
    else
        t->dtype = GM_F32;
    gm_free((void *)(uintptr_t)t->data);
    t->data = data;
}

static enum gm_status cut_pair(struct gm_tensor *a, struct gm_tensor *b, double scale, size_t rank,
                               struct gm_error *err)
{
    float *fa = scaled(a, 1), *fb = scaled(b, scale);
    enum gm_status st =
        fa && fb ? gm_low_rank_cut(fb, b->shape[0], fa, a->shape[1], a->shape[0], rank, err)
                 : GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (st != GM_OK) {
        gm_free(fa);
        gm_free(fb);
        return st;
    }
    a->shape[0] = b->shape[1] = rank;
    replace(a, fa);
    replace(b, fb);
    return GM_OK;
}

/* The B of the A of number i; n where there is none. */
static size_t find_b(const struct gm_tensor *tensors, const char *const *names, size_t n, size_t i)
{
    size_t layer = strlen(names[i]) - strlen("A.weight"), k = 0;
    while (k < n &&
           (strncmp(names[k], names[i], layer) != 0 || strcmp(names[k] + layer, "B.weight") != 0 ||
            tensors[k].shape[1] != tensors[i].shape[0]))
        k++;
    return k;
}

enum gm_status gm_average_cut(const char *dir, struct gm_tensor *tensors, const char *const *names,
                              size_t n_tensors, size_t n, size_t rank, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_lora_opts o = {0};
    struct gm_json *config = NULL;
    GM_TRY(gm_adapter_config(&config, &o, dir, err));
    for (size_t i = 0; i < n_tensors && st == GM_OK; i++) {
        if (!is_a(names[i]))
            continue;
        size_t b = find_b(tensors, names, n_tensors, i), has = tensors[i].shape[0];
        if (b == n_tensors)
            st = GM_FAIL(err, GM_EMODEL, "%s: %s has no B of its rank", dir, names[i]);
        else if (has <= rank)
            st = GM_FAIL(err, GM_EMODEL, "%s: %s: the mean has rank %zu, which can't be cut to %zu",
                         dir, names[i], has, rank);
        else
            st = cut_pair(&tensors[i], &tensors[b],
                          gm_lora_scale(&o, has / n) / gm_lora_scale(&o, o.rank) / (double)n, rank,
                          err);
    }
done:
    gm_json_free(config);
    return st;
}

/* The ranks of layers that have their own. */
static bool widen_pattern(struct gm_json *config, size_t n)
{
    const struct gm_json *was = gm_json_get(config, "rank_pattern");
    struct gm_json *pattern = gm_json_new_object();
    bool ok = pattern != NULL;
    for (void *it = gm_json_first(was); it && ok; it = gm_json_next(was, it)) {
        long long rank = 0;
        ok = gm_json_int(gm_json_value(it), &rank) &&
             gm_json_set(pattern, gm_json_key(it).p, gm_json_new_int(rank * (long long)n));
    }
    return gm_json_set(config, "rank_pattern", pattern) && ok;
}

/* Rank and alpha of the mean into the first's config. */
static bool set_shape(struct gm_json *config, const struct gm_lora_opts *o, size_t n, size_t to)
{
    double alpha = o->alpha, part = (double)to / (double)o->rank;
    if (to)
        alpha *= o->rank_stabilised ? sqrt(part) : part;
    else if (o->rank_stabilised)
        alpha /= sqrt((double)n);
    bool ok =
        !gm_json_get(config, "rank_pattern") ||
        (to ? gm_json_set(config, "rank_pattern", gm_json_new_object()) : widen_pattern(config, n));
    return ok && gm_json_set(config, "r", gm_json_new_int((long long)(to ? to : o->rank * n))) &&
           gm_json_set(config, "lora_alpha", gm_json_new_num(alpha));
}

enum gm_status gm_average_adapter_config(const char *const *dirs, size_t n, size_t cut_to,
                                         const char *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_json *first = NULL, *other = NULL;
    struct gm_lora_opts o = {0}, x;
    gm_arena_init(&a, 0);
    const char *path = gm_path_join(&a, out, GM_ADAPTER_CONFIG);
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_adapter_config(&first, &o, dirs[0], err));
    for (size_t i = 1; i < n; i++) {
        gm_json_free(other);
        other = NULL;
        x = (struct gm_lora_opts){0};
        GM_TRY(gm_adapter_config(&other, &x, dirs[i], err));
        if (x.rank != o.rank || x.alpha != o.alpha || x.rank_stabilised != o.rank_stabilised) {
            st =
                GM_FAIL(err, GM_EMODEL, "%s and %s: adapters of one rank and alpha can be averaged",
                        dirs[0], dirs[i]);
            goto done;
        }
    }
    if (cut_to >= o.rank * n) {
        st = GM_FAIL(err, GM_EMODEL,
                     "the mean of %zu adapters of rank %zu has rank %zu, which can't be cut to %zu",
                     n, o.rank, o.rank * n, cut_to);
        goto done;
    }
    GM_TRY(set_shape(first, &o, n, cut_to) ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_json_save(first, path, MAX_CONFIG, err);
done:
    gm_json_free(first);
    gm_json_free(other);
    gm_arena_clear(&a);
    return st;
}
