#include "nn/safetensors.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 100 * 1000 * 1000 };

static const struct {
    const char *name;
    enum gm_dtype dtype;
} dtypes[] = {
    {"F32", GM_F32}, {"BF16", GM_BF16}, {"F16", GM_F16}, {"I64", GM_I64},
    {"I32", GM_I32}, {"I8", GM_I8},     {"U8", GM_U8},
};

struct entry {
    const char *name;
    struct gm_tensor tensor;
    size_t begin, end; /* bytes of the data part */
};

struct gm_safetensors {
    struct gm_map map;
    struct gm_json *header;
    struct gm_arena arena;
    const char *path;
    struct entry *entries; /* in order of their data; of joined files: file by file */
    size_t n;
    struct gm_safetensors **parts; /* [n_parts] the files that are joined in it; else none */
    size_t n_parts;
};

void gm_safetensors_free(struct gm_safetensors *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_parts; i++)
        gm_safetensors_free(f->parts[i]);
    gm_map_close(&f->map);
    gm_json_free(f->header);
    gm_arena_clear(&f->arena);
    gm_free(f);
}

static enum gm_status read_shape(struct gm_safetensors *f, struct entry *e,
                                 const struct gm_json *shape, struct gm_error *err)
{
    size_t n = gm_json_count(shape), count = 1;
    if (gm_json_kind(shape) != GM_JSON_ARRAY || n > GM_MAX_RANK)
        return GM_FAIL(err, GM_EFORMAT, "%s: tensor %s: shape must be a list of at most %d numbers",
                       f->path, e->name, GM_MAX_RANK);
    e->tensor.rank = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        long long d;
        if (!gm_json_int(gm_json_at(shape, i), &d) || d < 0 ||
            !gm_mul_size(count, (size_t)d, &count))
            return GM_FAIL(err, GM_EFORMAT,
                           "%s: tensor %s: shape is not made of sizes, or their product overflows",
                           f->path, e->name);
        e->tensor.shape[i] = (size_t)d;
    }
    size_t bytes;
    if (!gm_mul_size(count, gm_dtype_size(e->tensor.dtype), &bytes) || bytes != e->end - e->begin)
        return GM_FAIL(err, GM_EFORMAT, "%s: tensor %s: its shape and its %zu bytes do not agree",
                       f->path, e->name, e->end - e->begin);
    return GM_OK;
}

static enum gm_status read_entry(struct gm_safetensors *f, struct entry *e, const struct gm_json *j,
                                 size_t data_bytes, struct gm_error *err)
{
    struct gm_str dtype = {0};
    const struct gm_json *range = gm_json_get(j, "data_offsets");
    long long begin, end;
    size_t k = 0;
    if (!gm_json_str(gm_json_get(j, "dtype"), &dtype))
        return GM_FAIL(err, GM_EFORMAT, "%s: tensor %s has no dtype", f->path, e->name);
    while (k < sizeof dtypes / sizeof *dtypes && !gm_str_eq_c(dtype, dtypes[k].name))
        k++;
    if (k == sizeof dtypes / sizeof *dtypes)
        return GM_FAIL(err, GM_EFORMAT, "%s: tensor %s: unknown dtype \"%.*s\"", f->path, e->name,
                       GM_STR_ARG(dtype));
    if (gm_json_count(range) != 2 || !gm_json_int(gm_json_at(range, 0), &begin) ||
        !gm_json_int(gm_json_at(range, 1), &end) || begin < 0 || end < begin ||
        (size_t)end > data_bytes)
        return GM_FAIL(err, GM_EFORMAT,
                       "%s: tensor %s: data_offsets are not two positions within the file's %zu "
                       "bytes of data; the file may be cut short",
                       f->path, e->name, data_bytes);
    e->tensor.dtype = dtypes[k].dtype;
    e->begin = (size_t)begin;
    e->end = (size_t)end;
    return read_shape(f, e, gm_json_get(j, "shape"), err);
}

static int by_position(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static enum gm_status check_holes(const struct gm_safetensors *f, size_t data_bytes,
                                  struct gm_error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->entries[i].begin != at)
            return GM_FAIL(
                err, GM_EFORMAT, "%s: tensor %s: its data %s", f->path, f->entries[i].name,
                f->entries[i].begin < at ? "overlaps another tensor's" : "follows a hole");
        at = f->entries[i].end;
    }
    if (at != data_bytes)
        return GM_FAIL(err, GM_EFORMAT, "%s: %zu bytes behind the last tensor", f->path,
                       data_bytes - at);
    return GM_OK;
}

