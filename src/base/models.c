#include "base/models.h"

#include "base/file.h"
#include "base/host.h"
#include "base/path.h"
#include "base/json.h"
#include "base/sha256.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MANIFEST_MAX_BYTES = 1 << 20, MANIFESTS_MAX = 4096, N_PLACES = 4 };

/* ---- manifests ---- */

/* A manifest must not point outside of its model's folder. */
static bool path_is_inside(const char *path)
{
    struct gm_str rest = gm_str(path), part;
    if (path[0] == '/')
        return false;
    for (bool more = true; more;) {
        more = gm_str_cut(rest, '/', &part, &rest);
        if (part.n == 0 || gm_str_eq_c(part, "..") || gm_str_eq_c(part, "."))
            return false;
    }
    return true;
}

static enum gm_status read_file_entry(struct gm_arena *a, const struct gm_json *j,
                                      struct gm_model_file *f, struct gm_error *err)
{
    enum gm_status st = gm_json_text(&f->path, j, "path", true, a, err);
    if (st == GM_OK)
        st = gm_json_text(&f->sha256, j, "sha256", true, a, err);
    if (st != GM_OK)
        return st;
    if (!path_is_inside(f->path))
        return GM_FAIL(err, GM_EFORMAT, "\"path\": \"%s\" leads out of the model's folder",
                       f->path);
    if (!gm_json_int(gm_json_get(j, "bytes"), &f->bytes) || f->bytes < 0)
        return GM_FAIL(err, GM_EFORMAT, "\"bytes\" of %s must be a whole number", f->path);
    if (strlen(f->sha256) != GM_SHA256_HEX - 1 ||
        strspn(f->sha256, "0123456789abcdef") != GM_SHA256_HEX - 1)
        return GM_FAIL(err, GM_EFORMAT, "\"sha256\" of %s must be 64 lower-case hex digits",
                       f->path);
    return GM_OK;
}

static enum gm_status read_manifest(struct gm_arena *a, const struct gm_json *j, struct gm_model *m,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *origin = gm_json_get(j, "origin"), *files = gm_json_get(j, "files");
    GM_TRY(gm_json_text(&m->name, j, "name", true, a, err));
    GM_TRY(gm_json_text(&m->task, j, "task", true, a, err));
    GM_TRY(gm_json_text(&m->summary, j, "summary", true, a, err));
    GM_TRY(gm_json_text(&m->licence, j, "licence", true, a, err));
    if (origin) {
        GM_TRY(gm_json_text(&m->registry, origin, "registry", true, a, err));
        GM_TRY(gm_json_text(&m->package, origin, "package", true, a, err));
        GM_TRY(gm_json_text(&m->version, origin, "version", true, a, err));
    }
    (void)gm_json_bool(gm_json_get(j, "optional"), &m->optional);
    (void)gm_json_bool(gm_json_get(j, "added"), &m->added);
    if (gm_json_kind(files) != GM_JSON_ARRAY || gm_json_count(files) == 0) {
        st = GM_FAIL(err, GM_EFORMAT, "\"files\" must be a list that is not empty");
        goto done;
    }
    m->n_files = gm_json_count(files);
    m->files = gm_arena_alloc(a, m->n_files, sizeof *m->files);
    if (!m->files) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < m->n_files; i++)
        GM_TRY(read_file_entry(a, gm_json_at(files, i), &m->files[i], err));
done:
    return st;
}

