/* font.c - see font.h. */
#include "image/font.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/utf8.h"

#include <stdlib.h>

#include <ft2build.h>
#include FT_FREETYPE_H

/* Where distributions keep them; of the first group one is needed, the others only add letters. */
static const char *const base_paths[2][3] = {
    {
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
        "/usr/share/fonts/TTF/DejaVuSans.ttf",
    },
    {
        "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf",
        "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf",
    },
};
static const char *const more_paths[] = {
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/opentype/unifont/unifont.otf",
};
enum { N_BASE = sizeof base_paths[0] / sizeof *base_paths[0],
       N_MORE = sizeof more_paths / sizeof *more_paths,
       MAX_FACES = 1 + N_MORE };

struct gm_font {
    FT_Library library;
    FT_Face face[MAX_FACES]; /* the base font first */
    size_t n_faces;
    uint32_t size_px;
};

static bool add_face(struct gm_font *f, const char *path)
{
    FT_Face face;
    if (!gm_is_file(path) || FT_New_Face(f->library, path, 0, &face) != 0)
        return false;
    if (FT_Set_Pixel_Sizes(face, 0, f->size_px) != 0) {
        FT_Done_Face(face);
        return false;
    }
    f->face[f->n_faces++] = face;
    return true;
}

enum gm_status gm_font_open(struct gm_font **out, uint32_t size_px, bool bold,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *wanted = getenv("GMNER_FONT");
    struct gm_font *f = gm_alloc(1, sizeof *f);
    *out = NULL;
    if (!f || FT_Init_FreeType(&f->library) != 0) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a font");
        goto done;
    }
    f->size_px = size_px;
    if (wanted && !add_face(f, wanted)) {
        st = GM_FAIL(err, GM_EIO, "%s: cannot be used as a font (GMNER_FONT)", wanted);
        goto done;
    }
    for (size_t i = 0; i < N_BASE && f->n_faces == 0; i++)
        add_face(f, base_paths[bold][i]);
    if (f->n_faces == 0) {
        st = GM_FAIL(err, GM_EIO,
                     "no font for labels: install fonts-dejavu-core, or let GMNER_FONT "
                     "name a font file");
        goto done;
    }
    for (size_t i = 0; i < N_MORE; i++)
        add_face(f, more_paths[i]);
    *out = f;
    f = NULL;
done:
    gm_font_free(f);
    return st;
}

void gm_font_free(struct gm_font *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_faces; i++)
        FT_Done_Face(f->face[i]);
    if (f->library)
        FT_Done_FreeType(f->library);
    gm_free(f);
}

/* The face that has the letter; NULL when none has it. */
static FT_Face face_of(struct gm_font *f, uint32_t cp)
{
    for (size_t i = 0; i < f->n_faces; i++)
        if (FT_Get_Char_Index(f->face[i], cp) != 0)
            return f->face[i];
    return NULL;
}

bool gm_font_has(struct gm_font *f, uint32_t code_point) { return face_of(f, code_point) != NULL; }

/* Load the next letter of the text at *pos, drawn or only measured. A letter without a shape gets
 * the base font's empty frame; marks that are not meant to be seen (joiners, variation selectors)
 * get nothing. */
static FT_GlyphSlot next_glyph(struct gm_font *f, struct gm_str text, size_t *pos, FT_Int32 flags)
{
    while (*pos < text.n) {
        uint32_t cp = gm_utf8_next(text, pos);
        bool unseen = (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
                      (cp >= 0xfe00 && cp <= 0xfe0f) || cp < 0x20;
        FT_Face face = face_of(f, cp);
        if (unseen || FT_Load_Char(face ? face : f->face[0], cp, flags) != 0)
            continue;
        return (face ? face : f->face[0])->glyph;
    }
    return NULL;
}

uint32_t gm_font_width(struct gm_font *f, struct gm_str text)
{
    long width = 0;
    size_t pos = 0;
    for (FT_GlyphSlot g; (g = next_glyph(f, text, &pos, FT_LOAD_DEFAULT));)
        width += g->advance.x / 64;
    return width > 0 ? (uint32_t)width : 0;
}

uint32_t gm_font_ascent(const struct gm_font *f)
{
    return (uint32_t)(f->face[0]->size->metrics.ascender / 64);
}

uint32_t gm_font_descent(const struct gm_font *f)
{
    return (uint32_t)(-f->face[0]->size->metrics.descender / 64);
}

static void mix(uint8_t *px, struct gm_color c, unsigned cover)
{
    px[0] = (uint8_t)((px[0] * (255 - cover) + c.r * cover + 127) / 255);
    px[1] = (uint8_t)((px[1] * (255 - cover) + c.g * cover + 127) / 255);
    px[2] = (uint8_t)((px[2] * (255 - cover) + c.b * cover + 127) / 255);
}

static void draw_glyph(FT_GlyphSlot g, struct gm_image *im, int x0, int y0, struct gm_color color)
{
    const FT_Bitmap *b = &g->bitmap;
    if (b->pixel_mode != FT_PIXEL_MODE_GRAY && b->pixel_mode != FT_PIXEL_MODE_MONO)
        return;
    for (int row = 0; row < (int)b->rows; row++)
        for (int col = 0; col < (int)b->width; col++) {
            int x = x0 + g->bitmap_left + col, y = y0 - g->bitmap_top + row;
            if (x < 0 || y < 0 || x >= (int)im->w || y >= (int)im->h)
                continue;
            const unsigned char *line = b->buffer + row * b->pitch;
            unsigned cover = b->pixel_mode == FT_PIXEL_MODE_GRAY ? line[col]
                             : line[col / 8] >> (7 - col % 8) & 1 ? 255 : 0;
            mix(im->rgb + ((size_t)y * im->w + (size_t)x) * 3, color, cover);
        }
}

void gm_font_draw(struct gm_font *f, struct gm_image *im, int x, int y, struct gm_str text,
                  struct gm_color color)
{
    size_t pos = 0;
    for (FT_GlyphSlot g; x < (int)im->w && (g = next_glyph(f, text, &pos, FT_LOAD_RENDER));) {
        draw_glyph(g, im, x, y, color);
        x += (int)(g->advance.x / 64);
    }
}
