/* font.h - lettering on pictures; font.c is the only user of FreeType. Letters stand side by side
 * as the font says: scripts that join letters or change their order (Arabic, Devanagari) look
 * wrong. */
#ifndef GM_IMAGE_FONT_H
#define GM_IMAGE_FONT_H

#include "base/status.h"
#include "base/str.h"
#include "image/image.h"
#include "image/palette.h"

#include <stdbool.h>

struct gm_font;

/* gm_font_open - a sans-serif font of the system at `size_px` pixels, regular or bold: the file
 * that $GMNER_FONT names, else DejaVu Sans; letters it lacks are taken from Noto Sans CJK, Droid
 * Sans Fallback or Unifont where these are installed. *out is yours. Errors: NOMEM, IO (no font is
 * installed; says which package has one). */
enum gm_status gm_font_open(struct gm_font **out, uint32_t size_px, bool bold,
                            struct gm_error *err) GM_NODISCARD;
void gm_font_free(struct gm_font *f); /* NULL-safe */

/* gm_font_width - pixels that a line of UTF-8 takes; gm_font_ascent, gm_font_descent - pixels above
 * and below the base line that any letter takes. */
uint32_t gm_font_width(struct gm_font *f, struct gm_str text);
uint32_t gm_font_ascent(const struct gm_font *f);
uint32_t gm_font_descent(const struct gm_font *f);

/* gm_font_has - whether some font has a shape for the code point. */
bool gm_font_has(struct gm_font *f, uint32_t code_point);

/* gm_font_draw - a line of text with the left end of its base line at (x, y); what is outside of
 * the picture is cut off. One thread a font. */
void gm_font_draw(struct gm_font *f, struct gm_image *im, int x, int y, struct gm_str text,
                  struct gm_color color);

#endif
