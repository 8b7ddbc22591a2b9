/* model_settings.c - see model_settings.h. */
#include "train/model_settings.h"

#include "base/file.h"
#include "base/path.h"

enum { MAX_SETTINGS = 64 << 20 };

enum gm_status gm_model_settings_load(struct gm_json **out, const char *dir, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    *out = NULL;
    const char *path = gm_path_join(&a, dir, "gmner.json");
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (gm_is_file(path))
        st = gm_json_load(out, path, MAX_SETTINGS, err);
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_model_settings_save(const struct gm_json *settings, const char *dir,
                                      struct gm_error *err)
{
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *path = gm_path_join(&a, dir, "gmner.json");
    enum gm_status st = path ? gm_json_save(settings, path, MAX_SETTINGS, err)
                             : GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_arena_clear(&a);
    return st;
}
