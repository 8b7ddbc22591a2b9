#include "model_tools/add.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/models.h"
#include "base/path.h"
#include "base/sha256.h"
#include "model/adapter.h"
#include "model/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMES_MAX = 4096, CHUNK = 1 << 20, SETTINGS_MAX = 64 << 20, MANIFEST_MAX = 1 << 20 };

/* One model being added. */
struct adding {
    struct gm_arena a;
    const char *to;              /* its folder */
    struct gm_json *files;       /* of the manifest */
    char *chunk;                 /* [CHUNK] */
    size_t n_weights, n_pickles; /* files of either kind; the second are not copied */
};

/* Lower-case letters, digits and "-_.", the first no sign: a name is a folder's name everywhere, and no option. */
static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    return name[0] && !strchr("-_.", name[0]) && strspn(name, allowed) == strlen(name);
}

static enum gm_status check_name(struct gm_arena *a, const char *name, struct gm_error *err)
{
    struct gm_model *all;
    size_t n;
    if (!is_name(name))
        return GM_FAIL(
            err, GM_EARG,
            "--name %s: a name has lower-case letters, digits, \"-\", \"_\" and \".\", and begins with a "
            "letter or digit",
            name);
    enum gm_status st = gm_models_load(a, &all, &n, err);
    for (size_t i = 0; i < n && st == GM_OK; i++)
        if (strcmp(all[i].name, name) == 0)
            st = GM_FAIL(err, GM_EARG, "there is a model %s already (%s); give another --name%s",
                         name, all[i].summary,
                         all[i].added
                             ? ", or delete its folder and manifest to put another in its place"
                             : "");
    return st;
}

static enum gm_status copy_bytes(struct adding *x, const char *from, const char *to,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_out *out = NULL;
    size_t n;
    FILE *f = fopen(from, "rb");
    if (!f)
        return GM_FAIL(err, GM_EIO, "%s: %s", from, strerror(errno));
    GM_TRY(gm_out_open(&out, to, err));
    while ((n = fread(x->chunk, 1, CHUNK, f)) > 0)
        GM_TRY(gm_out_write(out, (struct gm_str){x->chunk, n}, err));
    if (ferror(f)) {
        st = GM_FAIL(err, GM_EIO, "%s: cannot be read", from);
        goto done;
    }
    st = gm_out_commit(out, err);
    out = NULL;
done:
    gm_out_abort(out);
    fclose(f);
    return st;
}

static bool has_xml(struct gm_arena *a, const char *bin)
{
    const char *xml = gm_arena_printf(a, "%.*s.xml", (int)(strlen(bin) - strlen(".bin")), bin).p;
    return xml && gm_is_file(xml);
}

