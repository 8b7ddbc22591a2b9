/* label.h - lines of text drawn into a picture. What reaches outside is cut off.
 * Safe from any thread on distinct pictures and fonts. */
#ifndef GM_IMAGE_LABEL_H
#define GM_IMAGE_LABEL_H

#include "image/font.h"
#include "image/image.h"
#include "image/palette.h"
#include "image/paragraph.h"

/* gm_draw_label_height - pixels that a label of this font is high. */
uint32_t gm_draw_label_height(const struct gm_font *font);

/* gm_draw_label - a line of text on a ground of `color`, its lower left corner at (x, y), moved so
 * that all of it is in the picture where that is possible. Text that is too wide ends with "…".
 * Errors: NOMEM. */
enum gm_status gm_draw_label(struct gm_image *im, struct gm_font *font, float x, float y,
                             struct gm_str text, struct gm_color color,
                             struct gm_error *err) GM_NODISCARD;

/* gm_draw_line - the line [from,to) of a paragraph with its left end at (x, y), and `dots` behind it
 * in its reading direction; NULL = none. Errors: NOMEM. */
enum gm_status gm_draw_line(struct gm_image *im, const struct gm_paragraph *p, int x, int y,
                            size_t from, size_t to, const struct gm_paragraph *dots,
                            struct gm_error *err) GM_NODISCARD;

#endif
