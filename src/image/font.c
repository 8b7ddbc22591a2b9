/* font.c - see font.h. */
#include "image/font.h"

#include "base/alloc.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_MODULE_H
#include <hb-ft.h>
#include <hb.h>

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
/* Debian's fonts-noto-core: a file for each script that those above lack. */
static const char script_path[] = "/usr/share/fonts/truetype/noto/NotoSans%s-%s.ttf";
static const char *const scripts[] = {
    "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu",   "Kannada",
    "Malayalam",  "Thai",    "Sinhala",  "Myanmar",  "Khmer", "Lao",   "Ethiopic", "Tibetan",
};
enum {
    N_BASE = sizeof base_paths[0] / sizeof *base_paths[0],
    N_MORE = sizeof more_paths / sizeof *more_paths,
    N_SCRIPTS = sizeof scripts / sizeof *scripts,
    RESERVE_BYTES = 1 << 20,
    MAX_FACES = 1 + N_MORE + N_SCRIPTS
};

struct gm_font {
    struct FT_MemoryRec_ memory; /* FreeType's heap is ours */
    unsigned char *reserve;      /* what it gets where there is none */
    size_t reserve_used;
    bool lacks_memory; /* it got some of that */
    FT_Library library;
    FT_Face face[MAX_FACES]; /* the base font first */
    hb_font_t *shaper[MAX_FACES];
    struct gm_map file[MAX_FACES]; /* of each face */
    size_t n_faces;
    uint32_t size_px;
};

/* FreeType (2.12) ends the process by a wild pointer when the memory for hinting runs out, and HarfBuzz
 * passes over what it can't load. So what the heap doesn't give comes from a reserve, and whoever called
 * them says afterwards that memory is out. */
static bool is_reserve(const struct gm_font *f, const void *p)
{
    return (uintptr_t)p - (uintptr_t)f->reserve < RESERVE_BYTES;
}

static void heap_free(FT_Memory m, void *p)
{
    if (!is_reserve(m->user, p))
        gm_free(p);
}

static void *heap_realloc(FT_Memory m, long had, long n, void *p)
{
    struct gm_font *f = m->user;
    void *q = n < 0 || is_reserve(f, p) ? NULL : gm_realloc(p, (size_t)n, 1);
    if (q)
        return q;
    f->lacks_memory = true;
    if (n < 0 || (size_t)n > RESERVE_BYTES - f->reserve_used)
        return NULL;
    q = f->reserve + f->reserve_used;
    f->reserve_used += ((size_t)n + 15) & ~(size_t)15;
    if (p)
        memcpy(q, p, (size_t)(had < n ? had : n));
    heap_free(m, p);
    return q;
}

static void *heap_alloc(FT_Memory m, long n) { return heap_realloc(m, 0, n, NULL); }

static FT_Error start(struct gm_font *f)
{
    f->reserve = gm_alloc(RESERVE_BYTES, 1);
    if (!f->reserve)
        return FT_Err_Out_Of_Memory;
    f->memory = (struct FT_MemoryRec_){f, heap_alloc, heap_free, heap_realloc};
    FT_Error why = FT_New_Library(&f->memory, &f->library);
    if (why == 0)
        FT_Add_Default_Modules(f->library);
    return f->lacks_memory ? FT_Err_Out_Of_Memory : why;
}

/* A face of our size; NULL: no font, or no memory. */
static FT_Face new_face(struct gm_font *f, const struct gm_map *map)
{
    FT_Face face;
    if (FT_New_Memory_Face(f->library, map->p, (FT_Long)map->n, 0, &face) != 0)
        return NULL;
    if (FT_Set_Pixel_Sizes(face, 0, f->size_px) == 0)
        return face;
    FT_Done_Face(face);
    return NULL;
}

/* Adds the font in `path`; *used is false where there is none, or it is no font. The file is mapped by
 * us: FreeType doesn't tell one that is no font from memory that is out. Errors: IO, NOMEM. */
static enum gm_status add_face(struct gm_font *f, const char *path, bool *used,
                               struct gm_error *err)
{
    struct gm_map *map = &f->file[f->n_faces];
    *used = false;
    if (!gm_is_file(path))
        return GM_OK;
    enum gm_status st = gm_map_open(map, path, err);
    if (st != GM_OK)
        return st == GM_EFORMAT ? GM_OK : st;
    FT_Face face = new_face(f, map);
    hb_font_t *shaper = face ? hb_ft_font_create(face, NULL) : NULL;
    if (shaper == hb_font_get_empty()) /* which has no letters */
        f->lacks_memory = true;
    if (!face || f->lacks_memory) {
        hb_font_destroy(shaper);
        if (face)
            FT_Done_Face(face);
        gm_map_close(map);
        return f->lacks_memory ? GM_FAIL(err, GM_ENOMEM, "%s: out of memory for a font", path)
                               : GM_OK;
    }
    /* Glyphs are drawn as hinted, so their advances are asked for that way: whole pixels. */
    hb_ft_font_set_load_flags(shaper, FT_LOAD_DEFAULT);
    f->shaper[f->n_faces] = shaper;
    f->face[f->n_faces++] = face;
    *used = true;
    return GM_OK;
}

