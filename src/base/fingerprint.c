#include "base/fingerprint.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/models.h"

#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 256, BLOCKS = 64, SETTINGS_MAX_BYTES = 128 << 20 };

static const size_t head_bytes = (size_t)8 << 20, block_bytes = (size_t)64 << 10;

enum gm_status gm_fingerprint_file(const char *key, const char *path, struct gm_buf *out,
                                   struct gm_error *err)
{
    char hex[GM_SHA256_HEX];
    enum gm_status st = gm_sha256_file(path, hex, err);
    return st == GM_OK ? gm_buf_printf(out, err, "%s=%s\n", key, hex) : st;
}

static enum gm_status add_files(const char *model, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *dir, **names;
    size_t n;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_model_dir(&a, model, &dir, err));
    GM_TRY(gm_dir_list(&a, dir, FILES_MAX, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        const char *path = gm_path_join(&a, dir, names[i]);
        const char *key = gm_path_join(&a, model, names[i]);
        /* A model card is not part of what it computes. */
        if (gm_str_ends(gm_str(names[i]), GM_STR(".md")) || (path && !gm_is_file(path)))
            continue;
        if (!path || !key) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
        GM_TRY(gm_fingerprint_file(key, path, out, err));
    }
done:
    gm_arena_clear(&a);
    return st;
}

/* Of an ensemble what its members compute counts, whose names its gmner.json has (model/members.h). */
enum gm_status gm_fingerprint_model(const char *model, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *dir;
    struct gm_json *settings = NULL;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(add_files(model, out, err));
    GM_TRY(gm_model_dir(&a, model, &dir, err));
    const char *path = gm_path_join(&a, dir, "gmner.json");
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (!gm_is_file(path))
        goto done;
    GM_TRY(gm_json_load(&settings, path, SETTINGS_MAX_BYTES, err));
    const struct gm_json *members = gm_json_get(settings, "members");
    for (size_t i = 0; i < gm_json_count(members); i++) {
        struct gm_str name = {0};
        (void)gm_json_str(gm_json_get(gm_json_at(members, i), "model"), &name);
        const char *member = gm_arena_str(&a, name).p;
        GM_TRY(member ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
        if (name.n)
            GM_TRY(add_files(member, out, err));
    }
done:
    gm_json_free(settings);
    gm_arena_clear(&a);
    return st;
}

/* ---- a network and its weights ---- */

/* The files that are done; a network of many tensors names the same one for each. */
struct siblings {
    struct gm_arena arena;
    const char *key, *dir;
    struct gm_str *names;
    size_t n, cap;
};

static enum gm_status add_sibling(struct siblings *s, struct gm_str name, struct gm_buf *out,
                                  struct gm_error *err)
{
    for (size_t i = 0; i < s->n; i++)
        if (gm_str_eq(s->names[i], name))
            return GM_OK;
    const char *path = gm_path_below(&s->arena, s->dir, name).p;
    const char *key = gm_arena_printf(&s->arena, "%s/%.*s", s->key, GM_STR_ARG(name)).p;
    if (!path || !key)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = GM_GROW(s->names, s->n, s->cap, err);
    if (st != GM_OK)
        return st;
    s->names[s->n++] = name;
    return gm_is_file(path) ? gm_fingerprint_file(key, path, out, err) : GM_OK;
}

/* A tensor with external data has an entry {key: "location", value: FILE}: in protobuf's bytes field 1
 * with that word, then field 2 with the name. A name of more than 127 bytes has a length of two. */
static enum gm_status add_external(struct siblings *s, struct gm_str onnx, struct gm_buf *out,
                                   struct gm_error *err)
{
    static const struct gm_str entry = {"\n\010location\022", 11};
    enum gm_status st = GM_OK;
    for (size_t at = gm_str_find(onnx, entry, 0); at != SIZE_MAX && st == GM_OK;
         at = gm_str_find(onnx, entry, at)) {
        const unsigned char *p = (const unsigned char *)onnx.p;
        at += entry.n;
        size_t from = at + 1, n = from < onnx.n ? p[at] : 0;
        if (n > 127)
            n = (n & 127) | (size_t)p[from++] << 7;
        if (n && from + n <= onnx.n)
            st = add_sibling(s, gm_str_sub(onnx, from, from + n), out, err);
    }
    return st;
}

enum gm_status gm_fingerprint_network(const char *key, const char *path, struct gm_buf *out,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_map map = {0};
    struct siblings s = {.key = key};
    struct gm_str file = gm_path_file(gm_str(path));
    gm_arena_init(&s.arena, 0);
    GM_TRY(gm_fingerprint_file(key, path, out, err));
    if (!(s.dir = gm_path_dir(&s.arena, path))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    } else if (gm_str_ends(file, GM_STR(".xml"))) {
        struct gm_str bin =
            gm_arena_printf(&s.arena, "%.*s.bin", (int)(file.n - strlen(".xml")), file.p);
        st = bin.p ? add_sibling(&s, bin, out, err) : GM_FAIL(err, GM_ENOMEM, "out of memory");
    } else if (gm_str_ends(file, GM_STR(".onnx"))) {
        GM_TRY(gm_map_open(&map, path, err));
        st = add_external(&s, (struct gm_str){(const char *)map.p, map.n}, out, err);
    }
done:
    gm_map_close(&map);
    gm_free(s.names);
    gm_arena_clear(&s.arena);
    return st;
}

/* ---- large files ---- */

enum gm_status gm_fingerprint_sample(const char *path, char hex[GM_SHA256_HEX],
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_map map = {0};
    struct gm_buf b;
    size_t all = head_bytes + BLOCKS * block_bytes;
    gm_buf_init(&b, all + 64);
    GM_TRY(gm_map_open(&map, path, err));
    const struct gm_str s = {(const char *)map.p, map.n};
    GM_TRY(gm_buf_printf(&b, err, "%zu\n", s.n));
    GM_TRY(gm_buf_add_str(&b, gm_str_sub(s, 0, s.n <= all ? s.n : head_bytes), err));
    for (size_t i = 0; i < BLOCKS && s.n > all; i++) {
        size_t at = (s.n - block_bytes) / (BLOCKS - 1) * i;
        at = i == BLOCKS - 1 ? s.n - block_bytes : at;
        GM_TRY(gm_buf_add_str(&b, gm_str_sub(s, at, at + block_bytes), err));
    }
    gm_sha256(gm_buf_str(&b), hex);
done:
    gm_map_close(&map);
    gm_buf_clear(&b);
    return st;
}
