/* eval_internal.h - between the counting (eval.c), the texts (align.c) and the output
 * (eval_print.c). */
#ifndef GM_EVAL_EVAL_INTERNAL_H
#define GM_EVAL_EVAL_INTERNAL_H

#include "eval/eval.h"

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

#endif
