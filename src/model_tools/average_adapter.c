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

/* The front of `data`, in the tensor's own type, takes the place of its block. */
static void replace(struct gm_tensor *t, float *data)
{
    if (t->dtype == GM_BF16)
        gm_bf16_in_place(data, gm_tensor_count(t));
    gm_free((void *)(uintptr_t)t->data);
    t->data = data;
}

static enum gm_status cut_pair(struct gm_tensor *a, struct gm_tensor *b, size_t n, size_t rank,
                               struct gm_error *err)
{
    float *fa = scaled(a, 1), *fb = scaled(b, 1.0 / (double)n);
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

enum gm_status gm_average_cut(struct gm_tensor *tensors, const char *const *names, size_t n_tensors,
                              size_t n, size_t rank, struct gm_error *err)
{
    for (size_t i = 0; i < n_tensors; i++) {
        size_t layer = strlen(names[i]) - strlen("A.weight"), k = 0;
        if (!is_a(names[i]))
            continue;
        while (k < n_tensors && (strncmp(names[k], names[i], layer) != 0 ||
                                 strcmp(names[k] + layer, "B.weight") != 0))
            k++;
        if (k == n_tensors || tensors[k].shape[1] != tensors[i].shape[0] ||
            tensors[i].shape[0] <= rank)
            return GM_FAIL(err, GM_EMODEL,
                           "%s: an adapter of rank %zu with its B can be cut to %zu", names[i],
                           tensors[i].shape[0], rank);
        enum gm_status st = cut_pair(&tensors[i], &tensors[k], n, rank, err);
        if (st != GM_OK)
            return st;
    }
    return GM_OK;
}

static enum gm_status load(const char *dir, struct gm_arena *a, struct gm_json **j,
                           struct gm_error *err)
{
    const char *path = gm_path_join(a, dir, GM_ADAPTER_CONFIG);
    return path ? gm_json_load(j, path, MAX_CONFIG, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* Rank, alpha and which of the two scales. */
static void shape_of(const struct gm_json *j, double *rank, double *alpha, bool *stabilised)
{
    *rank = *alpha = 0;
    *stabilised = false;
    (void)gm_json_num(gm_json_get(j, "r"), rank);
    (void)gm_json_num(gm_json_get(j, "lora_alpha"), alpha);
    (void)gm_json_bool(gm_json_get(j, "use_rslora"), stabilised);
}

/* Rank and alpha of the mean into the first's config. */
static bool set_shape(struct gm_json *config, size_t n, size_t to)
{
    double rank, alpha;
    bool stabilised;
    shape_of(config, &rank, &alpha, &stabilised);
    if (to)
        alpha *= stabilised ? sqrt((double)to / rank) : (double)to / rank;
    else if (stabilised)
        alpha /= sqrt((double)n);
    return gm_json_set(config, "r",
                       gm_json_new_int(to ? (long long)to : (long long)(rank * (double)n))) &&
           gm_json_set(config, "lora_alpha", gm_json_new_num(alpha));
}

enum gm_status gm_average_adapter_config(const char *const *dirs, size_t n, size_t cut_to,
                                         const char *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_json *first = NULL, *other = NULL;
    double rank, alpha;
    bool stabilised;
    gm_arena_init(&a, 0);
    const char *path = gm_path_join(&a, out, GM_ADAPTER_CONFIG);
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(load(dirs[0], &a, &first, err));
    shape_of(first, &rank, &alpha, &stabilised);
    for (size_t i = 1; i < n; i++) {
        double r, x;
        bool rs;
        gm_json_free(other);
        other = NULL;
        GM_TRY(load(dirs[i], &a, &other, err));
        shape_of(other, &r, &x, &rs);
        if (r != rank || x != alpha || rs != stabilised) {
            st =
                GM_FAIL(err, GM_EMODEL, "%s and %s: adapters of one rank and alpha can be averaged",
                        dirs[0], dirs[i]);
            goto done;
        }
    }
    if (cut_to && (double)cut_to >= rank * (double)n) {
        st = GM_FAIL(err, GM_EMODEL,
                     "the mean of %zu adapters of rank %g has rank %g, which can't be cut to %zu",
                     n, rank, rank * (double)n, cut_to);
        goto done;
    }
    GM_TRY(set_shape(first, n, cut_to) ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_json_save(first, path, MAX_CONFIG, err);
done:
    gm_json_free(first);
    gm_json_free(other);
    gm_arena_clear(&a);
    return st;
}
