#include "vision/openvino_api.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/path.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* Of a checkout's set-up, and of an installed program. */
static const char *const home_libs[] = {".deps/openvino/lib/libopenvino_c.so",
                                        "lib/gmner/libopenvino_c.so"};
static const char SYSTEM_LIB[] = "libopenvino_c.so";

/* The path that is used, without trying another one when it does not work: a broken installation
 * should be seen, not hidden by an older one. */
static enum gm_status library_path(struct gm_arena *a, const char **path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t i;
    *path = getenv("GMNER_OPENVINO");
    if (!*path || !(*path)[0])
        for (*path = NULL, i = 0; i < 2 && st == GM_OK && !*path; i++)
            st = gm_home_path(a, home_libs[i], path, err);
    if (!*path)
        *path = SYSTEM_LIB;
    return st;
}

bool gm_openvino_lacks_memory(const char *words)
{
    static const char *const signs[] = {"bad_alloc", "can't alloc", "Cannot allocate memory",
                                        "failed to map segment",
                                        "Resource temporarily unavailable"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strstr(words, signs[i]))
            return true;
    return false;
}

enum gm_status gm_openvino_open(struct gm_openvino_api *api, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *path;
    GM_TRY(library_path(&a, &path, err));
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        const char *why = dlerror();
        if (why && gm_openvino_lacks_memory(why)) {
            st = GM_FAIL(err, GM_ENOMEM, "%s: out of memory (%s)", path, why);
            goto done;
        }
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: can't load the OpenVINO runtime (%s); run `make` to fetch it, or set "
                     "GMNER_OPENVINO to a libopenvino_c.so",
                     path, why ? why : "unknown reason");
        goto done;
    }
/* ISO C has no cast from void * to a function pointer; POSIX promises that the bytes are the same. */
#define GM_OPENVINO_LOOK_UP(name)                                                                  \
    {                                                                                              \
        void *p = dlsym(lib, #name);                                                               \
        if (!p) {                                                                                  \
            st = GM_FAIL(err, GM_EMODEL,                                                           \
                         "%s: has no function %s; OpenVINO 2024 or newer is needed", path, #name); \
            goto done;                                                                             \
        }                                                                                          \
        memcpy(&api->name, &p, sizeof p);                                                          \
    }
    GM_OPENVINO_FUNCTIONS(GM_OPENVINO_LOOK_UP)
#undef GM_OPENVINO_LOOK_UP
done:
    gm_arena_clear(&a);
    return st;
}
