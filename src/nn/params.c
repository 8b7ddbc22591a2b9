/* params.c - the table of a model's parameters. A parameter's values [rows][cols] are where they
 * are cheapest: mapped from the file, as f32, or as a bf16 copy for products; gm_param_view says
 * where. Names in files differ: prefixes of models with a head, LayerNorm.gamma of old ones,
 * three tensors (query, key, value) that are one parameter here, one below the other. Tests:
 * tests/unit/test_nn_params.c. */
#include "nn/params.h"

#include "base/alloc.h"
#include "nn/int8.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

void gm_params_init(struct gm_params *ps, enum gm_dtype dtype, bool training)
{
    *ps = (struct gm_params){.dtype = dtype, .training = training};
    gm_arena_init(&ps->arena, 0);
}

void gm_params_clear(struct gm_params *ps)
{
    for (size_t i = 0; i < ps->n; i++) {
        struct gm_param *p = &ps->p[i];
        gm_packed_free(p->packed);
        gm_packed_free(p->packed_back);
        void *all[] = {p->scale, p->w, p->w16, p->g, p->m, p->v, p->slot, p->touched};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            gm_free(all[k]);
    }
    gm_free(ps->p);
    gm_arena_clear(&ps->arena);
    *ps = (struct gm_params){0};
}

