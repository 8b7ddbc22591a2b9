/* models.h - the model files that the program uses: manifests, where each file lies, checksums.
 *
 * A manifest is NAME.json in models/ of the program's home, or in one of the other folders below: {"name","task","summary","licence",
 * "optional"?: true, "added"?: true, "origin"?: {"registry","package","version"}, "files": [{"path","bytes","sha256"}]}, paths
 * relative to the model's folder. A model's folder is the first there is of
 *   $GMNER_MODELS/NAME   the user's cache, when the variable is set (a host's `models` counts before it: base/host.h)
 *   HOME/.deps/models/NAME   where the set-up puts downloads (HOME: see gm_home_path)
 *   $XDG_DATA_HOME/gmner/models/NAME   the same of an installed program (default: ~/.local/share)
 *   HOME/models/NAME   models that come with the program
 * Functions are safe from any thread with separate arenas. */
#ifndef GM_BASE_MODELS_H
#define GM_BASE_MODELS_H

#include "base/arena.h"
#include "base/status.h"

struct gm_model_file {
    const char *path; /* inside the model's folder */
    long long bytes;
    const char *sha256; /* 64 lower-case hex digits */
};

struct gm_model {
    const char *name, *task, *summary, *licence;
    const char *registry, *package, *version; /* NULL: made by this project, or added */
    bool optional; /* fetched and checked only where it is named, or is there */
    bool added;    /* by `gmner models add`: the user's own */
    struct gm_model_file *files;
    size_t n_files;
};

/* gm_models_own_dir - the folder that `gmner models add` puts models and their manifests into: the first
 * that there is of the places above but the last; it need not exist yet. Errors: IO (none), NOMEM. */
enum gm_status gm_models_own_dir(struct gm_arena *a, const char **dir,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_models_load - all manifests in order of name; everything lives in the arena.
 * Errors: IO, FORMAT (naming manifest and field), NOMEM. */
enum gm_status gm_models_load(struct gm_arena *a, struct gm_model **out, size_t *n,
                              struct gm_error *err) GM_NODISCARD;

/* gm_model_dir - the folder of model `name`; a name with a "/" is a folder itself. It need not have
 * all its files. Errors: MODEL (no such folder; the message says how to get it), those of
 * gm_models_load where the manifests, which tell how, can't be read. */
enum gm_status gm_model_dir(struct gm_arena *a, const char *name, const char **dir,
                            struct gm_error *err) GM_NODISCARD;

/* gm_model_find - a model as a user gives it: a folder, else the name of a model. *dir is its
 * folder, always with a "/"; *name its name, NULL for a folder (`name` may be NULL). Both live in
 * the arena. Errors: as gm_model_dir. */
enum gm_status gm_model_find(struct gm_arena *a, const char *model, const char **dir,
                             const char **name, struct gm_error *err) GM_NODISCARD;

/* gm_model_path - the path of one file of model `name` ("nanodet", "nanodet.onnx").
 * Errors: MODEL when it isn't there, naming the command that gets it; else as gm_model_dir. */
enum gm_status gm_model_path(struct gm_arena *a, const char *name, const char *file,
                             const char **path, struct gm_error *err) GM_NODISCARD;

/* gm_model_check - sizes and SHA-256 sums of all files. Errors: MODEL (missing or different, naming
 * file and remedy), IO, NOMEM. Cost: reads every byte. */
enum gm_status gm_model_check(const struct gm_model *m, struct gm_error *err) GM_NODISCARD;

#endif
