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

int gm_draw_clip(double v, uint32_t most)
{
    return v > 0 ? (v < most ? (int)lrint(v) : (int)most) : 0;
}

void gm_draw_tint(struct gm_image *im, int x0, int y0, int x1, int y1, struct gm_color c,
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
    gm_draw_tint(im, x0, y0, x1, y1, color, 1);
}

/* The four sides of a frame, `thick` to the inside, no pixel twice. */
static void frame(struct gm_image *im, int x0, int y0, int x1, int y1, int thick, struct gm_color c,
                  float opacity)
{
    thick = thick * 2 > y1 - y0 ? (y1 - y0 + 1) / 2 : thick;
    gm_draw_tint(im, x0, y0, x1, y0 + thick, c, opacity);
    gm_draw_tint(im, x0, y1 - thick > y0 + thick ? y1 - thick : y0 + thick, x1, y1, c, opacity);
    gm_draw_tint(im, x0, y0 + thick, x0 + thick < x1 ? x0 + thick : x1, y1 - thick, c, opacity);
    gm_draw_tint(im, x1 - thick > x0 + thick ? x1 - thick : x0 + thick, y0 + thick, x1, y1 - thick,
                 c, opacity);
}

void gm_draw_box(struct gm_image *im, const double box[4], struct gm_color color, uint32_t thick_px)
{
    int x0 = gm_draw_clip(box[0], im->w), y0 = gm_draw_clip(box[1], im->h);
    int x1 = gm_draw_clip(box[2], im->w), y1 = gm_draw_clip(box[3], im->h), thick = (int)thick_px;
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