enum gm_status gm_params_add_parts(struct gm_params *ps, size_t *index, enum gm_param_kind kind,
                                   size_t rows, size_t cols,
                                   const char *const names[GM_PARAM_PARTS], struct gm_error *err)
{
    size_t parts = 1, n;
    while (parts < GM_PARAM_PARTS && names[parts])
        parts++;
    if (!gm_mul_size(rows, parts, &rows) || !gm_mul_size(rows, cols ? cols : 1, &n))
        return GM_FAIL(err, GM_ESHAPE, "parameter %s is too large", names[0]);
    if (ps->n == ps->cap) {
        size_t cap = ps->cap ? 2 * ps->cap : 64;
        struct gm_param *grown = gm_realloc(ps->p, cap, sizeof *grown);
        if (!grown)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        ps->p = grown;
        ps->cap = cap;
    }
    struct gm_param *p = &ps->p[ps->n];
    *p = (struct gm_param){.n_parts = parts,
                           .kind = kind,
                           .rank = cols ? 2 : 1,
                           .shape = {rows, cols ? cols : 1},
                           .n = n,
                           .decay = kind != GM_VECTOR,
                           .lr_scale = 1,
                           .packed_stale = true};
    for (size_t k = 0; k < parts; k++) {
        p->names[k] = gm_arena_str(&ps->arena, gm_str(names[k])).p;
        if (!p->names[k])
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    *index = ps->n++;
    return GM_OK;
}

enum gm_status gm_params_add(struct gm_params *ps, size_t *index, enum gm_param_kind kind,
                             size_t rows, size_t cols, struct gm_error *err, const char *name_fmt,
                             ...)
{
    char name[256];
    va_list ap;
    va_start(ap, name_fmt);
    vsnprintf(name, sizeof name, name_fmt, ap);
    va_end(ap);
    return gm_params_add_parts(ps, index, kind, rows, cols,
                               (const char *const[GM_PARAM_PARTS]){name}, err);
}

enum gm_status gm_params_add_conv(struct gm_params *ps, size_t *index, size_t out, size_t in,
                                  size_t kernel, const char *name, struct gm_error *err)
{
    size_t cols;
    if (!gm_mul_size(in, kernel, &cols))
        return GM_FAIL(err, GM_ESHAPE, "parameter %s is too large", name);
    enum gm_status st = gm_params_add(ps, index, GM_VECTOR, out, cols, err, "%s", name);
    if (st != GM_OK)
        return st;
    ps->p[*index].kernel = kernel;
    ps->p[*index].decay = true;
    return GM_OK;
}

bool gm_param_has_values(const struct gm_param *p) { return p->w || p->w16 || p->stored.data; }

/* Of a model that holds the encoder, as checkpoints with a head have it; and what peft puts in front of these. */
static const char *const prefixes[] = {"",         "bert.",  "roberta.", "distilbert.",
                                       "electra.", "mpnet.", "deberta.", "model."};
static const char *const outer[] = {"", "base_model.model."};
enum {
    N_PREFIXES = sizeof prefixes / sizeof *prefixes,
    N_OUTER = sizeof outer / sizeof *outer,
    MAX_NAME = 300
};

/* A tensor by its name, by that behind a prefix, or by the LayerNorm names of the first BERT
 * checkpoints; `text` is its name in the file. */
static bool find(const struct gm_safetensors *f, const char *name, struct gm_tensor *out,
                 char text[MAX_NAME])
{
    static const char *const norms[][2] = {{"LayerNorm.weight", "LayerNorm.gamma"},
                                           {"LayerNorm.bias", "LayerNorm.beta"}};
    for (size_t i = 0; i < N_OUTER * N_PREFIXES; i++) {
        const char *first = outer[i / N_PREFIXES], *second = prefixes[i % N_PREFIXES];
        snprintf(text, MAX_NAME, "%s%s%s", first, second, name);
        if (gm_safetensors_get(f, text, out))
            return true;
        for (size_t k = 0; k < 2; k++)
            if (gm_str_ends(gm_str(name), gm_str(norms[k][0]))) {
                int n = (int)(strlen(name) - strlen(norms[k][0]));
                snprintf(text, MAX_NAME, "%s%s%.*s%s", first, second, n, name, norms[k][1]);
                if (gm_safetensors_get(f, text, out))
                    return true;
            }
    }
    return false;
}

bool gm_params_find(const struct gm_safetensors *f, const char *name, struct gm_tensor *out)
{
    char text[MAX_NAME];
    return find(f, name, out, text);
}

/* Whether `name` is `want`, perhaps with a prefix. */
static bool is_name(const char *name, const char *want)
{
    char text[MAX_NAME];
    for (size_t i = 0; i < N_OUTER * N_PREFIXES; i++) {
        snprintf(text, sizeof text, "%s%s%s", outer[i / N_PREFIXES], prefixes[i % N_PREFIXES],
                 want);
        if (strcmp(text, name) == 0)
            return true;
    }
    return false;
}

bool gm_params_is_matrix(const struct gm_params *ps, const char *name)
{
    for (size_t i = 0; i < ps->n; i++)
        for (size_t k = 0; k < ps->p[i].n_parts; k++)
            if (is_name(name, ps->p[i].names[k]))
                return ps->p[i].kind == GM_MATRIX;
    return false;
}

unsigned gm_param_file_shape(const struct gm_param *p, size_t shape[GM_MAX_RANK])
{
    size_t in = p->kernel ? p->shape[1] / p->kernel : p->shape[1];
    memcpy(shape, (const size_t[GM_MAX_RANK]){p->shape[0] / p->n_parts, in, p->kernel},
           GM_MAX_RANK * sizeof *shape);
    return p->kernel ? 3 : p->rank;
}

static enum gm_status check_part(const struct gm_param *p, const struct gm_tensor *t,
                                 const char *name, const char *path, struct gm_error *err)
{
    size_t want[GM_MAX_RANK];
    unsigned rank = gm_param_file_shape(p, want);
    if (t->rank != rank || memcmp(t->shape, want, rank * sizeof *want) != 0)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: tensor %s has shape [%zu,%zu] (rank %u) where the model's "
                       "settings ask for [%zu,%zu] (rank %u)",
                       path, name, t->shape[0], t->rank > 1 ? t->shape[1] : 1, t->rank, want[0],
                       want[1], rank);
    if (t->dtype != GM_F32 && t->dtype != GM_BF16 && t->dtype != GM_F16 &&
        !(t->dtype == GM_I8 && p->kind == GM_MATRIX))
        return GM_FAIL(err, GM_EMODEL, "%s: tensor %s is no float tensor (F32, F16 or BF16)", path,
                       name);
    return GM_OK;
}

