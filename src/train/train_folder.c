#include "train/train_folder.h"

#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "model/adapter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHECKPOINT "checkpoint.safetensors"
#define SETTINGS "config.yaml"
#define MARK "gmner.json" /* makes a folder of weights a model that can be loaded */

/* What a run leaves, in the order in which it is moved: the mark behind all that it vouches for, and
 * last the settings, by which a run in the folder aside is known. */
static const char *const files[] = {"model.safetensors", "config.json",     "tokenizer.json",
                                    GM_ADAPTER_WEIGHTS,  GM_ADAPTER_CONFIG, MARK,
                                    "metrics.jsonl",     SETTINGS};
enum { N_FILES = sizeof files / sizeof *files, N_WHOLE = 3, N_WEIGHTS = 5 };

static enum gm_status join(const char *dir, const char *name, struct gm_arena *a, const char **path,
                           struct gm_error *err)
{
    *path = gm_path_join(a, dir, name);
    return *path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status has(const char *dir, const char *name, struct gm_arena *a, bool *yes,
                          struct gm_error *err)
{
    const char *path;
    enum gm_status st = join(dir, name, a, &path, err);
    if (st == GM_OK)
        st = gm_path_reach(path, err);
    *yes = st == GM_OK && gm_is_file(path);
    return st;
}

static enum gm_status remove_file(const char *dir, const char *name, struct gm_arena *a,
                                  struct gm_error *err)
{
    const char *path;
    enum gm_status st = join(dir, name, a, &path, err);
    if (st == GM_OK && unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        st = GM_FAIL(err, GM_EIO, "%s: cannot remove it: %s", path, strerror(errno));
    return st;
}

/* Whatever an earlier run left in the folder aside. */
static enum gm_status clear_aside(const char *aside, struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = remove_file(aside, CHECKPOINT, a, err);
    for (size_t i = N_FILES; i-- > 0 && st == GM_OK;)
        st = remove_file(aside, files[i], a, err);
    return st;
}

enum gm_status gm_train_folder_pick(const char *model, bool resume, bool overwrite,
                                    struct gm_arena *a, const char **dir, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *aside;
    bool marked, weights, checkpoint, settings, run_aside;
    *dir = model;
    GM_TRY(join(model, "unfinished", a, &aside, err));
    GM_TRY(has(model, MARK, a, &marked, err));
    GM_TRY(has(model, "model.safetensors", a, &weights, err));
    GM_TRY(has(model, CHECKPOINT, a, &checkpoint, err));
    GM_TRY(has(model, SETTINGS, a, &settings, err));
    GM_TRY(has(aside, SETTINGS, a, &run_aside, err));
    bool is_model = marked || weights;
    if (resume && run_aside)
        *dir = aside;
    else if (resume && is_model && !settings && !checkpoint)
        st = GM_FAIL(
            err, GM_EARG,
            "%s: a model, but not of a run that could go on (no " SETTINGS "); "
            "--overwrite trains one in its place, and --encoder %s goes on from its weights",
            model, model);
    else if (!resume && !overwrite && (is_model || checkpoint || run_aside))
        st = GM_FAIL(err, GM_EARG,
                     "%s: there is %s already; --resume goes on with its run, --overwrite "
                     "begins one that takes its place when it is done",
                     model, checkpoint || run_aside ? "a run that is not finished" : "a model");
    else if (overwrite && (is_model || run_aside)) {
        *dir = is_model ? aside : model;
        st = clear_aside(aside, a, err);
    }
done:
    return st;
}

/* The weights of the old model that the new one has none of: one is whole, the other an adapter. Its mark, which is
 * moved behind its weights, says by what is gone or still there which of the two it is. */
static enum gm_status remove_other_kind(const char *dir, const char *model, struct gm_arena *a,
                                        struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *settings = NULL;
    bool adapter = false;
    const char *mark;
    GM_TRY(join(dir, MARK, a, &mark, err));
    GM_TRY(gm_json_load(&settings, mark, 64 << 20, err));
    (void)gm_json_bool(gm_json_get(settings, "adapter"), &adapter);
    for (size_t i = adapter ? 0 : N_WHOLE; i < (adapter ? N_WHOLE : N_WEIGHTS); i++)
        GM_TRY(remove_file(model, files[i], a, err));
done:
    gm_json_free(settings);
    return st;
}

static enum gm_status move(const char *name, const char *dir, const char *model, struct gm_arena *a,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *from, *to;
    GM_TRY(join(dir, name, a, &from, err));
    GM_TRY(join(model, name, a, &to, err));
    if (rename(from, to) != 0 && errno != ENOENT) /* moved already by one that was cut short */
        st = GM_FAIL(err, GM_EIO, "%s: cannot move it to %s: %s", from, to, strerror(errno));
done:
    return st;
}

enum gm_status gm_train_folder_finish(const char *dir, const char *model, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    bool whole;
    gm_arena_init(&a, 0);
    if (strcmp(dir, model) == 0)
        goto done;
    GM_TRY(remove_file(model, CHECKPOINT, &a, err)); /* of the run whose model is replaced */
    GM_TRY(has(dir, MARK, &a, &whole, err));
    if (whole) { /* else the mark was moved already */
        GM_TRY(remove_file(model, MARK, &a, err));
        GM_TRY(remove_other_kind(dir, model, &a, err));
    }
    for (size_t i = 0; i < N_FILES; i++)
        GM_TRY(move(files[i], dir, model, &a, err));
    rmdir(dir); /* stays where something else is in it */
    GM_LOG(GM_LOG_INFO, "train", "moved %s to %s, in place of the old model", dir, model);
done:
    gm_arena_clear(&a);
    return st;
}
