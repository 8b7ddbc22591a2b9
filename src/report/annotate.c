/* annotate.c - see annotate.h. */
#include "report/annotate.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "image/draw.h"
#include "report/marks.h"

#include <math.h>
#include <string.h>

enum { MIN_WIDTH = 480, MIN_FONT = 13, MAX_FONT = 30, MAX_LINES = 12 };

static const struct gm_color ground = {250, 250, 252}, ink = {22, 25, 29};

static enum gm_status draw_masks(struct gm_image *im, const struct gm_entity *e, uint32_t thick,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < e->n_regions && st == GM_OK; i++) {
        uint8_t *mask;
        st = gm_region_mask(&e->regions[i], im->w, im->h, &mask, err);
        if (mask)
            gm_draw_mask(im, mask, gm_palette_color(e->type), 0.35f, thick);
        gm_free(mask);
    }
    return st;
}

/* How many labels before that of region k of entity i stand about where it would. */
static unsigned n_labels_before(const struct gm_post *post, size_t i, size_t k, double near_px)
{
    unsigned n = 0;
    const double *box = post->entities[i].regions[k].box;
    for (size_t m = 0; m <= i; m++)
        for (size_t r = 0; r < (m < i ? post->entities[m].n_regions : k); r++) {
            const double *b = post->entities[m].regions[r].box;
            n += fabs(b[0] - box[0]) < 4 * near_px && fabs(b[1] - box[1]) < near_px;
        }
    return n;
}

/* Masks first, then boxes, then names, so that nothing covers a name. */
static enum gm_status draw_entities(struct gm_image *im, const struct gm_post *post,
                                    struct gm_font *font, uint32_t thick, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double label_h = gm_draw_label_height(font);
    for (size_t i = 0; i < post->n_entities; i++)
        GM_TRY(draw_masks(im, &post->entities[i], thick, err));
    for (size_t i = 0; i < post->n_entities; i++)
        for (size_t k = 0; k < post->entities[i].n_regions; k++)
            gm_draw_box(im, post->entities[i].regions[k].box,
                        gm_palette_color(post->entities[i].type), thick);
    for (size_t i = 0; i < post->n_entities; i++)
        for (size_t k = 0; k < post->entities[i].n_regions; k++) {
            const struct gm_entity *e = &post->entities[i];
            const double *box = e->regions[k].box;
            double y = box[1] > label_h ? box[1] : label_h; /* inside a box at the upper edge */
            y += label_h * n_labels_before(post, i, k, label_h);
            gm_draw_label(im, font, (float)box[0], (float)y, e->text, gm_palette_color(e->type));
        }
done:
    return st;
}

/* The text under the picture, laid out word by word. */
struct strip {
    struct gm_image *im; /* NULL: only measure */
    struct gm_font *font, *bold, *small; /* the text's, its entities' and their type tags' */
    int left, right, x, y; /* pixels; y is the base line */
    int line_h, n_lines;
    bool full; /* MAX_LINES are used: nothing more is drawn */
};

static void new_line(struct strip *s)
{
    s->full = s->n_lines == MAX_LINES;
    s->x = s->left;
    if (s->full)
        return;
    s->n_lines++;
    s->y += s->line_h;
}

/* A piece that is never broken, nor from the `behind` pixels that follow, on a ground of its
 * entity's colour where it has one. */
static void put_piece(struct strip *s, struct gm_font *font, struct gm_str text, int behind,
                      const struct gm_color *mark)
{
    int w = (int)gm_font_width(font, text);
    if (s->x + w + behind > s->right && s->x > s->left) {
        if (s->n_lines == MAX_LINES && s->im && !s->full)
            gm_font_draw(s->font, s->im, s->x, s->y, GM_STR("…"), ink);
        new_line(s);
    }
    if (s->im && !s->full) {
        int up = (int)gm_font_ascent(s->font), down = (int)gm_font_descent(s->font);
        if (mark)
            gm_draw_rect(s->im, s->x, s->y - up, s->x + w, s->y + down, *mark);
        gm_font_draw(font, s->im, s->x, s->y, text, mark ? gm_palette_ink(*mark) : ink);
    }
    s->x += w;
}

/* Words and single spaces; a script without spaces may break at any letter. */
static void put_text(struct strip *s, struct gm_str text, int behind, const struct gm_color *mark)
{
    size_t pos = 0;
    while (pos < text.n && !s->full) {
        size_t from = pos, end = pos;
        while (pos < text.n) {
            uint32_t cp = gm_utf8_next(text, &pos);
            bool space = cp <= 0x20;
            if (space && end > from)
                break;
            end = pos;
            if (space || cp >= 0x2e80)
                break;
        }
        pos = end;
        struct gm_str piece = gm_str_sub(text, from, end);
        if (piece.n == 1 && (unsigned char)piece.p[0] <= 0x20)
            piece = s->x > s->left ? GM_STR(" ") : GM_STR("");
        put_piece(s, mark ? s->bold : s->font, piece, pos == text.n ? behind : 0, mark);
    }
}

