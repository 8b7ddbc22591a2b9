/* lora.c - the rows of adapters in the table of parameters, and their merging into the matrices, for a matrix
 * W [out][in] with A [r][in] and B [out][r]:
 *
 *   W[i][j] += s (B[i][0] A[0][j] + … + B[i][r-1] A[r-1][j])
 *
 * in f32. What they do in training is ops_lora.c. Tests: tests/unit/test_nn_lora.c; reference: peft itself,
 * tests/ref/lora_reference.py. */
#include "nn/lora.h"

#include "base/alloc.h"
#include "nn/finite.h"

#include <math.h>
#include <stdio.h>

enum { MAX_NAME = 300 };
#define SUFFIX_A ".lora_A.weight"
#define SUFFIX_B ".lora_B.weight"

double gm_lora_scale(const struct gm_lora_opts *o, size_t rank)
{
    return o->alpha / (o->rank_stabilised ? sqrt((double)rank) : (double)rank);
}

/* ---- which layers ---- */

/* The layer's name: that of its tensor without ".weight". */
static struct gm_str layer_of(const char *tensor)
{
    struct gm_str s = gm_str(tensor), end = GM_STR(".weight");
    return gm_str_ends(s, end) ? gm_str_sub(s, 0, s.n - end.n) : s;
}

static bool is_named(struct gm_str layer, struct gm_str target)
{
    return gm_str_ends(layer, target) &&
           (layer.n == target.n || layer.p[layer.n - target.n - 1] == '.');
}

/* The next of a list's names; false at its end. */
static bool next_target(struct gm_str *rest, struct gm_str *target)
{
    do {
        if (rest->n == 0)
            return false;
        gm_str_cut(*rest, ',', target, rest);
        *target = gm_str_trim(*target);
    } while (target->n == 0);
    return true;
}

static bool is_all(struct gm_str targets)
{
    struct gm_str first;
    return !next_target(&targets, &first) || gm_str_eq_c(first, "all-linear");
}

static bool is_target(const char *tensor, struct gm_str targets)
{
    struct gm_str target;
    if (is_all(targets))
        return true;
    while (next_target(&targets, &target))
        if (is_named(layer_of(tensor), target))
            return true;
    return false;
}

/* The last parts of the layers' names, each once. */
static void known_names(const struct gm_params *ps, char *out, size_t cap)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ps->n; i++)
        for (size_t k = 0; k < ps->p[i].n_parts && ps->p[i].kind == GM_MATRIX; k++) {
            struct gm_str s = layer_of(ps->p[i].names[k]);
            size_t from = s.n;
            char name[MAX_NAME];
            while (from > 0 && s.p[from - 1] != '.')
                from--;
            int n = snprintf(name, sizeof name, "%.*s", (int)(s.n - from), s.p + from);
            const char *have = strstr(out, name);
            if ((have && (have[n] == ',' || !have[n])) || n <= 0 || at + (size_t)n + 3 > cap)
                continue;
            at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? ", " : "", name);
        }
}

static enum gm_status check_targets(const struct gm_params *ps, struct gm_str targets,
                                    struct gm_error *err)
{
    struct gm_str rest = targets, target;
    char known[MAX_NAME];
    while (!is_all(targets) && next_target(&rest, &target)) {
        bool found = false;
        for (size_t i = 0; i < ps->n; i++)
            for (size_t k = 0; k < ps->p[i].n_parts; k++)
                found = found || (ps->p[i].kind == GM_MATRIX &&
                                  is_named(layer_of(ps->p[i].names[k]), target));
        known_names(ps, known, sizeof known);
        if (!found)
            return GM_FAIL(
                err, GM_EARG,
                "lora_targets: no linear layer of the encoder is named \"%.*s\" (there are %s)",
                GM_STR_ARG(target), known);
    }
    return GM_OK;
}

/* ---- new rows ---- */

