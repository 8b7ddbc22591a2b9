/* settings.c - see settings.h. */
#include "model/settings.h"

#include "base/file.h"
#include "base/path.h"

enum { MAX_SETTINGS = 128 << 20 };

static enum gm_status path_of(struct gm_arena *a, const char *dir, const char **path,
                              struct gm_error *err)
{
    *path = gm_path_join(a, dir, "gmner.json");
    return *path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

enum gm_status gm_model_settings_load(struct gm_json **out, const char *dir, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    const char *path;
    gm_arena_init(&a, 0);
    *out = NULL;
    GM_TRY(path_of(&a, dir, &path, err));
    GM_TRY(gm_path_reach(path, err));
    if (gm_is_file(path))
        st = gm_json_load(out, path, MAX_SETTINGS, err);
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_model_settings_check(const struct gm_json *settings, const char *dir,
                                       const char *task, struct gm_error *err)
{
    struct gm_str have = {0};
    long long format = 0;
    if (!gm_json_str(gm_json_get(settings, "task"), &have) || !gm_str_eq_c(have, task))
        return GM_FAIL(err, GM_EMODEL,
                       "%s/gmner.json: a model for task \"%.*s\" where one for \"%s\" is needed",
                       dir, GM_STR_ARG(have), task);
    if (!gm_json_int(gm_json_get(settings, "format"), &format) || format != 1)
        return GM_FAIL(err, GM_EMODEL,
                       "%s/gmner.json: \"format\" must be 1; another version of gmner wrote it",
                       dir);
    return GM_OK;
}

enum gm_status gm_model_settings_save(const struct gm_json *settings, const char *dir,
                                      struct gm_error *err)
{
    struct gm_arena a;
    const char *path;
    gm_arena_init(&a, 0);
    enum gm_status st = path_of(&a, dir, &path, err);
    if (st == GM_OK)
        st = gm_json_save(settings, path, MAX_SETTINGS, err);
    gm_arena_clear(&a);
    return st;
}
