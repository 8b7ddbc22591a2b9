/* font.h - fonts and their glyphs; font.c is the only user of FreeType and HarfBuzz. Whole lines are
 * lettered by paragraph.h. One thread a font. */
#ifndef GM_IMAGE_FONT_H
#define GM_IMAGE_FONT_H

#include "base/status.h"
#include "image/image.h"
#include "image/palette.h"

#include <stdbool.h>

struct gm_font;

/* gm_font_open - a sans-serif font of the system at `size_px` pixels, regular or bold: the file
 * that $GMNER_FONT names, else DejaVu Sans; letters it lacks are taken from Noto Sans CJK, Droid
 * Sans Fallback, the Noto Sans of their script, or Unifont where these are installed. *out is yours.
 * Errors: NOMEM, IO (no font is installed; says which package has one). */
enum gm_status gm_font_open(struct gm_font **out, uint32_t size_px, bool bold,
                            struct gm_error *err) GM_NODISCARD;
void gm_font_free(struct gm_font *f); /* NULL-safe */

/* gm_font_ascent, gm_font_descent - pixels above and below the base line that any letter takes. */
uint32_t gm_font_ascent(const struct gm_font *f);
uint32_t gm_font_descent(const struct gm_font *f);

/* gm_font_has - whether some face has a shape for the code point. */
bool gm_font_has(struct gm_font *f, uint32_t code_point);

/* A font is several faces, the base one first. gm_font_face - the face for a code point that follows
 * one of face `before`: the same where it has it, so that accents stay with their letter; the base
 * face, with its empty frame, where none has it. */
size_t gm_font_face(struct gm_font *f, uint32_t code_point, size_t before);

/* gm_font_script - a number for the script that a code point is written in; 0 for what belongs to any
 * script (digits, punctuation, accents). */
uint32_t gm_font_script(uint32_t code_point);

/* A shape of a face, and where it goes: lengths are in 1/64 pixels, y upwards. */
struct gm_glyph {
    uint32_t index;  /* in the face */
    size_t at;       /* the first code point that it is made of */
    int32_t advance; /* to the next glyph's origin */
    int32_t dx, dy;  /* from its own */
};
struct gm_glyphs {
    struct gm_glyph *v; /* owned, gm_free */
    size_t n, cap;
};

/* gm_font_shape - append the glyphs of text[from,to), of one face, script and direction, from left to
 * right as they are seen; letters are joined, and accents placed, as the script wants it, in the
 * light of the text around [0,n). Errors: NOMEM. */
enum gm_status gm_font_shape(struct gm_font *f, size_t face, const uint32_t *text, size_t n,
                             size_t from, size_t to, bool rtl, struct gm_glyphs *out,
                             struct gm_error *err) GM_NODISCARD;

/* gm_font_draw_glyph - one glyph with its origin at pixel (x, y); what is outside of the picture is
 * cut off, and one that the font can't draw left out. Errors: NOMEM. */
enum gm_status gm_font_draw_glyph(struct gm_font *f, size_t face, uint32_t index,
                                  struct gm_image *im, int x, int y, struct gm_color color,
                                  struct gm_error *err) GM_NODISCARD;

#endif