/* The adapters of matrix `index`. The table's rows move as others are added. */
static enum gm_status add_to(struct gm_params *ps, size_t index, const struct gm_lora_opts *o,
                             struct gm_str targets, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char text[GM_PARAM_PARTS][MAX_NAME];
    const char *names[GM_PARAM_PARTS] = {0};
    const struct gm_param w = ps->p[index];
    struct gm_lora *l = gm_arena_alloc(&ps->arena, 1, sizeof *l);
    GM_TRY(l ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    *l = (struct gm_lora){
        .rank = o->rank, .scale = (float)gm_lora_scale(o, o->rank), .dropout = o->dropout};
    for (size_t k = 0; k < w.n_parts; k++) {
        struct gm_str layer = layer_of(w.names[k]);
        if (!is_target(w.names[k], targets))
            continue;
        snprintf(text[l->n], MAX_NAME, "%.*s" SUFFIX_A, GM_STR_ARG(layer));
        names[l->n] = text[l->n];
        l->part[l->n].at = k * (w.shape[0] / w.n_parts);
        GM_TRY(gm_params_add(ps, &l->part[l->n].b, GM_MATRIX, w.shape[0] / w.n_parts, o->rank, err,
                             "%.*s" SUFFIX_B, GM_STR_ARG(layer)));
        l->n++;
    }
    if (l->n == 0)
        goto done;
    GM_TRY(gm_params_add_parts(ps, &l->a, GM_MATRIX, o->rank, w.shape[1], names, err));
    ps->p[index].lora = l;
done:
    return st;
}

enum gm_status gm_lora_add(struct gm_params *ps, const struct gm_lora_opts *o, struct gm_error *err)
{
    struct gm_str targets = o->targets ? gm_str(o->targets) : GM_STR("");
    enum gm_status st = check_targets(ps, targets, err);
    for (size_t i = 0, n = ps->n; i < n && st == GM_OK; i++)
        if (ps->p[i].kind == GM_MATRIX)
            st = add_to(ps, i, o, targets, err);
    return st;
}

enum gm_status gm_lora_init(struct gm_params *ps, uint64_t seed, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_rng rng;
    gm_rng_init(&rng, seed);
    for (size_t i = 0; i < ps->n; i++) {
        const struct gm_lora *l = ps->p[i].lora;
        for (size_t k = 0; l && k < l->n; k++)
            if (!gm_param_has_values(&ps->p[l->part[k].b]))
                GM_TRY(gm_params_init_const(ps, l->part[k].b, 0, err));
        if (!l || gm_param_has_values(&ps->p[l->a]))
            continue;
        GM_TRY(gm_params_init_const(ps, l->a, 0, err));
        struct gm_param *a = &ps->p[l->a];
        double bound = 1 / sqrt((double)a->shape[1]);
        for (size_t j = 0; j < a->n; j++)
            a->w[j] = (float)((2 * gm_rng_uniform(&rng) - 1) * bound);
    }
done:
    return st;
}

/* ---- merging ---- */

enum gm_status gm_lora_check(const struct gm_params *ps, const struct gm_safetensors *f,
                             size_t rank, struct gm_error *err)
{
    for (size_t i = 0; i < gm_safetensors_count(f); i++) {
        const char *name = gm_safetensors_name(f, i), *at = strstr(name, ".lora_");
        struct gm_tensor t;
        char matrix[MAX_NAME];
        if (!at || strstr(name, "pooler."))
            continue;
        snprintf(matrix, sizeof matrix, "%.*s.weight", (int)(at - name), name);
        bool is_a = strcmp(at, SUFFIX_A) == 0, is_b = strcmp(at, SUFFIX_B) == 0;
        if ((!is_a && !is_b) || !gm_params_is_matrix(ps, matrix))
            return GM_FAIL(
                err, GM_EMODEL,
                "%s: tensor %s: only adapters (lora_A, lora_B) of the encoder's linear layers are "
                "supported",
                gm_safetensors_path(f), name);
        gm_safetensors_get(f, name, &t);
        if (rank &&
            (t.rank != 2 || t.shape[is_a ? 0 : 1] != rank || !gm_params_is_matrix(ps, name)))
            return GM_FAIL(
                err, GM_EMODEL,
                "%s: tensor %s is not among the adapters of rank %zu that the training asks for",
                gm_safetensors_path(f), name, rank);
    }
    return GM_OK;
}

/* One of the two factors of part k as f32, in a new block; NULL where the file has none. */
static enum gm_status read_factor(const struct gm_safetensors *f, const struct gm_param *p,
                                  size_t k, const char *suffix, struct gm_tensor *t, float **out,
                                  struct gm_error *err)
{
    char name[MAX_NAME];
    struct gm_str layer = layer_of(p->names[k]);
    *out = NULL;
    snprintf(name, sizeof name, "%.*s%s", GM_STR_ARG(layer), suffix);
    if (!gm_params_find(f, name, t))
        return GM_OK;
    if (t->rank != 2 || (t->dtype != GM_F32 && t->dtype != GM_BF16 && t->dtype != GM_F16))
        return GM_FAIL(err, GM_EMODEL, "%s: tensor %s is no float matrix (F32, F16 or BF16)",
                       gm_safetensors_path(f), name);
    *out = gm_alloc_aligned(gm_tensor_count(t), sizeof **out);
    if (!*out)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_tensor_to_f32(t, 0, gm_tensor_count(t), *out);
    return gm_tensor_check_finite(t, name, gm_safetensors_path(f), err);
}

/* w [rows][in] += scale B A. */
static void add_product(float *w, size_t rows, size_t in, const float *a, const float *b,
                        size_t rank, float scale)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++)
        for (size_t r = 0; r < rank; r++) {
            float x = scale * b[i * rank + r];
            for (size_t j = 0; j < in; j++)
                w[i * in + j] += x * a[r * in + j];
        }
}

