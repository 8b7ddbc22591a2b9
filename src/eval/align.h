/* align.h - texts that differ in white space only, raw against tokenised: places in them are compared as
 * numbers of characters that are no white space. */
#ifndef GM_EVAL_ALIGN_H
#define GM_EVAL_ALIGN_H

#include "base/arena.h"

#include <stdbool.h>

/* gm_texts_align - whether a and b are the same but for white space (Unicode's White_Space). */
bool gm_texts_align(struct gm_str a, struct gm_str b);

/* A walk over a text that counts code points, and among them those that are no white space. */
struct gm_solid {
    struct gm_str text;
    size_t byte, cp, solid;
};

/* gm_solid_before - number of characters that are no white space before code point `cp` of the
 * text. Cost: the distance from the last call, from the start when it goes back. */
size_t gm_solid_before(struct gm_solid *s, size_t cp);

/* gm_solid_copy - s without white space, in the arena; .p is NULL when memory is out. */
struct gm_str gm_solid_copy(struct gm_arena *a, struct gm_str s);

#endif