/* The scales of part k, whose int8 tensor is `name` in the file. */
static enum gm_status read_scale(struct gm_param *p, size_t k, const struct gm_safetensors *f,
                                 const char *name, struct gm_error *err)
{
    struct gm_tensor t;
    char text[MAX_NAME + sizeof GM_INT8_SCALE];
    const char *path = gm_safetensors_path(f);
    size_t rows = p->shape[0] / p->n_parts;
    snprintf(text, sizeof text, "%s" GM_INT8_SCALE, name);
    if (!gm_safetensors_get(f, text, &t))
        return GM_FAIL(err, GM_EMODEL, "%s: tensor %s is missing, the scales of the int8 tensor %s",
                       path, text, name);
    if (t.dtype != GM_F32 || t.rank != 1 || t.shape[0] != rows)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: tensor %s must be F32 with shape [%zu], a scale for each row of %s",
                       path, text, rows, name);
    if (!p->scale && !(p->scale = gm_alloc_aligned(p->shape[0], sizeof *p->scale)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    memcpy(p->scale + k * rows, t.data, rows * sizeof *p->scale);
    for (size_t i = 0; i < rows; i++)
        if (!(p->scale[k * rows + i] >= 0 && p->scale[k * rows + i] <= FLT_MAX))
            return GM_FAIL(err, GM_EMODEL,
                           "%s: tensor %s: element %zu, %g, is no scale (finite, 0 or more)", path,
                           text, i, (double)p->scale[k * rows + i]);
    return GM_OK;
}

static void part_values(const struct gm_tensor *t, const float *scale, float *out)
{
    if (t->dtype == GM_I8)
        gm_int8_values(t, scale, out);
    else
        gm_tensor_to_f32(t, 0, gm_tensor_count(t), out);
}

/* Whether all parts are in `f`, or in a file before it that had some of them: an adapter beside a query that was trained
 * whole has no key. Else the first that is not is `missing`. */
static bool is_complete(struct gm_param *p, const struct gm_safetensors *f)
{
    struct gm_tensor t;
    bool some = false, all = true;
    for (size_t k = 0; k < p->n_parts; k++) {
        bool has = gm_params_find(f, p->names[k], &t);
        some = some || has;
        if (has || (p->some && gm_params_find(p->some, p->names[k], &t)))
            continue;
        p->missing = all ? p->names[k] : p->missing;
        all = false;
    }
    if (some && !all && !p->some)
        p->some = f;
    return all;
}

enum gm_status gm_param_bind(struct gm_param *p, const struct gm_safetensors *f,
                             struct gm_error *err)
{
    struct gm_tensor parts[GM_PARAM_PARTS];
    const char *path = gm_safetensors_path(f);
    bool adjacent = true;
    size_t n = p->n / p->n_parts, rows = p->shape[0] / p->n_parts;
    char name[MAX_NAME];
    if (!is_complete(p, f))
        return GM_OK;
    for (size_t k = 0; k < p->n_parts; k++) {
        bool first = p->some && find(p->some, p->names[k], &parts[k], name);
        const struct gm_safetensors *from = first ? p->some : f;
        (void)(first || find(f, p->names[k], &parts[k], name));
        enum gm_status st = check_part(p, &parts[k], p->names[k], gm_safetensors_path(from), err);
        if (st == GM_OK && parts[k].dtype == GM_I8)
            st = read_scale(p, k, from, name, err);
        if (st != GM_OK)
            return st;
        adjacent =
            adjacent && parts[k].dtype == parts[0].dtype &&
            parts[k].data == (const char *)parts[0].data + k * n * gm_dtype_size(parts[0].dtype);
    }
    p->file = path;
    if (adjacent) { /* as we write them ourselves: one mapped block */
        p->stored = parts[0];
        p->stored.shape[0] = p->shape[0];
        return GM_OK;
    }
    p->w = gm_alloc_aligned(p->n, sizeof *p->w);
    if (!p->w)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t k = 0; k < p->n_parts; k++) {
        part_values(&parts[k], p->scale ? p->scale + k * rows : NULL, p->w + k * n);
        gm_safetensors_release(&parts[k]);
    }
    return GM_OK;
}

