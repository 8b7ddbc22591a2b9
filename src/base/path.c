#define _GNU_SOURCE /* dladdr1 */
#include "base/path.h"

#include "base/host.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char separator[] = "/";

/* The slash that is missing between the two, if any. */
static const char *between(const char *dir)
{
    return dir[0] == 0 || dir[strlen(dir) - 1] == '/' ? "" : separator;
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
    while (gm_str_starts(path, GM_STR("./")))
        path = gm_str_sub(path, 2, path.n);
    return gm_path_below(a, cwd, path);
}

/* *path = NAME in `dir` where it is there, else NULL. */
static enum gm_status is_in(struct gm_arena *a, const char *dir, const char *name,
                            const char **path, struct gm_error *err)
{
    *path = dir ? gm_path_join(a, dir, name) : NULL;
    if (!*path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (access(*path, F_OK) != 0)
        *path = NULL;
    return GM_OK;
}

const char *gm_user_path(struct gm_arena *a, const char *variable, const char *below_home,
                         const char *name)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    if (base && base[0] == '/')
        return gm_path_join(a, base, name);
    return home && home[0] ? gm_arena_printf(a, "%s/%s/%s", home, below_home, name).p : NULL;
}

/* The file that this code was loaded from: the shared library's, else the program's. */
static bool own_file(char path[PATH_MAX])
{
    Dl_info info;
    struct link_map *map = NULL;
    if (dladdr1((const void *)&separator, &info, (void **)&map, RTLD_DL_LINKMAP) && map &&
        map->l_name[0])
        return realpath(map->l_name, path) != NULL;
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (n > 0)
        path[n] = 0;
    return n > 0;
}

enum gm_status gm_home_path(struct gm_arena *a, const char *name, const char **path,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_host *host = gm_host_get();
    const char *home = host && host->home ? host->home : getenv("GMNER_HOME");
    char own[PATH_MAX];
    *path = NULL;
    if (home)
        GM_TRY(is_in(a, home, name, path, err));
    if (*path || !own_file(own))
        return GM_OK;
    /* Looked for upwards, as build trees nest (build/gmner, build/sanitize/gmner, build/x/tests/t). */
    const char *dir = gm_path_dir(a, own);
    for (int up = 0; !*path && up <= 4; up++) {
        GM_TRY(is_in(a, dir, name, path, err));
        if (!*path)
            GM_TRY(is_in(a, gm_path_join(a, dir, "share/gmner"), name, path, err));
        dir = dir ? gm_path_dir(a, dir) : NULL;
    }
done:
    if (st != GM_OK)
        *path = NULL;
    return st;
}
