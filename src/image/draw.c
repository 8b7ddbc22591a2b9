/* draw.c - colours over pixels [h][w][3]: each channel becomes round(p + opacity (c - p)). A
 * pixel of a mask counts as its edge where one of eight neighbours at `thick` pixels is outside.
 * Coordinates are rounded to whole pixels and clipped to the picture. Tests, pixel by pixel:
 * tests/unit/test_image_draw.c. */
#include "image/draw.h"

#include <math.h>

static const struct gm_color white = {255, 255, 255};

static uint8_t mixed(uint8_t from, uint8_t to, float opacity)
{
    return (uint8_t)lrintf((float)from + ((float)to - (float)from) * opacity);
}

static void tint(struct gm_image *im, size_t x, size_t y, struct gm_color c, float opacity)
{
    uint8_t *px = im->rgb + (y * im->w + x) * 3;
    px[0] = mixed(px[0], c.r, opacity);
    px[1] = mixed(px[1], c.g, opacity);
    px[2] = mixed(px[2], c.b, opacity);
}

/* A coordinate as a whole number in [0, most]; NaN becomes 0. */
static int clip(double v, uint32_t most)
{
    return v > 0 ? (v < most ? (int)lrint(v) : (int)most) : 0;
}

static void fill(struct gm_image *im, int x0, int y0, int x1, int y1, struct gm_color c,
                 float opacity)
{
    x0 = x0 > 0 ? x0 : 0;
    y0 = y0 > 0 ? y0 : 0;
    for (int y = y0; y < y1 && y < (int)im->h; y++)
        for (int x = x0; x < x1 && x < (int)im->w; x++)
            tint(im, (size_t)x, (size_t)y, c, opacity);
}

void gm_draw_rect(struct gm_image *im, int x0, int y0, int x1, int y1, struct gm_color color)
{
    fill(im, x0, y0, x1, y1, color, 1);
}

/* The four sides of a frame, `thick` to the inside, no pixel twice. */
static void frame(struct gm_image *im, int x0, int y0, int x1, int y1, int thick, struct gm_color c,
                  float opacity)
{
    thick = thick * 2 > y1 - y0 ? (y1 - y0 + 1) / 2 : thick;
    fill(im, x0, y0, x1, y0 + thick, c, opacity);
    fill(im, x0, y1 - thick > y0 + thick ? y1 - thick : y0 + thick, x1, y1, c, opacity);
    fill(im, x0, y0 + thick, x0 + thick < x1 ? x0 + thick : x1, y1 - thick, c, opacity);
    fill(im, x1 - thick > x0 + thick ? x1 - thick : x0 + thick, y0 + thick, x1, y1 - thick, c,
         opacity);
}

void gm_draw_box(struct gm_image *im, const double box[4], struct gm_color color, uint32_t thick_px)
{
    int x0 = clip(box[0], im->w), y0 = clip(box[1], im->h);
    int x1 = clip(box[2], im->w), y1 = clip(box[3], im->h), thick = (int)thick_px;
    if (x1 <= x0 || y1 <= y0)
        return;
    frame(im, x0 - 1, y0 - 1, x1 + 1, y1 + 1, 1, white, 0.7f);
    frame(im, x0, y0, x1, y1, thick, color, 1);
    if (x1 - x0 > 2 * thick + 2 && y1 - y0 > 2 * thick + 2)
        frame(im, x0 + thick, y0 + thick, x1 - thick, y1 - thick, 1, white, 0.7f);
}

/* Whether a pixel inside the mask is nearer than `reach` to the outside, looked at in eight
 * directions. The picture's edge is no contour. */
static bool near_outside(const uint8_t *mask, int w, int h, int x, int y, int reach)
{
    int slant = (int)lrintf((float)reach * 0.7f);
    const int step[8][2] = {{reach, 0},     {-reach, 0},     {0, reach},      {0, -reach},
                            {slant, slant}, {slant, -slant}, {-slant, slant}, {-slant, -slant}};
    for (int i = 0; i < 8; i++) {
        int u = x + step[i][0], v = y + step[i][1];
        if (u >= 0 && v >= 0 && u < w && v < h && !mask[(size_t)v * (size_t)w + (size_t)u])
            return true;
    }
    return false;
}

void gm_draw_mask(struct gm_image *im, const uint8_t *mask, struct gm_color color, float opacity,
                  uint32_t thick_px)
{
    int w = (int)im->w, h = (int)im->h;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            if (!mask[(size_t)y * im->w + (size_t)x])
                continue;
            bool edge = thick_px && near_outside(mask, w, h, x, y, (int)thick_px);
            tint(im, (size_t)x, (size_t)y, color, edge ? 0.9f : opacity);
        }
}

static int label_pad(const struct gm_font *font) { return ((int)gm_font_ascent(font) + 5) / 6; }

uint32_t gm_draw_label_height(const struct gm_font *font)
{
    return gm_font_ascent(font) + gm_font_descent(font) + (uint32_t)label_pad(font);
}

enum gm_status gm_draw_line(struct gm_image *im, const struct gm_paragraph *p, int x, int y,
                            size_t from, size_t to, const struct gm_paragraph *dots,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    int w = (int)gm_paragraph_width(p, from, to);
    int dots_w = dots ? (int)gm_paragraph_width(dots, 0, gm_paragraph_count(dots)) : 0;
    bool rtl = gm_paragraph_is_rtl(p);
    GM_TRY(gm_paragraph_draw(p, im, rtl ? x + dots_w : x, y, from, to, err));
    if (dots)
        GM_TRY(gm_paragraph_draw(dots, im, rtl ? x : x + w, y, 0, gm_paragraph_count(dots), err));
done:
    return st;
}

static enum gm_status one_line(struct gm_paragraph **out, struct gm_str text,
                               const struct gm_style *style, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_paragraph_new(out, err));
    GM_TRY(gm_paragraph_add(*out, text, style, err));
    GM_TRY(gm_paragraph_shape(*out, err));
done:
    return st;
}

enum gm_status gm_draw_label(struct gm_image *im, struct gm_font *font, float x, float y,
                             struct gm_str text, struct gm_color color, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_paragraph *p = NULL, *dots = NULL;
    const struct gm_style style = {.font = font, .ink = gm_palette_ink(color)};
    int ascent = (int)gm_font_ascent(font), pad = label_pad(font);
    int height = (int)gm_draw_label_height(font);
    uint32_t most = im->w > 2 * (uint32_t)pad ? im->w - 2 * (uint32_t)pad : 0;
    GM_TRY(one_line(&p, text, &style, err));
    GM_TRY(one_line(&dots, GM_STR("…"), &style, err));
    size_t end = gm_paragraph_count(p);
    uint32_t dots_w = gm_paragraph_width(dots, 0, 1);
    bool cut = gm_paragraph_width(p, 0, end) > most;
    if (cut)
        end = gm_paragraph_fit(p, 0, end, most > dots_w ? most - dots_w : 0);
    int width = (int)(gm_paragraph_width(p, 0, end) + (cut ? dots_w : 0)) + 2 * pad;
    int left = clip(x, im->w), top = clip(y, im->h) - height;
    left = left + width > (int)im->w ? (int)im->w - width : left;
    left = left < 0 ? 0 : left;
    top = top < 0 ? 0 : top;
    fill(im, left, top, left + width, top + height, color, 0.92f);
    GM_TRY(gm_draw_line(im, p, left + pad, top + pad / 2 + ascent, 0, end, cut ? dots : NULL, err));
done:
    gm_paragraph_free(p);
    gm_paragraph_free(dots);
    return st;
}