static enum gm_status read_header(struct gm_safetensors *f, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint64_t length = 0;
    if (f->map.n < 8)
        return GM_FAIL(err, GM_EFORMAT, "%s: too short for a safetensors file", f->path);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | f->map.p[i];
    if (length > MAX_HEADER || length > f->map.n - 8)
        return GM_FAIL(err, GM_EFORMAT, "%s: header of %llu bytes %s", f->path,
                       (unsigned long long)length,
                       length > MAX_HEADER ? "is over the limit of 100 MB"
                                           : "is longer than the file; it may be cut short");
    st =
        gm_json_parse(&f->header, (struct gm_str){(const char *)f->map.p + 8, (size_t)length}, err);
    if (st == GM_EFORMAT)
        gm_error_prefix(err, "%s: header", f->path);
    if (st != GM_OK)
        return st;
    if (gm_json_kind(f->header) != GM_JSON_OBJECT)
        return GM_FAIL(err, GM_EFORMAT, "%s: the header is no JSON object", f->path);
    size_t data_bytes = f->map.n - 8 - (size_t)length;
    f->entries = gm_arena_alloc(&f->arena, gm_json_count(f->header), sizeof *f->entries);
    if (!f->entries)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (void *it = gm_json_first(f->header); it; it = gm_json_next(f->header, it)) {
        struct entry *e = &f->entries[f->n];
        if (gm_str_eq_c(gm_json_key(it), "__metadata__"))
            continue;
        e->name = gm_json_key(it).p;
        GM_TRY(read_entry(f, e, gm_json_value(it), data_bytes, err));
        e->tensor.data = f->map.p + 8 + length + e->begin;
        if ((uintptr_t)e->tensor.data % gm_dtype_size(e->tensor.dtype))
            return GM_FAIL(err, GM_EFORMAT,
                           "%s: tensor %s is not aligned to its type; save the file again with a "
                           "current safetensors library",
                           f->path, e->name);
        f->n++;
    }
    qsort(f->entries, f->n, sizeof *f->entries, by_position);
    st = check_holes(f, data_bytes, err);
done:
    return st;
}

enum gm_status gm_safetensors_open(struct gm_safetensors **out, const char *path,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_safetensors *f = gm_alloc(1, sizeof *f);
    if (!f)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_init(&f->arena, 0);
    f->path = gm_arena_str(&f->arena, gm_str(path)).p;
    if (!f->path) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_map_open(&f->map, path, err));
    GM_TRY(read_header(f, err));
    *out = f;
    f = NULL;
done:
    gm_safetensors_free(f);
    return st;
}

enum gm_status gm_safetensors_join(struct gm_safetensors **out, const char *path,
                                   struct gm_safetensors *const *files, size_t n,
                                   struct gm_error *err)
{
    size_t n_entries = 0, at = 0;
    struct gm_safetensors *f = gm_alloc(1, sizeof *f);
    *out = f;
    for (size_t i = 0; i < n; i++)
        n_entries += files[i]->n;
    if (f) {
        gm_arena_init(&f->arena, 0);
        f->path = gm_arena_str(&f->arena, gm_str(path)).p;
        f->parts = gm_arena_alloc(&f->arena, n, sizeof *f->parts);
        f->entries = gm_arena_alloc(&f->arena, n_entries, sizeof *f->entries);
    }
    if (!f || !f->path || !f->parts || !f->entries) {
        for (size_t i = 0; i < n; i++)
            gm_safetensors_free(files[i]);
        gm_safetensors_free(f);
        *out = NULL;
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        f->parts[i] = files[i];
        memcpy(f->entries + at, files[i]->entries, files[i]->n * sizeof *f->entries);
        at += files[i]->n;
    }
    f->n = n_entries;
    f->n_parts = n;
    return GM_OK;
}

static bool find(const struct gm_safetensors *f, struct gm_str name, struct gm_tensor *out)
{
    for (size_t i = 0; i < f->n; i++)
        if (gm_str_eq_c(name, f->entries[i].name)) {
            *out = f->entries[i].tensor;
            return true;
        }
    return false;
}

bool gm_safetensors_get(const struct gm_safetensors *f, const char *name, struct gm_tensor *out)
{
    struct gm_str other;
    bool found = find(f, gm_str(name), out) ||
                 (gm_safetensors_metadata(f, name, &other) && find(f, other, out));
    for (size_t i = 0; !found && i < f->n_parts; i++)
        found = gm_safetensors_get(f->parts[i], name, out);
    return found;
}

void gm_safetensors_release(const struct gm_tensor *t)
{
    gm_map_release(t->data, gm_tensor_count(t) * gm_dtype_size(t->dtype));
}

