/* paragraph.h - a text in one or several styles, lettered line by line in any script: letters are
 * joined, accents placed, and what runs to the left is laid from the right. The caller chooses where
 * lines end; places in the text are counted in code points. One thread a paragraph and its fonts. */
#ifndef GM_IMAGE_PARAGRAPH_H
#define GM_IMAGE_PARAGRAPH_H

#include "base/str.h"
#include "image/font.h"

struct gm_paragraph;

/* How a stretch of text looks. The font is borrowed, and lives as long as the paragraph. */
struct gm_style {
    struct gm_font *font;
    struct gm_color ink;
    const struct gm_color *ground,
        *line; /* behind it, and a line under it; NULL = none; borrowed */
};

/* gm_paragraph_new - an empty paragraph; *out is yours. gm_paragraph_add - append UTF-8 in a style;
 * control characters and line ends become spaces. gm_paragraph_shape - once after the last one: what
 * the functions below need. Errors: NOMEM. Cost: linear. */
enum gm_status gm_paragraph_new(struct gm_paragraph **out, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_paragraph_add(struct gm_paragraph *p, struct gm_str text,
                                const struct gm_style *style, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_paragraph_shape(struct gm_paragraph *p, struct gm_error *err) GM_NODISCARD;
void gm_paragraph_free(struct gm_paragraph *p); /* NULL-safe */

/* gm_paragraph_count, gm_paragraph_at - the code points; at gives 0 past the end.
 * gm_paragraph_is_rtl - whether the whole runs from right to left, so that lines begin there. */
size_t gm_paragraph_count(const struct gm_paragraph *p);
uint32_t gm_paragraph_at(const struct gm_paragraph *p, size_t i);
bool gm_paragraph_is_rtl(const struct gm_paragraph *p);

/* gm_paragraph_width - pixels that [from,to) takes as a line. gm_paragraph_fit - the largest end in
 * [from,to] up to which the line is at most `most_px` wide, never between a letter and its accent. */
uint32_t gm_paragraph_width(const struct gm_paragraph *p, size_t from, size_t to);
size_t gm_paragraph_fit(const struct gm_paragraph *p, size_t from, size_t to, uint32_t most_px);

/* gm_paragraph_draw - the line [from,to) with the left end of its base line at (x, y). Errors: NOMEM. */
enum gm_status gm_paragraph_draw(const struct gm_paragraph *p, struct gm_image *im, int x, int y,
                                 size_t from, size_t to, struct gm_error *err) GM_NODISCARD;

#endif