static enum gm_status merge_part(struct gm_param *p, size_t k, const struct gm_safetensors *f,
                                 const struct gm_lora_opts *o, bool *merged, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    float *a = NULL, *b = NULL;
    struct gm_tensor ta, tb;
    size_t rows = p->shape[0] / p->n_parts, in = p->shape[1];
    GM_TRY(read_factor(f, p, k, SUFFIX_A, &ta, &a, err));
    GM_TRY(read_factor(f, p, k, SUFFIX_B, &tb, &b, err));
    if (!a && !b)
        goto done;
    if (!a || !b || ta.shape[1] != in || tb.shape[0] != rows || ta.shape[0] != tb.shape[1] ||
        ta.shape[0] == 0) {
        st = GM_FAIL(
            err, GM_EMODEL,
            "%s: the adapter of %s is not of a layer [%zu,%zu], or one of its two tensors is missing",
            gm_safetensors_path(f), p->names[k], rows, in);
        goto done;
    }
    GM_TRY(gm_param_own(p, err));
    add_product(p->w + k * rows * in, rows, in, a, b, ta.shape[0],
                (float)gm_lora_scale(o, ta.shape[0]));
    *merged = true;
done:
    gm_free(a);
    gm_free(b);
    return st;
}

enum gm_status gm_lora_merge(struct gm_params *ps, const struct gm_safetensors *f,
                             const struct gm_lora_opts *o, struct gm_error *err)
{
    enum gm_status st = gm_lora_check(ps, f, 0, err);
    for (size_t i = 0; i < ps->n && st == GM_OK; i++) {
        struct gm_param *p = &ps->p[i];
        bool merged = false;
        for (size_t k = 0; k < p->n_parts && p->kind == GM_MATRIX && st == GM_OK; k++)
            st = merge_part(p, k, f, o, &merged, err);
        if (merged && st == GM_OK &&
            !ps->training) /* so that only one matrix at a time is there as f32 */
            st = gm_param_ready(ps, p, err);
    }
    return st;
}
