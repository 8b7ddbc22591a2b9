/* ctc.h - what a recogniser's probabilities say: connectionist temporal classification, the best path.
 * Pure, safe from any thread. */
#ifndef GM_VISION_CTC_H
#define GM_VISION_CTC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

#include <stddef.h>

/* A recogniser's characters: class 0 is the blank, class i is at[i - 1]. */
struct gm_characters {
    struct gm_str *at;
    size_t n;
};

/* gm_characters_split - `text` cut at its newlines, and a space as the last, in the arena; `text` must
 * outlive them. Errors: NOMEM. */
enum gm_status gm_characters_split(struct gm_arena *a, struct gm_str text,
                                   struct gm_characters *out, struct gm_error *err) GM_NODISCARD;

/* gm_ctc_read - appends the text of p [steps][chars->n + 1] to `out`: of each step the most probable
 * class, one of neighbours that are alike, no blanks. *score = mean probability of what is left, 0
 * when that is nothing. Errors: NOMEM. */
enum gm_status gm_ctc_read(const float *p, size_t steps, const struct gm_characters *chars,
                           struct gm_buf *out, double *score, struct gm_error *err) GM_NODISCARD;

#endif
