#include "base/home_file.h"

#include "base/file.h"
#include "base/path.h"

#include <stdio.h>
#include <string.h>

/* "embedded, tag": the names that there are; "" when there are none. */
static enum gm_status list_names(struct gm_arena *a, const char *folder, char *text, size_t cap,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t used = 0, n = 0;
    const char *dir, **names;
    text[0] = 0;
    GM_TRY(gm_home_path(a, folder, &dir, err));
    if (dir)
        GM_TRY(gm_dir_list(a, dir, 4096, &names, &n, err));
    for (size_t i = 0; i < n && used < cap; i++)
        if (gm_str_ends(gm_str(names[i]), GM_STR(".yaml")))
            used += (size_t)snprintf(text + used, cap - used, "%s%.*s", used ? ", " : "",
                                     (int)strlen(names[i]) - 5, names[i]);
done:
    return st;
}

enum gm_status gm_home_file_find(struct gm_arena *a, const struct gm_home_files *files,
                                 const char *which, const char **path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char known[512];
    struct gm_str w = gm_str(which);
    *path = which;
    if (strchr(which, '/') || gm_str_ends(w, GM_STR(".yaml")) || gm_str_ends(w, GM_STR(".yml")))
        return GM_OK;
    struct gm_str file = gm_arena_printf(a, "%s/%s.yaml", files->folder, which);
    if (!file.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_home_path(a, file.p, path, err));
    if (*path)
        return GM_OK;
    GM_TRY(list_names(a, files->folder, known, sizeof known, err));
    if (!known[0])
        return GM_FAIL(err, GM_EIO,
                       "no folder \"%s\" beside the program; set GMNER_HOME to the "
                       "folder that has it",
                       files->folder);
    return GM_FAIL(err, GM_EARG,
                   "no %s \"%s\"; there are: %s (a file of your own is given as "
                   "./%s.yaml)",
                   files->kind, which, known, which);
done:
    return st;
}