static void put_post(struct strip *s, const struct gm_post *post, const struct gm_mark *marks,
                     size_t n)
{
    size_t at = 0;
    new_line(s);
    for (size_t i = 0; i < n && !s->full; i++) {
        const struct gm_entity *e = &post->entities[marks[i].entity];
        struct gm_color color = gm_palette_color(e->type);
        int tag = (int)(gm_font_width(s->small, GM_STR("  ")) + gm_font_width(s->small, e->type));
        put_text(s, gm_str_sub(post->text, at, marks[i].from), 0, NULL);
        put_text(s, gm_str_sub(post->text, marks[i].from, marks[i].to), tag, &color);
        put_piece(s, s->small, GM_STR(" "), 0, &color);
        put_piece(s, s->small, e->type, 0, &color);
        put_piece(s, s->small, GM_STR(" "), 0, &color);
        at = marks[i].to;
    }
    put_text(s, gm_str_sub(post->text, at, post->text.n), 0, NULL);
}

static enum gm_status new_canvas(struct gm_image **out, const struct gm_image *im, uint32_t w,
                                 uint32_t h, struct gm_error *err)
{
    enum gm_status st = gm_image_new(out, w, h, err);
    if (st != GM_OK)
        return st;
    gm_draw_rect(*out, 0, 0, (int)w, (int)h, ground);
    size_t left = (w - im->w) / 2;
    for (size_t y = 0; y < im->h; y++)
        memcpy((*out)->rgb + (y * w + left) * 3, im->rgb + y * im->w * 3, (size_t)im->w * 3);
    return GM_OK;
}

/* The picture with the text's strip under it. */
static enum gm_status add_strip(struct gm_image **out, const struct gm_image *im,
                                const struct gm_post *post, struct gm_font *font[3],
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_mark *marks;
    size_t n;
    gm_arena_init(&a, 0);
    GM_TRY(gm_marks_of(&a, post, &marks, &n, err));
    uint32_t w = im->w > MIN_WIDTH ? im->w : MIN_WIDTH;
    int line_h = (int)(gm_font_ascent(font[0]) + gm_font_descent(font[0])) * 5 / 4;
    int pad = line_h / 2;
    struct strip s = {.font = font[0], .bold = font[1], .small = font[2], .left = pad,
                      .right = (int)w - pad, .line_h = line_h};
    struct strip drawn = s;
    put_post(&s, post, marks, n);
    GM_TRY(new_canvas(out, im, w, im->h + (uint32_t)(s.n_lines * line_h + 2 * pad), err));
    drawn.im = *out;
    drawn.y = (int)im->h + pad - (int)gm_font_descent(font[0]);
    put_post(&drawn, post, marks, n);
done:
    gm_arena_clear(&a);
    return st;
}

static enum gm_status copy_of(struct gm_image **out, const struct gm_image *im,
                              struct gm_error *err)
{
    enum gm_status st = gm_image_new(out, im->w, im->h, err);
    if (st == GM_OK)
        memcpy((*out)->rgb, im->rgb, (size_t)im->w * im->h * 3);
    return st;
}

enum gm_status gm_annotate(const struct gm_post *post, struct gm_image **out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_image *im;
    struct gm_image *owned = NULL, *drawn = NULL;
    struct gm_font *font[3] = {NULL}; /* regular, bold, small bold */
    *out = NULL;
    GM_TRY(gm_post_picture(post, &im, &owned, err));
    if (!im)
        goto done;
    uint32_t size = (im->w > im->h ? im->w : im->h) / 34;
    size = size < MIN_FONT ? MIN_FONT : size > MAX_FONT ? MAX_FONT : size;
    for (int i = 0; i < 3; i++)
        GM_TRY(gm_font_open(&font[i], i < 2 ? size : size * 2 / 3, i > 0, err));
    GM_TRY(copy_of(&drawn, im, err));
    GM_TRY(draw_entities(drawn, post, font[1], size / 7 + 1, err));
    GM_TRY(add_strip(out, drawn, post, font, err));
done:
    gm_image_free(drawn);
    gm_image_free(owned);
    for (int i = 0; i < 3; i++)
        gm_font_free(font[i]);
    return st;
}
