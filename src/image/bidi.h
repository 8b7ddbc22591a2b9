/* bidi.h - the direction of text that runs to the right and to the left (Unicode's annex 9); bidi.c
 * is the only user of FriBidi. Internal to src/image. */
#ifndef GM_IMAGE_BIDI_H
#define GM_IMAGE_BIDI_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* gm_bidi_levels - the embedding level of each of the n code points of a paragraph: odd ones run to
 * the left. *rtl: whether the paragraph as a whole does. Errors: NOMEM. Threads: yes. */
enum gm_status gm_bidi_levels(const uint32_t *text, size_t n, uint8_t *levels, bool *rtl,
                              struct gm_error *err) GM_NODISCARD;

#endif
