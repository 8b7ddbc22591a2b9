/* folder.c - see folder.h. Tests: tests/e2e/test_resume.py, test_quantise.py, test_adapters.py,
 * test_ensemble.py. */
#include "model/folder.h"

#include "base/file.h"
#include "base/path.h"
#include "model/adapter.h"
#include "model/members.h"
#include "model/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MARK "gmner.json" /* says what the weights beside it are */

/* What we write, in the order in which it is moved: weights first, so that they tell whether anything was moved yet;
 * behind them what makes a folder of weights one that can be loaded; and last the settings, by which a run in the
 * folder aside is known. */
static const char *const ours[] = {"model.safetensors", GM_ADAPTER_WEIGHTS, "tokenizer.json",
                                   "config.json",       GM_ADAPTER_CONFIG,  MARK,
                                   "metrics.jsonl",     GM_MODEL_RUN};
enum { N_OURS = sizeof ours / sizeof *ours, N_WEIGHTS = 2 };

/* What others' models have in place of these. Parts of weights are nothing without their index. */
static const char *const theirs[] = {"model.safetensors.index.json", "pytorch_model.bin",
                                     "pytorch_model.bin.index.json", "adapter_model.bin"};
enum { N_THEIRS = sizeof theirs / sizeof *theirs };

static enum gm_status join(const char *dir, const char *name, struct gm_arena *a, const char **path,
                           struct gm_error *err)
{
    *path = gm_path_join(a, dir, name);
    return *path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* *yes becomes true where there is such a file. */
static enum gm_status look_for(const char *dir, const char *name, bool *yes, struct gm_error *err)
{
    const char *path;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    enum gm_status st = join(dir, name, &a, &path, err);
    if (st == GM_OK)
        st = gm_path_reach(path, err);
    *yes = *yes || (st == GM_OK && gm_is_file(path));
    gm_arena_clear(&a);
    return st;
}

/* Anything that is read as a model, or as a part of one. */
static enum gm_status look_for_model(const char *dir, bool *yes, struct gm_error *err)
{
    static const char *const marks[] = {MARK, GM_ADAPTER_CONFIG};
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < N_WEIGHTS; i++)
        GM_TRY(look_for(dir, ours[i], yes, err));
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        GM_TRY(look_for(dir, marks[i], yes, err));
    for (size_t i = 0; i < N_THEIRS; i++)
        GM_TRY(look_for(dir, theirs[i], yes, err));
done:
    return st;
}

enum gm_status gm_model_folder_look(struct gm_model_folder *f, const char *model,
                                    struct gm_arena *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *f = (struct gm_model_folder){0};
    GM_TRY(join(model, "unfinished", a, &f->aside, err));
    GM_TRY(look_for_model(model, &f->model, err));
    GM_TRY(look_for(model, GM_MODEL_CHECKPOINT, &f->checkpoint, err));
    GM_TRY(look_for(model, GM_MODEL_RUN, &f->run, err));
    GM_TRY(look_for(f->aside, GM_MODEL_RUN, &f->aside_run, err));
    f->aside_used = f->aside_run;
    GM_TRY(look_for(f->aside, GM_MODEL_CHECKPOINT, &f->aside_used, err));
    st = look_for_model(f->aside, &f->aside_used, err);
done:
    return st;
}

enum gm_status gm_model_folder_refuse(const struct gm_model_folder *f, const char *model,
                                      const char *hint, struct gm_error *err)
{
    bool unfinished = f->checkpoint || f->aside_used;
    if (!f->model && !unfinished)
        return GM_OK;
    return GM_FAIL(err, GM_EARG, "%s: there is %s already; %s", model,
                   unfinished ? "a run that is not finished" : "a model", hint);
}

enum gm_status gm_model_folder_begin(const struct gm_model_folder *f, const char *model,
                                     bool overwrite, struct gm_error *err)
{
    static const char hint[] = "--overwrite puts the new one in its place when that is done";
    enum gm_status st = overwrite ? GM_OK : gm_model_folder_refuse(f, model, hint, err);
    if (st == GM_OK)
        st = gm_model_folder_clear(f->aside, err);
    return st == GM_OK ? gm_mkdirs(f->aside, err) : st;
}

enum gm_status gm_model_folder_spare(const char *read, const char *what, const char *model,
                                     struct gm_error *err)
{
    if (!gm_is_same_file(read, model))
        return GM_OK;
    return GM_FAIL(err, GM_EARG, "-o %s: %s, which would be lost; give another folder", model,
                   what);
}

static enum gm_status remove_file(const char *dir, const char *name, struct gm_error *err)
{
    const char *path;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    enum gm_status st = join(dir, name, &a, &path, err);
    if (st == GM_OK && unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        st = GM_FAIL(err, GM_EIO, "%s: cannot remove it: %s", path, strerror(errno));
    gm_arena_clear(&a);
    return st;
}

/* Last what is moved first, so that what vouches for the rest goes before it. */
static enum gm_status remove_all(const char *dir, struct gm_error *err)
{
    enum gm_status st = remove_file(dir, GM_MODEL_CHECKPOINT, err);
    for (size_t i = N_OURS; i-- > 0 && st == GM_OK;)
        st = remove_file(dir, ours[i], err);
    for (size_t i = 0; i < N_THEIRS && st == GM_OK; i++)
        st = remove_file(dir, theirs[i], err);
    return st;
}

enum gm_status gm_model_folder_clear(const char *dir, struct gm_error *err)
{
    enum gm_status st = remove_all(dir, err);
    if (st == GM_OK)
        rmdir(dir); /* stays where something else is in it */
    return st;
}

static enum gm_status move(const char *name, const char *from_dir, const char *to_dir,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *from, *to;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(join(from_dir, name, &a, &from, err));
    GM_TRY(join(to_dir, name, &a, &to, err));
    if (rename(from, to) != 0 && errno != ENOENT) /* moved already by one that was cut short */
        st = GM_FAIL(err, GM_EIO, "%s: cannot move it to %s: %s", from, to, strerror(errno));
done:
    gm_arena_clear(&a);
    return st;
}

/* An ensemble has no weights, and is nothing but its settings, which are moved last. */
static enum gm_status look_for_ensemble(const char *dir, bool *yes, struct gm_error *err)
{
    struct gm_json *settings;
    enum gm_status st = gm_model_settings_load(&settings, dir, err);
    *yes = *yes || (st == GM_OK && gm_members_are_in(settings));
    gm_json_free(settings);
    return st;
}

enum gm_status gm_model_folder_move(const char *from, const char *to, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool whole = false;
    for (size_t i = 0; i < N_WEIGHTS; i++)
        GM_TRY(look_for(from, ours[i], &whole, err));
    GM_TRY(look_for_ensemble(from, &whole, err));
    if (whole) /* else all that was old is gone, and its weights are moved */
        GM_TRY(remove_all(to, err));
    for (size_t i = 0; i < N_OURS; i++)
        GM_TRY(move(ours[i], from, to, err));
    rmdir(from); /* stays where something else is in it */
done:
    return st;
}
