/* finite.c - a floating-point number is NaN or infinite where all bits of its exponent are set. Whole
 * chunks are looked at without a branch, so that the compiler makes vectors of the loop; only where a
 * chunk has one is its place looked for. */
#include "nn/finite.h"

enum { CHUNK = 4096 };

static bool wide_has(const uint32_t *p, size_t n)
{
    uint32_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= (uint32_t) - ((p[i] & 0x7F800000u) == 0x7F800000u);
    return any != 0;
}

static bool half_has(const uint16_t *p, size_t n, uint16_t exponent)
{
    uint16_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= (uint16_t) - ((p[i] & exponent) == exponent);
    return any != 0;
}

/* Whether elements [from, from+n) have one. */
static bool has(const struct gm_tensor *t, size_t from, size_t n)
{
    switch (t->dtype) {
    case GM_F32: return wide_has((const uint32_t *)t->data + from, n);
    case GM_BF16: return half_has((const uint16_t *)t->data + from, n, 0x7F80);
    case GM_F16: return half_has((const uint16_t *)t->data + from, n, 0x7C00);
    default: return false;
    }
}

size_t gm_tensor_not_finite(const struct gm_tensor *t, size_t from, size_t n)
{
    for (size_t end = from + n; from < end; from += CHUNK) {
        size_t len = end - from < CHUNK ? end - from : CHUNK;
        for (size_t i = from; has(t, from, len) && i < from + len; i++)
            if (has(t, i, 1))
                return i;
    }
    return SIZE_MAX;
}

/* `element` of the tensor in the file is element `at` of `t`, which may hold more than that tensor. */
static enum gm_status damaged(const struct gm_tensor *t, size_t at, size_t element,
                              const char *name, const char *path, struct gm_error *err)
{
    float value;
    gm_tensor_to_f32(t, at, 1, &value);
    return GM_FAIL(err, GM_EMODEL,
                   "%s: tensor %s: element %zu is %g: the weights are damaged; get them again, or "
                   "use another model",
                   path ? path : "a new parameter", name, element, (double)value);
}

enum gm_status gm_tensor_check_finite(const struct gm_tensor *t, const char *name, const char *path,
                                      struct gm_error *err)
{
    size_t at = gm_tensor_not_finite(t, 0, gm_tensor_count(t));
    return at == SIZE_MAX ? GM_OK : damaged(t, at, at, name, path, err);
}

static enum gm_status check_range(const struct gm_param *p, const struct gm_tensor *t, size_t from,
                                  size_t n, struct gm_error *err)
{
    size_t at = gm_tensor_not_finite(t, from, n), part = p->n / p->n_parts;
    return at == SIZE_MAX ? GM_OK : damaged(t, at, at % part, p->names[at / part], p->file, err);
}

enum gm_status gm_params_check_finite(const struct gm_params *ps, bool embeddings,
                                      struct gm_error *err)
{
    for (size_t i = 0; i < ps->n; i++) {
        const struct gm_param *p = &ps->p[i];
        struct gm_tensor t = gm_param_view(p);
        enum gm_status st = !t.data || (p->kind == GM_EMBEDDING && !embeddings)
                                ? GM_OK
                                : check_range(p, &t, 0, p->n, err);
        if (st != GM_OK)
            return st;
        if (p->stored.data) /* else the whole file would be in memory until the end */
            gm_safetensors_release(&p->stored);
    }
    return GM_OK;
}

enum gm_status gm_param_check_row(const struct gm_param *p, size_t i, struct gm_error *err)
{
    struct gm_tensor t = gm_param_view(p);
    return check_range(p, &t, i * p->shape[1], p->shape[1], err);
}
