/* params_save.c - the table of a model's parameters as a file. Tests: tests/unit/test_nn_params.c. */
#include "nn/params.h"

#include "base/alloc.h"

/* The n_parts tensors of one parameter, their values in a new block. */
static enum gm_status export_param(const struct gm_param *p, const struct gm_params_saving *how,
                                   struct gm_arena *a, void **block, struct gm_tensor *out,
                                   const char **names, struct gm_error *err)
{
    size_t n = p->n / p->n_parts;
    enum gm_dtype t = p->kind == GM_VECTOR ? GM_F32 : how->dtype;
    float *values = gm_alloc_aligned(p->n, sizeof *values);
    *block = values;
    if (!values)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_param_values(p, values);
    if (t == GM_BF16)
        gm_bf16_in_place(values, p->n);
    for (size_t k = 0; k < p->n_parts; k++) {
        out[k] = (struct gm_tensor){.dtype = t, .data = (char *)values + k * n * gm_dtype_size(t)};
        out[k].rank = gm_param_file_shape(p, out[k].shape);
        names[k] = gm_arena_printf(a, "%s%s", how->prefix ? how->prefix : "", p->names[k]).p;
        if (!names[k])
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    return GM_OK;
}

static bool is_saved(const struct gm_param *p, const struct gm_params_saving *how)
{
    bool skip = how->trained_only || (how->skip_embeddings && p->kind == GM_EMBEDDING);
    return !p->helper && !(skip && p->frozen);
}

enum gm_status gm_params_save(const struct gm_params *ps, const char *path,
                              const struct gm_params_saving *how, const char *const *metadata,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    size_t max = ps->n * GM_PARAM_PARTS, n = 0;
    struct gm_tensor *tensors = gm_alloc(max, sizeof *tensors);
    const char **names = gm_alloc(max, sizeof *names);
    void **blocks = gm_alloc(ps->n, sizeof *blocks);
    if (!tensors || !names || !blocks) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    /* Vectors first: f32 data in front keeps everything aligned. */
    for (int vectors = 1; vectors >= 0; vectors--)
        for (size_t i = 0; i < ps->n; i++) {
            const struct gm_param *p = &ps->p[i];
            if ((p->kind == GM_VECTOR) != vectors || !is_saved(p, how))
                continue;
            GM_TRY(export_param(p, how, &a, &blocks[i], tensors + n, names + n, err));
            n += p->n_parts;
        }
    st = gm_safetensors_write(path, tensors, names, n, metadata, err);
done:
    for (size_t i = 0; blocks && i < ps->n; i++)
        gm_free(blocks[i]);
    gm_free(blocks);
    gm_free(names);
    gm_free(tensors);
    gm_arena_clear(&a);
    return st;
}
