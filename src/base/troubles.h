/* troubles.h - the errors of many posts: the first of each kind are told as they come, the others are counted,
 * so that a file of 10,000 bad lines tells what is wrong with it in a few. */
#ifndef GM_BASE_TROUBLES_H
#define GM_BASE_TROUBLES_H

#include <stddef.h>

enum { GM_TROUBLES_SHOWN = 10, GM_TROUBLES_KINDS_MAX = 32, GM_TROUBLE_MAX = 200 };

/* Of one kind are messages that differ in nothing but numbers, quoted texts and paths. Owns nothing on the
 * heap; kinds past the last are taken for one. */
struct gm_troubles {
    struct {
        char kind[GM_TROUBLE_MAX], first[GM_TROUBLE_MAX];
        size_t n;
    } kinds[GM_TROUBLES_KINDS_MAX];
    size_t n;
};

/* gm_troubles_tell - log the error `message`, which stands for itself, as one of `module`; `of` (may be NULL)
 * is put before it and does not count for its kind: "post 17". */
void gm_troubles_tell(struct gm_troubles *t, const char *module, const char *of,
                      const char *message);

/* gm_troubles_end - one line for each kind of which more were counted than told. May be called again. */
void gm_troubles_end(struct gm_troubles *t, const char *module);

#endif