/* The font that most letters come from. */
static enum gm_status add_base(struct gm_font *f, bool bold, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *wanted = getenv("GMNER_FONT");
    bool used = false;
    if (wanted) {
        GM_TRY(add_face(f, wanted, &used, err));
        if (!used)
            st = GM_FAIL(err, GM_EIO, "%s: cannot be used as a font (GMNER_FONT)", wanted);
        goto done;
    }
    for (size_t i = 0; i < N_BASE && !used; i++)
        GM_TRY(add_face(f, base_paths[bold][i], &used, err));
    if (!used)
        st = GM_FAIL(err, GM_EIO,
                     "no font for labels: install fonts-dejavu-core, or let GMNER_FONT "
                     "name a font file");
done:
    return st;
}

/* One that adds letters, where it can be read. */
static enum gm_status add_more(struct gm_font *f, const char *path, struct gm_error *err)
{
    bool used;
    enum gm_status st = add_face(f, path, &used, err);
    return st == GM_EIO ? GM_OK : st;
}

enum gm_status gm_font_open(struct gm_font **out, uint32_t size_px, bool bold, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_font *f = gm_alloc(1, sizeof *f);
    *out = NULL;
    if (!f || start(f) != 0) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a font");
        goto done;
    }
    f->size_px = size_px;
    GM_TRY(add_base(f, bold, err));
    for (size_t i = 0; i < N_MORE; i++)
        GM_TRY(add_more(f, more_paths[i], err));
    for (size_t i = 0; i < N_SCRIPTS; i++) {
        char path[128];
        snprintf(path, sizeof path, script_path, scripts[i], bold ? "Bold" : "Regular");
        GM_TRY(add_more(f, path, err));
    }
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
    for (size_t i = 0; i < f->n_faces; i++) {
        hb_font_destroy(f->shaper[i]);
        FT_Done_Face(f->face[i]);
        gm_map_close(&f->file[i]);
    }
    if (f->library)
        FT_Done_Library(f->library);
    gm_free(f->reserve);
    gm_free(f);
}

bool gm_font_has(struct gm_font *f, uint32_t code_point)
{
    return FT_Get_Char_Index(f->face[gm_font_face(f, code_point, 0)], code_point) != 0;
}

/* Joiners, marks of direction and variation selectors, which are not meant to be seen. */
static bool is_unseen(uint32_t cp)
{
    return (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
           (cp >= 0x2060 && cp <= 0x206f) || (cp >= 0xfe00 && cp <= 0xfe0f) || cp == 0xfeff;
}

size_t gm_font_face(struct gm_font *f, uint32_t code_point, size_t before)
{
    /* A space is every face's; a letter that the base face has is lettered by it. */
    bool follows = gm_font_script(code_point) == 0 && code_point != ' ';
    if (is_unseen(code_point) || (follows && FT_Get_Char_Index(f->face[before], code_point) != 0))
        return before;
    for (size_t i = 0; i < f->n_faces; i++)
        if (FT_Get_Char_Index(f->face[i], code_point) != 0)
            return i;
    return 0;
}

uint32_t gm_font_script(uint32_t code_point)
{
    hb_script_t s = hb_unicode_script(hb_unicode_funcs_get_default(), code_point);
    return s == HB_SCRIPT_COMMON || s == HB_SCRIPT_INHERITED ? 0 : (uint32_t)s;
}

static enum gm_status add_glyphs(hb_buffer_t *b, struct gm_glyphs *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    unsigned n = hb_buffer_get_length(b);
    const hb_glyph_info_t *info = hb_buffer_get_glyph_infos(b, NULL);
    const hb_glyph_position_t *pos = hb_buffer_get_glyph_positions(b, NULL);
    for (unsigned i = 0; i < n; i++) {
        GM_TRY(GM_GROW(out->v, out->n, out->cap, err));
        out->v[out->n++] = (struct gm_glyph){info[i].codepoint, info[i].cluster, pos[i].x_advance,
                                             pos[i].x_offset, pos[i].y_offset};
    }
done:
    return st;
}

enum gm_status gm_font_shape(struct gm_font *f, size_t face, const uint32_t *text, size_t n,
                             size_t from, size_t to, bool rtl, struct gm_glyphs *out,
                             struct gm_error *err)
{
    enum gm_status st;
    hb_buffer_t *b = hb_buffer_create();
    hb_buffer_set_direction(b, rtl ? HB_DIRECTION_RTL : HB_DIRECTION_LTR);
    hb_buffer_add_codepoints(b, text, (int)n, (unsigned)from, (int)(to - from));
    hb_buffer_guess_segment_properties(b);
    if (hb_buffer_allocation_successful(b) && hb_shape_full(f->shaper[face], b, NULL, 0, NULL) &&
        hb_buffer_allocation_successful(b) && !f->lacks_memory)
        st = add_glyphs(b, out, err);
    else
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for a text of %zu letters", n);
    hb_buffer_destroy(b);
    return st;
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
            unsigned cover = b->pixel_mode == FT_PIXEL_MODE_GRAY  ? line[col]
                             : line[col / 8] >> (7 - col % 8) & 1 ? 255
                                                                  : 0;
            mix(im->rgb + ((size_t)y * im->w + (size_t)x) * 3, color, cover);
        }
}

enum gm_status gm_font_draw_glyph(struct gm_font *f, size_t face, uint32_t index,
                                  struct gm_image *im, int x, int y, struct gm_color color,
                                  struct gm_error *err)
{
    FT_Error why = FT_Load_Glyph(f->face[face], index, FT_LOAD_RENDER);
    if (f->lacks_memory)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a letter");
    if (why == 0)
        draw_glyph(f->face[face]->glyph, im, x, y, color);
    return GM_OK;
}