enum gm_status gm_params_bind(struct gm_params *ps, const struct gm_safetensors *f,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < ps->n && st == GM_OK; i++)
        if (!gm_param_has_values(&ps->p[i]))
            st = gm_param_bind(&ps->p[i], f, err);
    return st;
}

const char *gm_params_missing(const struct gm_params *ps)
{
    for (size_t i = 0; i < ps->n; i++)
        if (!gm_param_has_values(&ps->p[i]))
            return ps->p[i].missing ? ps->p[i].missing : ps->p[i].names[0];
    return NULL;
}

enum gm_status gm_param_own(struct gm_param *p, struct gm_error *err)
{
    if (p->w)
        return GM_OK;
    p->w = gm_alloc_aligned(p->n, sizeof *p->w);
    if (!p->w)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu weights", p->n);
    if (p->stored.data) {
        part_values(&p->stored, p->scale, p->w);
        gm_safetensors_release(&p->stored);
    }
    p->stored.data = NULL;
    return GM_OK;
}

enum gm_status gm_params_init_normal(struct gm_params *ps, size_t index, double std,
                                     struct gm_rng *rng, struct gm_error *err)
{
    struct gm_param *p = &ps->p[index];
    enum gm_status st = gm_param_own(p, err);
    for (size_t i = 0; st == GM_OK && i < p->n; i++)
        p->w[i] = (float)(std * gm_rng_normal(rng));
    return st;
}

enum gm_status gm_params_init_const(struct gm_params *ps, size_t index, float value,
                                    struct gm_error *err)
{
    struct gm_param *p = &ps->p[index];
    enum gm_status st = gm_param_own(p, err);
    for (size_t i = 0; st == GM_OK && i < p->n; i++)
        p->w[i] = value;
    return st;
}

enum gm_status gm_params_add_zeros(struct gm_params *ps, size_t *index, size_t n,
                                   struct gm_error *err)
{
    enum gm_status st = gm_params_add(ps, index, GM_VECTOR, n, 0, err, "zeros");
    if (st != GM_OK)
        return st;
    ps->p[*index].frozen = ps->p[*index].helper = true;
    return gm_params_init_const(ps, *index, 0, err);
}

static enum gm_status ready_for_training(struct gm_param *p, struct gm_error *err)
{
    enum gm_status st = gm_param_own(p, err);
    if (st != GM_OK)
        return st;
    p->m = gm_alloc(p->n, sizeof *p->m); /* zeroed pages: untouched embedding rows cost nothing */
    p->v = gm_alloc(p->n, sizeof *p->v);
    if (p->kind == GM_EMBEDDING)
        p->slot = gm_alloc(p->shape[0], sizeof *p->slot);
    else
        p->g = gm_alloc_aligned(p->n, sizeof *p->g);
    if (!p->m || !p->v || !(p->kind == GM_EMBEDDING ? (void *)p->slot : (void *)p->g))
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu weights", p->n);
    return GM_OK;
}

void gm_param_changed(struct gm_param *p)
{
    for (size_t i = 0; p->w16 && i < p->n; i++)
        p->w16[i] = gm_bf16_from_f32(p->w[i]);
    p->packed_stale = true;
}

/* Whether a matrix can stay as it is stored. */
static bool is_usable(const struct gm_params *ps, const struct gm_param *p)
{
    return p->stored.dtype == ps->dtype || ps->training || ps->int8 || p->stored.dtype == GM_I8;
}

/* The bf16 copy that products read, in place of the f32 values where those are of no more use. */
static enum gm_status own_bf16(const struct gm_params *ps, struct gm_param *p, struct gm_error *err)
{
    p->w16 = gm_alloc_aligned(p->n, sizeof *p->w16);
    if (!p->w16)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu weights", p->n);
    gm_param_changed(p);
    if (!ps->training || p->frozen) {
        gm_free(p->w);
        p->w = NULL;
    }
    return GM_OK;
}

