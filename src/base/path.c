#include "base/path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The slash that is missing between the two, if any. */
static const char *between(const char *dir)
{
    return dir[0] == 0 || dir[strlen(dir) - 1] == '/' ? "" : "/";
}

char *gm_path_join(struct gm_arena *a, const char *dir, const char *name)
{
    struct gm_str path =
        name[0] == '/' ? gm_arena_str(a, gm_str(name)) : gm_path_below(a, dir, gm_str(name));
    return (char *)(uintptr_t)path.p;
}

struct gm_str gm_path_below(struct gm_arena *a, const char *dir, struct gm_str name)
{
    return gm_arena_printf(a, "%s%s%.*s", dir, between(dir), GM_STR_ARG(name));
}

char *gm_path_dir(struct gm_arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct gm_str dir = !slash          ? GM_STR(".")
                        : slash == path ? GM_STR("/")
                                        : (struct gm_str){path, (size_t)(slash - path)};
    return (char *)(uintptr_t)gm_arena_str(a, dir).p;
}

struct gm_str gm_path_file(struct gm_str path)
{
    size_t from = path.n;
    while (from > 0 && path.p[from - 1] != '/')
        from--;
    return gm_str_sub(path, from, path.n);
}

struct gm_str gm_path_absolute(struct gm_arena *a, struct gm_str path)
{
    char cwd[PATH_MAX];
    if (gm_str_starts(path, GM_STR("/")) || !getcwd(cwd, sizeof cwd))
        return gm_arena_str(a, path);
    return gm_path_below(a, cwd, path);
}

char *gm_home_path(struct gm_arena *a, const char *name)
{
    const char *home = getenv("GMNER_HOME");
    char exe[PATH_MAX];
    char *path = home ? gm_path_join(a, home, name) : NULL;
    if (path && access(path, F_OK) == 0)
        return path;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return NULL;
    exe[n] = 0;
    /* Looked for upwards, as build trees nest (build/gmner, build/sanitize/gmner, build/x/tests/t). */
    char *dir = gm_path_dir(a, exe);
    for (int up = 0; dir && up < 4; up++) {
        dir = gm_path_dir(a, dir);
        path = dir ? gm_path_join(a, dir, name) : NULL;
        if (path && access(path, F_OK) == 0)
            return path;
        char *share = dir ? gm_path_join(a, dir, "share/gmner") : NULL;
        path = share ? gm_path_join(a, share, name) : NULL;
        if (path && access(path, F_OK) == 0)
            return path;
    }
    return NULL;
}
