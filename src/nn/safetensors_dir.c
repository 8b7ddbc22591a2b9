/* Where a Hugging Face directory keeps its weights. */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/path.h"
#include "base/json.h"
#include "nn/safetensors.h"

#include <string.h>

enum { MAX_INDEX_BYTES = 64 << 20, MAX_FILES = 1000 };

/* An index that is being followed. */
struct shards {
    const char *dir, *path; /* of the model, of the index */
    struct gm_arena *a;
    const char *names[MAX_FILES];
    struct gm_safetensors *files[MAX_FILES];
    size_t n;
};

static enum gm_status open_shard(struct shards *s, const char *name, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (s->n == MAX_FILES)
        return GM_FAIL(err, GM_EMODEL, "%s: over %d files", s->path, MAX_FILES);
    if (strchr(name, '/'))
        return GM_FAIL(err, GM_EMODEL, "%s: \"%s\" is not a file of that directory", s->path, name);
    const char *path = gm_path_join(s->a, s->dir, name);
    if (!path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_path_reach(path, err));
    if (!gm_is_file(path))
        return GM_FAIL(err, GM_EMODEL, "%s: no such file, but %s needs it", path, s->path);
    GM_TRY(gm_safetensors_open(&s->files[s->n], path, err));
    s->names[s->n++] = name;
done:
    return st;
}

/* Open the files that "weight_map" names, and see that each tensor is where it should be. */
static enum gm_status follow(struct shards *s, const struct gm_json *map, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (gm_json_count(map) == 0)
        return GM_FAIL(err, GM_EMODEL, "%s: no weight_map", s->path);
    for (void *it = gm_json_first(map); it; it = gm_json_next(map, it)) {
        struct gm_str name;
        struct gm_tensor t;
        size_t i = 0;
        if (!gm_json_str(gm_json_value(it), &name))
            return GM_FAIL(err, GM_EMODEL, "%s: weight_map must be tensor names and files",
                           s->path);
        while (i < s->n && strcmp(s->names[i], name.p) != 0)
            i++;
        if (i == s->n)
            GM_TRY(open_shard(s, name.p, err));
        if (!gm_safetensors_get(s->files[i], gm_json_key(it).p, &t))
            return GM_FAIL(err, GM_EMODEL, "%s: tensor %s is not in %s", s->path, gm_json_key(it).p,
                           name.p);
    }
done:
    return st;
}

static enum gm_status open_index(struct gm_safetensors **out, const char *dir, const char *path,
                                 struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *index = NULL;
    struct shards *s = gm_alloc(1, sizeof *s);
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->dir = dir;
    s->path = path;
    s->a = a;
    GM_TRY(gm_json_load(&index, path, MAX_INDEX_BYTES, err));
    GM_TRY(follow(s, gm_json_get(index, "weight_map"), err));
    st = gm_safetensors_join(out, path, s->files, s->n, err);
    s->n = 0; /* taken over */
done:
    for (size_t i = 0; i < s->n; i++)
        gm_safetensors_free(s->files[i]);
    gm_json_free(index);
    gm_free(s);
    return st;
}

/* The weights that Python pickled, in one file or several; NULL = there are none. */
static const char *find_pickle(struct gm_arena *a, const char *dir)
{
    static const char *const names[] = {"pytorch_model.bin", "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = gm_path_join(a, dir, names[i]);
        if (path && gm_is_file(path))
            return path;
    }
    return NULL;
}

enum gm_status gm_safetensors_open_dir(struct gm_safetensors **out, const char *dir,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    *out = NULL;
    gm_arena_init(&a, 0);
    const char *single = gm_path_join(&a, dir, "model.safetensors");
    const char *index = gm_path_join(&a, dir, "model.safetensors.index.json");
    const char *pickle = find_pickle(&a, dir);
    if (!single || !index)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    else if ((st = gm_path_reach(single, err)) != GM_OK)
        goto done;
    else if (gm_is_file(single))
        st = gm_safetensors_open(out, single, err);
    else if (gm_is_file(index))
        st = open_index(out, dir, index, &a, err);
    else if (pickle)
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: no model.safetensors, only a pickle; convert it: python3 -c \"import "
                     "transformers as t; d = '%s'; getattr(t, (t.AutoConfig.from_pretrained(d)"
                     ".architectures or ['AutoModel'])[0]).from_pretrained(d).save_pretrained(d)\"",
                     pickle, dir);
    else
        st = GM_FAIL(err, GM_EMODEL, "%s: no such file; a model directory needs it", single);
done:
    gm_arena_clear(&a);
    return st;
}
