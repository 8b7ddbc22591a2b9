/* offsets.h - code point offsets of a text to byte offsets and back, cheaply for offsets that come
 * roughly in order (a post of a million words has hundreds of thousands of entities), and not dearly for those that
 * do not. */
#ifndef GM_RECORD_OFFSETS_H
#define GM_RECORD_OFFSETS_H

#include "base/str.h"

enum { GM_OFFSET_MARKS = 1024 };

/* A place in well-formed UTF-8, known both ways. */
struct gm_offset {
    struct gm_str text; /* borrowed */
    size_t byte, cp;
    bool has_marks;
    size_t
        marks[GM_OFFSET_MARKS]; /* code points that begin before each 1024th part of the text; made
                                      on the first long way back */
};

/* gm_offset_init - the start of `text`, which must be well-formed and outlive the object. */
void gm_offset_init(struct gm_offset *o, struct gm_str text);

/* gm_offset_to_cp - move to code point number `cp`. False when the text is shorter (the place is
 * then its end). Cost: the distance moved; once the marks are there, at most a 1024th of the text. */
bool gm_offset_to_cp(struct gm_offset *o, size_t cp);

/* gm_offset_to_byte - move to byte `byte`, which must be <= text.n and no continuation byte.
 * Returns the code point number. Cost: as gm_offset_to_cp. */
size_t gm_offset_to_byte(struct gm_offset *o, size_t byte);

#endif
