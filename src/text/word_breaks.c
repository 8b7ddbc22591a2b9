/* word_breaks.c - the only user of ICU. Its names carry its version (ubrk_open_72), and any version will do, so that
 * building needs no header of it: what is called is declared here. */
#include "text/word_breaks.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ubrk.h, utypes.h: UBRK_WORD, UBRK_DONE, U_ZERO_ERROR; a code above zero is an error. */
enum { UBRK_WORD = 1, UBRK_DONE = -1, U_ZERO_ERROR = 0 };
enum { NEWEST = 99, OLDEST = 50 }; /* versions */

#define ICU_FUNCTIONS(X)                                                        \
    X(void *, ubrk_open, (int, const char *, const uint16_t *, int32_t, int *)) \
    X(void, ubrk_close, (void *))                                               \
    X(void, ubrk_setUText, (void *, void *, int *))                             \
    X(int32_t, ubrk_next, (void *))                                             \
    X(void *, utext_openUTF8, (void *, const char *, int64_t, int *))           \
    X(void *, utext_close, (void *))

/* The library's functions; loaded once for all threads, and kept. */
static struct {
#define DECLARE(type, name, args) type(*name) args;
    ICU_FUNCTIONS(DECLARE)
#undef DECLARE
    bool loaded;
} api;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *open_library(int *version)
{
    void *lib = NULL;
    for (*version = NEWEST + 1; !lib && --*version >= OLDEST;) {
        char name[32];
        snprintf(name, sizeof name, "libicuuc.so.%d", *version);
        lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    return lib;
}

static void load(void)
{
    int version;
    char full[64];
    void *lib = open_library(&version), *p;
    if (!lib)
        return;
/* ISO C has no cast from void * to a function pointer; POSIX promises that the bytes are the same. */
#define LOOK_UP(type, name, args)                         \
    snprintf(full, sizeof full, "%s_%d", #name, version); \
    if (!(p = dlsym(lib, full)))                          \
        return;                                           \
    memcpy(&api.name, &p, sizeof p);
    ICU_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
    api.loaded = true;
}

enum gm_status gm_word_breaks(struct gm_str run, struct gm_arena *a, size_t **ends, size_t *n,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    int code = U_ZERO_ERROR;
    void *breaks = NULL, *text = NULL;
    size_t cap = 0;
    *ends = NULL;
    *n = 0;
    pthread_once(&once, load);
    if (!api.loaded)
        return GM_FAIL(
            err, GM_EMODEL,
            "text without spaces between words is cut by ICU's dictionaries, and ICU is not "
            "here: install the package libicu-dev (or, for the stage tag, set words: spaces)");
    breaks = api.ubrk_open(UBRK_WORD, "", NULL, 0, &code);
    text = api.utext_openUTF8(NULL, run.p, (int64_t)run.n, &code);
    if (code <= U_ZERO_ERROR)
        api.ubrk_setUText(breaks, text, &code);
    if (code > U_ZERO_ERROR) {
        st = GM_FAIL(err, GM_EMODEL, "ICU cannot cut text into words (its error %d)", code);
        goto done;
    }
    for (int32_t end; (end = api.ubrk_next(breaks)) != UBRK_DONE;) {
        GM_TRY(GM_ARENA_GROW(a, *ends, *n, cap, err));
        (*ends)[(*n)++] = (size_t)end;
    }
done:
    if (breaks)
        api.ubrk_close(breaks);
    if (text)
        api.utext_close(text);
    return st;
}
