/* palette.h - the colour of an entity type, the same in pictures, reports and the terminal.
 * The four usual types take well-separated colours of Okabe and Ito's palette, which colour-blind
 * readers can tell apart ("Color Universal Design", 2008); any other type gets one of the rest by a
 * hash of its name, so that it keeps its colour from run to run. */
#ifndef GM_IMAGE_PALETTE_H
#define GM_IMAGE_PALETTE_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct gm_color {
    uint8_t r, g, b;
};

/* gm_palette_color - colour of a type's name; case does not matter. Safe from any thread. */
struct gm_color gm_palette_color(struct gm_str type);

/* gm_palette_nth - colour number i of all there are, one after the other and again from the first. */
struct gm_color gm_palette_nth(size_t i);

/* gm_palette_ink - black or white, whichever is the easier to read on `background`. */
struct gm_color gm_palette_ink(struct gm_color background);

#endif