static enum gm_status load_manifest(struct gm_arena *a, const char *path, struct gm_model *m,
                                    struct gm_error *err)
{
    struct gm_json *j = NULL;
    enum gm_status st = gm_json_load(&j, path, MANIFEST_MAX_BYTES, err);
    if (st != GM_OK)
        return st;
    st = read_manifest(a, j, m, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s", path);
    gm_json_free(j);
    return st;
}

static int by_name(const void *x, const void *y)
{
    const struct gm_model *a = x, *b = y;
    return strcmp(a->name, b->name);
}

/* ---- places ---- */

/* Places where a model's folder may be, best first; *dir is NULL when place i does not exist. */
static enum gm_status place(struct gm_arena *a, int i, const char **dir, struct gm_error *err)
{
    if (i == 1 || i == 3)
        return gm_home_path(a, i == 1 ? ".deps/models" : "models", dir, err);
    const struct gm_host *host = gm_host_get();
    const char *told = host && host->models ? host->models : getenv("GMNER_MODELS");
    *dir = i == 0 ? told : gm_user_path(a, "XDG_DATA_HOME", ".local/share", "gmner/models");
    if (*dir && !(*dir)[0])
        *dir = NULL;
    return GM_OK;
}

/* The manifests of one folder. */
static enum gm_status load_from(struct gm_arena *a, const char *dir, struct gm_model **out,
                                size_t *n, size_t *cap, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char **names;
    size_t n_names;
    GM_TRY(gm_dir_list(a, dir, MANIFESTS_MAX, &names, &n_names, err));
    for (size_t i = 0; i < n_names; i++) {
        if (!gm_str_ends(gm_str(names[i]), GM_STR(".json")))
            continue;
        const char *path = gm_path_join(a, dir, names[i]);
        GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
        if (!gm_is_file(path)) /* a pipe of that name would never end */
            continue;
        GM_TRY(GM_ARENA_GROW(a, *out, *n, *cap, err));
        GM_TRY(load_manifest(a, path, &(*out)[*n], err));
        (*n)++;
    }
done:
    return st;
}

enum gm_status gm_models_load(struct gm_arena *a, struct gm_model **out, size_t *n,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t cap = 0;
    const char *dir;
    *out = NULL;
    *n = 0;
    GM_TRY(gm_home_path(a, "models", &dir, err));
    if (!dir)
        return GM_FAIL(err, GM_EIO,
                       "no folder \"models\" beside the program; set GMNER_HOME to the "
                       "folder that has it");
    for (int i = 0; i < N_PLACES; i++) {
        GM_TRY(place(a, i, &dir, err));
        if (dir && gm_is_dir(dir))
            GM_TRY(load_from(a, dir, out, n, &cap, err));
    }
    if (*n)
        qsort(*out, *n, sizeof **out, by_name);
done:
    return st;
}

/* Where place i would have NAME (and FILE in it, unless NULL); *path is NULL when there is no such place. */
static enum gm_status place_of(struct gm_arena *a, int i, const char *name, const char *file,
                               const char **path, struct gm_error *err)
{
    const char *dir;
    *path = NULL;
    enum gm_status st = place(a, i, &dir, err);
    if (st != GM_OK || !dir)
        return st;
    *path = gm_path_join(a, dir, name);
    if (*path && file)
        *path = gm_path_join(a, *path, file);
    return *path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* The first of the places that has it; *found is NULL when none has. */
static enum gm_status find(struct gm_arena *a, const char *name, const char *file,
                           const char **found, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct stat sb;
    *found = NULL;
    for (int i = 0; i < N_PLACES && !*found && *name; i++) { /* "": the place itself is no model */
        const char *path;
        GM_TRY(place_of(a, i, name, file, &path, err));
        if (path && stat(path, &sb) == 0 && (file ? S_ISREG(sb.st_mode) : S_ISDIR(sb.st_mode)))
            *found = path;
    }
done:
    return st;
}

enum gm_status gm_models_own_dir(struct gm_arena *a, const char **dir, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *dir = NULL;
    for (int i = 0; i < 3 && st == GM_OK && !*dir; i++)
        st = place(a, i, dir, err);
    if (st == GM_OK && !*dir)
        st =
            GM_FAIL(err, GM_EIO, "no folder for models: set GMNER_MODELS to one, or HOME to yours");
    return st;
}

static bool lists_file(const struct gm_model *m, const char *file)
{
    for (size_t i = 0; i < m->n_files; i++)
        if (strcmp(m->files[i].path, file) == 0)
            return true;
    return false;
}

/* Why a known model has no such file, or isn't there at all (file NULL). */
static enum gm_status incomplete(const struct gm_model *m, const char *file, struct gm_error *err)
{
    if (file && !lists_file(m, file))
        return GM_FAIL(
            err, GM_EMODEL,
            "model %s is none for this: it has no %s (%s); `gmner models list` lists others",
            m->name, file, m->summary);
    if (m->added)
        return GM_FAIL(err, GM_EMODEL,
                       "model %s: %s%sis not there; it was put there by `gmner models add`: delete "
                       "its folder and the manifest %s.json beside it, and add it again",
                       m->name, file ? file : "", file ? " " : "", m->name);
    return GM_FAIL(err, GM_EMODEL, "model %s: %s%sis not there; %s%s", m->name, file ? file : "",
                   file ? " " : "",
                   m->registry ? "get it with: gmner models get "
                               : "it comes with the program: restore the folder models/",
                   m->name);
}

/* Places that can't be looked at are told before what is not found there. */
static enum gm_status reach_places(struct gm_arena *a, const char *name, const char *file,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (int i = 0; i < N_PLACES; i++) {
        const char *path;
        GM_TRY(place_of(a, i, name, file, &path, err));
        if (path)
            GM_TRY(gm_path_reach(path, err));
    }
done:
    return st;
}

/* Why a model isn't there and what to do about it. */
static enum gm_status missing(const char *name, const char *file, struct gm_error *err)
{
    struct gm_arena a;
    struct gm_model *m = NULL;
    size_t n = 0, used = 0;
    char known[512] = "";
    gm_arena_init(&a, 0);
    enum gm_status st = reach_places(&a, name, file, err);
    if (st == GM_OK)
        st = gm_models_load(&a, &m, &n, err);
    for (size_t i = 0; i < n && st == GM_OK; i++) {
        if (strcmp(m[i].name, name) == 0)
            st = incomplete(&m[i], file, err);
        else if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                     m[i].name);
    }
    if (st == GM_OK)
        st = GM_FAIL(err, GM_EMODEL,
                     "no model \"%s\"; known are: %s (a folder of your own is given as ./%s)", name,
                     known, name);
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_model_dir(struct gm_arena *a, const char *name, const char **dir,
                            struct gm_error *err)
{
    *dir = NULL;
    if (!strchr(name, '/')) {
        enum gm_status st = find(a, name, NULL, dir, err);
        return st != GM_OK || *dir ? st : missing(name, NULL, err);
    }
    if (!gm_is_dir(name)) {
        enum gm_status st = gm_path_reach(name, err);
        return st != GM_OK ? st : GM_FAIL(err, GM_EMODEL, "%s: no such model folder", name);
    }
    *dir = gm_arena_str(a, gm_str(name)).p;
    return *dir ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_model_find(struct gm_arena *a, const char *model, const char **dir,
                             const char **name, struct gm_error *err)
{
    bool is_dir = gm_is_dir(model);
    const char *form = is_dir && !strchr(model, '/') ? "./" : "";
    const char *copy = gm_arena_printf(a, "%s%s", form, model).p;
    *dir = copy;
    if (name)
        *name = is_dir ? NULL : copy;
    if (!copy)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return is_dir ? GM_OK : gm_model_dir(a, copy, dir, err);
}

enum gm_status gm_model_path(struct gm_arena *a, const char *name, const char *file,
                             const char **path, struct gm_error *err)
{
    *path = NULL;
    if (!strchr(name, '/')) {
        enum gm_status st = find(a, name, file, path, err);
        return st != GM_OK || *path ? st : missing(name, file, err);
    }
    *path = gm_path_join(a, name, file);
    if (!*path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = gm_path_reach(*path, err);
    if (st == GM_OK && !gm_is_file(*path))
        st = GM_FAIL(err, GM_EMODEL, "%s: the model file is not there", *path);
    return st;
}

/* ---- checking ---- */

static enum gm_status check_file(struct gm_arena *a, const struct gm_model *m,
                                 const struct gm_model_file *f, struct gm_error *err)
{
    char hex[GM_SHA256_HEX];
    struct stat sb;
    const char *path;
    enum gm_status st = gm_model_path(a, m->name, f->path, &path, err);
    if (st != GM_OK)
        return st;
    if (stat(path, &sb) != 0)
        return GM_FAIL(err, GM_EIO, "%s: %s", path, strerror(errno));
    if ((long long)sb.st_size != f->bytes)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: %lld bytes, but the manifest says %lld; remove it and run: "
                       "gmner models get %s",
                       path, (long long)sb.st_size, f->bytes, m->name);
    st = gm_sha256_file(path, hex, err);
    if (st == GM_OK && strcmp(hex, f->sha256) != 0)
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: its SHA-256 sum is not the manifest's; remove it and run: "
                     "gmner models get %s",
                     path, m->name);
    return st;
}

enum gm_status gm_model_check(const struct gm_model *m, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    for (size_t i = 0; i < m->n_files && st == GM_OK; i++)
        st = check_file(&a, m, &m->files[i], err);
    gm_arena_clear(&a);
    return st;
}