size_t gm_safetensors_count(const struct gm_safetensors *f) { return f->n; }
const char *gm_safetensors_name(const struct gm_safetensors *f, size_t i)
{
    return f->entries[i].name;
}
const char *gm_safetensors_path(const struct gm_safetensors *f) { return f->path; }

bool gm_safetensors_metadata(const struct gm_safetensors *f, const char *key, struct gm_str *out)
{
    return gm_json_str(gm_json_get(gm_json_get(f->header, "__metadata__"), key), out);
}

static struct gm_json *entry_json(const struct gm_tensor *t, size_t begin)
{
    struct gm_json *e = gm_json_new_object(), *shape = gm_json_new_array(),
                   *range = gm_json_new_array();
    const char *dtype = "F32";
    bool ok = e && shape && range;
    for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++)
        if (dtypes[k].dtype == t->dtype)
            dtype = dtypes[k].name;
    size_t end = begin + gm_tensor_count(t) * gm_dtype_size(t->dtype);
    for (unsigned i = 0; ok && i < t->rank; i++)
        ok = gm_json_add(shape, gm_json_new_int((long long)t->shape[i]));
    ok = ok && gm_json_add(range, gm_json_new_int((long long)begin)) &&
         gm_json_add(range, gm_json_new_int((long long)end)) &&
         gm_json_set(e, "dtype", gm_json_new_str(gm_str(dtype)));
    if (ok) {
        ok = gm_json_set(e, "shape", shape);
        ok = gm_json_set(e, "data_offsets", range) && ok;
        shape = range = NULL; /* taken over, whatever the result */
    }
    gm_json_free(shape);
    gm_json_free(range);
    if (ok)
        return e;
    gm_json_free(e);
    return NULL;
}

/* order[n]: the tensors with wide types first, so that the data of each is aligned to its type. */
static void order_by_width(const struct gm_tensor *tensors, size_t n, size_t *order)
{
    size_t at = 0;
    for (size_t width = 8; width > 0; width /= 2)
        for (size_t i = 0; i < n; i++)
            if (gm_dtype_size(tensors[i].dtype) == width)
                order[at++] = i;
}

/* The whole header text, padded with spaces so that the data starts 8-byte aligned. */
static enum gm_status build_header(const struct gm_tensor *tensors, const char *const *names,
                                   const size_t *order, size_t n, const char *const *metadata,
                                   struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *h = gm_json_new_object(), *m = gm_json_new_object();
    bool ok = h && m;
    size_t at = 0;
    for (size_t i = 0; ok && metadata && metadata[i]; i += 2)
        ok = gm_json_set(m, metadata[i], gm_json_new_str(gm_str(metadata[i + 1])));
    if (ok && metadata) {
        ok = gm_json_set(h, "__metadata__", m);
        m = NULL;
    }
    for (size_t i = 0; ok && i < n; i++) {
        const struct gm_tensor *t = &tensors[order[i]];
        ok = gm_json_set(h, names[order[i]], entry_json(t, at));
        at += gm_tensor_count(t) * gm_dtype_size(t->dtype);
    }
    if (!ok) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_json_write(h, false, out, err));
    while (out->n % 8)
        GM_TRY(gm_buf_add_c(out, " ", err));
done:
    gm_json_free(h);
    gm_json_free(m);
    return st;
}

enum gm_status gm_safetensors_write(const char *path, const struct gm_tensor *tensors,
                                    const char *const *names, size_t n, const char *const *metadata,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf header;
    struct gm_out *o = NULL;
    char length[8];
    gm_buf_init(&header, MAX_HEADER);
    size_t *order = gm_alloc(n, sizeof *order);
    if (!order)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    order_by_width(tensors, n, order);
    GM_TRY(build_header(tensors, names, order, n, metadata, &header, err));
    for (int i = 0; i < 8; i++)
        length[i] = (char)((uint64_t)header.n >> (8 * i));
    GM_TRY(gm_out_open(&o, path, err));
    GM_TRY(gm_out_write(o, (struct gm_str){length, 8}, err));
    GM_TRY(gm_out_write(o, gm_buf_str(&header), err));
    for (size_t i = 0; i < n; i++) {
        const struct gm_tensor *t = &tensors[order[i]];
        GM_TRY(gm_out_write(
            o, (struct gm_str){t->data, gm_tensor_count(t) * gm_dtype_size(t->dtype)}, err));
    }
    st = gm_out_commit(o, err);
    o = NULL;
done:
    gm_out_abort(o);
    gm_buf_clear(&header);
    gm_free(order);
    return st;
}
