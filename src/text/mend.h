/* mend.h - text that was decoded in the wrong way, as it was meant: "Iâ€™m" is "I’m" and "4 x¡­" is "4 x…".
 *
 * Two ways are known, each only where it cannot well be anything else:
 *   - UTF-8 read as Windows-1252: Â, Ã, â or ð with the one to three characters that its bytes became;
 *   - GBK read as Latin-1: punctuation of its row A1 ("¡¯" ’, "¡°" “, "¡­" …) and letters of its row A8 ("¨¦" é).
 * Text of another language can be read so, too, but which it was is not to be known here. */
#ifndef GM_TEXT_MEND_H
#define GM_TEXT_MEND_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

struct gm_mended {
    struct gm_str text; /* well-formed */
    /* [text.n + 1] the byte of the text given that byte i comes from, of a mended character the first byte of
     * what it was; the last is that text's length. NULL: nothing was to mend, and `text` is the text given. */
    size_t *from;
};

/* gm_mend - well-formed UTF-8 `text` as it was meant; memory of the arena. Errors: NOMEM. Cost O(text.n).
 * Threads: yes. */
enum gm_status gm_mend(struct gm_str text, struct gm_arena *a, struct gm_mended *out,
                       struct gm_error *err) GM_NODISCARD;

#endif