enum gm_status gm_param_ready(const struct gm_params *ps, struct gm_param *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (ps->training && !p->frozen)
        st = ready_for_training(p, err);
    else if (p->kind == GM_VECTOR || (p->kind == GM_MATRIX && p->stored.data && !is_usable(ps, p)))
        st = gm_param_own(p, err);
    if (st == GM_OK && p->kind == GM_MATRIX && p->w && ps->dtype == GM_BF16 && !ps->int8)
        st = own_bf16(ps, p, err);
    return st;
}

enum gm_status gm_params_ready(struct gm_params *ps, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *missing = gm_params_missing(ps);
    if (missing)
        return GM_FAIL(err, GM_EMODEL, "tensor %s is missing", missing);
    for (size_t i = 0; i < ps->n && st == GM_OK; i++)
        st = gm_param_ready(ps, &ps->p[i], err);
    return st;
}

struct gm_tensor gm_param_view(const struct gm_param *p)
{
    if (p->stored.data)
        return p->stored;
    return (struct gm_tensor){.dtype = p->w ? GM_F32 : GM_BF16,
                              .rank = p->rank,
                              .shape = {p->shape[0], p->shape[1]},
                              .data = p->w ? (const void *)p->w : p->w16};
}

const void *gm_param_matrix(const struct gm_param *p, enum gm_dtype dtype)
{
    if (p->stored.data)
        return p->stored.dtype == dtype ? p->stored.data : NULL;
    return dtype == GM_BF16 ? (const void *)p->w16 : p->w;
}

void gm_param_row(const struct gm_param *p, size_t row, float *out)
{
    if (p->w)
        memcpy(out, p->w + row * p->shape[1], p->shape[1] * sizeof *out);
    else
        gm_tensor_to_f32(&p->stored, row * p->shape[1], p->shape[1], out);
}

float *gm_param_touch(struct gm_param *p, size_t row)
{
    size_t width = p->shape[1];
    if (p->slot[row])
        return p->g + (p->slot[row] - 1) * width;
    if (p->n_touched == p->cap_touched) {
        size_t cap = p->cap_touched ? 2 * p->cap_touched : 256;
        uint32_t *touched = gm_realloc(p->touched, cap, sizeof *touched);
        if (!touched)
            return NULL;
        p->touched = touched;
        size_t n;
        float *g = gm_mul_size(cap, width, &n) ? gm_realloc(p->g, n, sizeof *g) : NULL;
        if (!g)
            return NULL;
        p->g = g;
        p->cap_touched = cap;
    }
    p->touched[p->n_touched++] = (uint32_t)row;
    p->slot[row] = (uint32_t)p->n_touched;
    float *g = p->g + (p->n_touched - 1) * width;
    memset(g, 0, width * sizeof *g);
    return g;
}

void gm_param_values(const struct gm_param *p, float *out)
{
    struct gm_tensor t = gm_param_view(p);
    part_values(&t, p->scale, out);
}

void gm_param_set(struct gm_param *p, const float *values)
{
    memcpy(p->w, values, p->n * sizeof *p->w);
    gm_param_changed(p);
}

void gm_params_add_grad(struct gm_param *p, const float *d)
{
    if (p->frozen)
        return;
    if (!p->has_g)
        memset(p->g, 0, p->n * sizeof *p->g);
    p->has_g = true;
    for (size_t i = 0; i < p->n; i++)
        p->g[i] += d[i];
}

void gm_params_zero_grad(struct gm_params *ps)
{
    for (size_t i = 0; i < ps->n; i++) {
        struct gm_param *p = &ps->p[i];
        for (size_t k = 0; k < p->n_touched; k++)
            p->slot[p->touched[k]] = 0;
        p->n_touched = 0;
        p->has_g = false;
    }
}
