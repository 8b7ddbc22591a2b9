/* label.c - see label.h. */
#include "image/label.h"

#include "image/draw.h"

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
    int left = gm_draw_clip(x, im->w), top = gm_draw_clip(y, im->h) - height;
    left = left + width > (int)im->w ? (int)im->w - width : left;
    left = left < 0 ? 0 : left;
    top = top < 0 ? 0 : top;
    gm_draw_tint(im, left, top, left + width, top + height, color, 0.92f);
    GM_TRY(gm_draw_line(im, p, left + pad, top + pad / 2 + ascent, 0, end, cut ? dots : NULL, err));
done:
    gm_paragraph_free(p);
    gm_paragraph_free(dots);
    return st;
}