/* What Python pickled; the .bin beside an .xml holds the weights of OpenVINO's IR. */
static bool is_pickle(struct gm_arena *a, const char *path)
{
    static const char *const ends[] = {".bin", ".pt", ".pth", ".pkl", ".h5", ".msgpack", ".ot"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (gm_str_ends(gm_str(path), gm_str(ends[i])))
            return i > 0 || !has_xml(a, path);
    return false;
}

static bool is_weights(const char *path)
{
    static const char *const ends[] = {".safetensors", ".onnx", ".xml", ".tflite", ".gguf"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (gm_str_ends(gm_str(path), gm_str(ends[i])))
            return true;
    return false;
}

/* Copies one file to `name` inside of the model's folder, and adds its line to the manifest. */
static enum gm_status add_file(struct adding *x, const char *from, const char *name,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct stat sb;
    char hex[GM_SHA256_HEX];
    struct gm_json *line = NULL;
    const char *to = gm_path_join(&x->a, x->to, name), *folder = to ? gm_path_dir(&x->a, to) : NULL;
    GM_TRY(folder ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_mkdirs(folder, err));
    GM_TRY(copy_bytes(x, from, to, err));
    GM_TRY(gm_sha256_file(to, hex, err));
    if (stat(to, &sb) != 0) {
        st = GM_FAIL(err, GM_EIO, "%s: %s", to, strerror(errno));
        goto done;
    }
    line = gm_json_new_object();
    bool ok = line && gm_json_set(line, "path", gm_json_new_str(gm_str(name))) &&
              gm_json_set(line, "bytes", gm_json_new_int((long long)sb.st_size)) &&
              gm_json_set(line, "sha256", gm_json_new_str(gm_str(hex)));
    ok = ok && gm_json_add(x->files, gm_json_ref(line));
    st = ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_json_free(line);
    return st;
}

/* The files of a folder, and those of the folders in it; `below` is its path inside of the model's. */
static enum gm_status add_folder(struct adding *x, const char *from, const char *below, int depth,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char **names;
    size_t n;
    GM_TRY(gm_dir_list(&x->a, from, NAMES_MAX, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        const char *path = gm_path_join(&x->a, from, names[i]);
        const char *name = gm_path_join(&x->a, below, names[i]);
        GM_TRY(path && name ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
        if (gm_is_dir(path) && depth > 0) {
            GM_TRY(add_folder(x, path, name, depth - 1, err));
        } else if (gm_is_file(path) && is_pickle(&x->a, path)) {
            x->n_pickles++;
        } else if (gm_is_file(path)) {
            x->n_weights += is_weights(path);
            GM_TRY(add_file(x, path, name, err));
        }
    }
done:
    return st;
}

/* Pickles are programs and are left out, so that a folder of nothing else would be a model without weights. The readers
 * of weights have the line that converts them. */
static enum gm_status check_weights(const struct adding *x, const char *from, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_safetensors *f = NULL;
    bool adapter;
    if (x->n_weights || !x->n_pickles)
        return GM_OK;
    GM_TRY(gm_adapter_is(from, &adapter, err));
    st = adapter ? gm_adapter_open(&f, from, err) : gm_safetensors_open_dir(&f, from, err);
done:
    gm_safetensors_free(f);
    return st;
}

static bool is_phrase_detector(struct gm_str model_type)
{
    return gm_str_eq_c(model_type, "owlvit") || gm_str_eq_c(model_type, "owlv2") ||
           gm_str_eq_c(model_type, "grounding-dino");
}

/* What the model is for, as far as its files say. */
static enum gm_status task_of(struct adding *x, const char **task, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *ours = NULL, *theirs = NULL;
    struct gm_str s = {0};
    bool adapter;
    const char *config = gm_path_join(&x->a, x->to, "config.json");
    GM_TRY(config ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_adapter_is(x->to, &adapter, err));
    *task = adapter ? "encoder" : "file";
    if (gm_is_file(config)) {
        GM_TRY(gm_json_load(&theirs, config, SETTINGS_MAX, err));
        gm_json_str(gm_json_at(gm_json_get(theirs, "architectures"), 0), &s);
        *task = gm_str_ends(s, GM_STR("ForTokenClassification")) ? "ner" : "encoder";
        if (gm_json_str(gm_json_get(theirs, "model_type"), &s) && is_phrase_detector(s))
            *task = "phrases";
    }
    GM_TRY(gm_model_settings_load(&ours, x->to, err));
    if (gm_json_str(gm_json_get(ours, "task"), &s))
        *task = gm_arena_str(&x->a, s).p;
    GM_TRY(*task ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
done:
    gm_json_free(ours);
    gm_json_free(theirs);
    return st;
}

static enum gm_status write_manifest(struct adding *x, const char *dir, const char *from,
                                     const char *name, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *task;
    struct gm_json *j = NULL;
    const char *path = gm_arena_printf(&x->a, "%s/%s.json", dir, name).p;
    struct gm_str summary =
        gm_arena_printf(&x->a, "added from %.*s", GM_STR_ARG(gm_path_file(gm_str(from))));
    GM_TRY(path && summary.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(task_of(x, &task, err));
    j = gm_json_new_object();
    bool ok = j && gm_json_set(j, "name", gm_json_new_str(gm_str(name))) &&
              gm_json_set(j, "task", gm_json_new_str(gm_str(task))) &&
              gm_json_set(j, "summary", gm_json_new_str(summary)) &&
              gm_json_set(j, "licence", gm_json_new_str(GM_STR("its origin's"))) &&
              gm_json_set(j, "added", gm_json_new_bool(true)) &&
              gm_json_set(j, "files", gm_json_ref(x->files));
    GM_TRY(ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    st = gm_json_save(j, path, MANIFEST_MAX, err);
done:
    gm_json_free(j);
    return st;
}

/* A folder that is there without a manifest is somebody's, or the rest of an `add` that was stopped: nothing is mixed
 * with it, unless it is what is to be added. */
static enum gm_status check_folder(const char *from, const char *to, struct gm_error *err)
{
    struct stat old;
    if (stat(to, &old) != 0 || gm_is_same_file(from, to))
        return GM_OK;
    return GM_FAIL(err, GM_EARG, "%s is there already: remove it, or give another --name", to);
}

/* "folder/" is the folder's name too. */
static const char *without_slashes(struct gm_arena *a, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return gm_arena_str(a, (struct gm_str){path, n}).p;
}

/* What was copied into a new folder, when the rest could not be; `depth` as of add_folder. */
static void take_back(struct gm_arena *a, const char *folder, int depth)
{
    const char **names;
    size_t n;
    if (gm_dir_list(a, folder, NAMES_MAX, &names, &n, NULL) != GM_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        const char *path = gm_path_join(a, folder, names[i]);
        if (path && gm_is_dir(path) && depth > 0)
            take_back(a, path, depth - 1);
        else if (path)
            (void)remove(path);
    }
    (void)remove(folder);
}

enum gm_status gm_model_add(const char *from, const char *name, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *dir;
    bool is_new = false;
    struct adding x = {.files = gm_json_new_array()};
    gm_arena_init(&x.a, 0);
    from = without_slashes(&x.a, from);
    x.chunk = gm_arena_alloc(&x.a, CHUNK, 1);
    GM_TRY(from && x.files && x.chunk ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_path_reach(from, err));
    if (!gm_is_dir(from) && !gm_is_file(from)) {
        st = GM_FAIL(err, GM_EIO, "%s: no such file or folder", from);
        goto done;
    }
    GM_TRY(check_name(&x.a, name, err));
    GM_TRY(gm_models_own_dir(&x.a, &dir, err));
    x.to = gm_path_join(&x.a, dir, name);
    GM_TRY(x.to ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(check_folder(from, x.to, err));
    is_new = !gm_is_dir(x.to);
    GM_TRY(gm_mkdirs(x.to, err));
    if (gm_is_dir(from))
        GM_TRY(add_folder(&x, from, "", 1, err));
    else
        GM_TRY(add_file(&x, from, gm_path_file(gm_str(from)).p, err));
    if (gm_json_count(x.files) == 0) {
        st = GM_FAIL(err, GM_EIO, "%s: no file in it that a model could have", from);
        goto done;
    }
    GM_TRY(check_weights(&x, from, err));
    st = write_manifest(&x, dir, from, name, err);
done:
    if (st != GM_OK && is_new)
        take_back(&x.a, x.to, 1);
    gm_json_free(x.files);
    gm_arena_clear(&x.a);
    return st;
}
