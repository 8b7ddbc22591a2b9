/* annotate.c - see annotate.h. */
#include "report/annotate.h"

#include "base/alloc.h"
#include "image/draw.h"
#include "image/label.h"
#include "image/paragraph.h"
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
            GM_TRY(gm_draw_label(im, font, (float)box[0], (float)y, e->text,
                                 gm_palette_color(e->type), err));
        }
done:
    return st;
}

/* How an entity is marked: on its colour when it was found in the picture; else dark on a tint of it
 * and underlined. */
struct marking {
    struct gm_color ground, line;
    bool is_found;
};

static struct marking marking_of(const struct gm_entity *e)
{
    struct gm_color c = gm_palette_color(e->type);
    struct gm_color tint = {(uint8_t)((c.r + 5 * ground.r) / 6),
                            (uint8_t)((c.g + 5 * ground.g) / 6),
                            (uint8_t)((c.b + 5 * ground.b) / 6)};
    return e->n_regions ? (struct marking){c, c, true} : (struct marking){tint, c, false};
}

/* An entity and its type as a tag behind it. The tag is held to the entity by spaces that don't break,
 * and is kept apart from the direction of the text around it (U+2068 to U+2069). */
static enum gm_status add_entity(struct gm_paragraph *p, struct gm_str text, struct gm_str type,
                                 const struct marking *m, struct gm_font *font[3],
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_style style = {.font = font[1], .ground = &m->ground};
    style.ink = m->is_found ? gm_palette_ink(m->ground) : ink;
    style.line = m->is_found ? NULL : &m->line;
    GM_TRY(gm_paragraph_add(p, text, &style, err));
    style.font = font[2];
    GM_TRY(gm_paragraph_add(p, GM_STR("\u2068\u00a0"), &style, err));
    GM_TRY(gm_paragraph_add(p, type, &style, err));
    GM_TRY(gm_paragraph_add(p, GM_STR("\u00a0\u2069"), &style, err));
done:
    return st;
}

/* The post's text with its entities and their types; `markings` are borrowed by the result. */
static enum gm_status letter_post(struct gm_paragraph **out, const struct gm_post *post,
                                  const struct gm_mark *marks, size_t n, struct marking *markings,
                                  struct gm_font *font[3], struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_style plain = {.font = font[0], .ink = ink};
    size_t at = 0;
    GM_TRY(gm_paragraph_new(out, err));
    for (size_t i = 0; i < n; i++) {
        const struct gm_entity *e = &post->entities[marks[i].entity];
        struct gm_str text = gm_str_sub(post->text, marks[i].from, marks[i].to);
        markings[i] = marking_of(e);
        GM_TRY(gm_paragraph_add(*out, gm_str_sub(post->text, at, marks[i].from), &plain, err));
        GM_TRY(add_entity(*out, text, e->type, &markings[i], font, err));
        at = marks[i].to;
    }
    GM_TRY(gm_paragraph_add(*out, gm_str_sub(post->text, at, post->text.n), &plain, err));
    GM_TRY(gm_paragraph_shape(*out, err));
done:
    return st;
}

/* Scripts without spaces, which may break at any letter. */
static bool breaks_anywhere(uint32_t cp)
{
    return (cp >= 0x2e80 && cp < 0xfe00) || (cp >= 0xff00 && cp < 0xffef) ||
           (cp >= 0x20000 && cp < 0x40000);
}

/* Marks that stay with what is before them (closing ones) or behind them (opening ones, the signs of
 * tags and names). */
static bool is_one_of(uint32_t cp, const uint32_t *list)
{
    while (*list && *list != cp)
        list++;
    return *list != 0;
}

/* Whether a line may end before code point i. */
static bool may_break(const struct gm_paragraph *p, size_t i)
{
    static const uint32_t closing[] = {
        ',',    '.',    '!',    '?',    ':',    ';',    ')',    ']',    0x2019, 0x201d,
        0x2026, 0x3001, 0x3002, 0x3009, 0x300b, 0x300d, 0x300f, 0x3011, 0xff01, 0xff09,
        0xff0c, 0xff0e, 0xff1a, 0xff1b, 0xff1f, 0x00a0, 0x2068, 0x2069, 0};
    static const uint32_t opening[] = {'#',    '@',    '(',    '[',    0x2018, 0x201c,
                                       0x3008, 0x300a, 0x300c, 0x300e, 0x3010, 0xff03,
                                       0xff08, 0xff20, 0x00a0, 0x2068, 0};
    uint32_t before = gm_paragraph_at(p, i - 1), cp = gm_paragraph_at(p, i);
    if (before == ' ')
        return cp != ' ';
    return (breaks_anywhere(before) || breaks_anywhere(cp)) && cp != ' ' &&
           !is_one_of(before, opening) && !is_one_of(cp, closing);
}

struct line {
    size_t from, to; /* code points; no space at either end */
};

/* The line that begins at or behind `from`: as many words as go into most_px; of a word that is wider
 * than a line as much as fits. */
static struct line next_line(const struct gm_paragraph *p, size_t from, uint32_t most_px)
{
    size_t n = gm_paragraph_count(p);
    while (gm_paragraph_at(p, from) == ' ')
        from++;
    size_t fit = gm_paragraph_fit(p, from, n, most_px), to = fit;
    if (fit < n && gm_paragraph_at(p, fit) != ' ') {
        while (to > from && !may_break(p, to))
            to--;
        if (to == from)
            to = fit > from ? fit : from + 1;
    }
    while (to > from && gm_paragraph_at(p, to - 1) == ' ')
        to--;
    return (struct line){from, to};
}

/* The lines of the text, MAX_LINES at most; *cut when there is more. */
static size_t break_lines(const struct gm_paragraph *p, uint32_t most_px, struct line *lines,
                          bool *cut)
{
    size_t n = 0, at = 0, end = gm_paragraph_count(p);
    while (end > 0 && gm_paragraph_at(p, end - 1) == ' ')
        end--;
    for (; n < MAX_LINES && at < end; n++) {
        lines[n] = next_line(p, at, most_px);
        at = lines[n].to;
    }
    *cut = at < end;
    return n;
}

/* Lines stand at the side where the text begins; of a text that goes on behind the last one, that line
 * makes room for "…". */
static enum gm_status draw_lines(struct gm_image *im, const struct gm_paragraph *p,
                                 const struct gm_paragraph *dots, struct line *lines, size_t n,
                                 int y, int line_h, int pad, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t most = im->w - 2 * (uint32_t)pad;
    for (size_t i = 0; i < n; i++, y += line_h) {
        const struct gm_paragraph *end = i + 1 == n ? dots : NULL;
        uint32_t dots_w = end ? gm_paragraph_width(end, 0, 1) : 0;
        struct line *l = &lines[i];
        l->to = gm_paragraph_fit(p, l->from, l->to, most > dots_w ? most - dots_w : 0);
        int w = (int)(gm_paragraph_width(p, l->from, l->to) + dots_w);
        int x = gm_paragraph_is_rtl(p) ? (int)im->w - pad - w : pad;
        GM_TRY(gm_draw_line(im, p, x, y, l->from, l->to, end, err));
    }
done:
    return st;
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
    struct gm_paragraph *p = NULL, *dots = NULL;
    struct line lines[MAX_LINES];
    size_t n;
    bool cut;
    gm_arena_init(&a, 0);
    GM_TRY(gm_marks_of(&a, post, &marks, &n, err));
    struct marking *markings = gm_arena_alloc(&a, n, sizeof *markings);
    if (!markings) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory for %zu entities", n);
        goto done;
    }
    GM_TRY(letter_post(&p, post, marks, n, markings, font, err));
    GM_TRY(gm_paragraph_new(&dots, err));
    GM_TRY(
        gm_paragraph_add(dots, GM_STR("…"), &(struct gm_style){.font = font[0], .ink = ink}, err));
    GM_TRY(gm_paragraph_shape(dots, err));
    uint32_t w = im->w > MIN_WIDTH ? im->w : MIN_WIDTH;
    int ascent = (int)gm_font_ascent(font[0]);
    int line_h = (ascent + (int)gm_font_descent(font[0])) * 5 / 4, pad = line_h / 2;
    size_t n_lines = break_lines(p, w - 2 * (uint32_t)pad, lines, &cut);
    size_t room = n_lines ? n_lines : 1;
    GM_TRY(new_canvas(out, im, w, im->h + (uint32_t)((int)room * line_h + 2 * pad), err));
    st = draw_lines(*out, p, cut ? dots : NULL, lines, n_lines,
                    (int)im->h + pad + line_h - (int)gm_font_descent(font[0]), line_h, pad, err);
done:
    gm_paragraph_free(p);
    gm_paragraph_free(dots);
    gm_arena_clear(&a);
    return st;
}

/* One of the whole picture's size, whatever the size of `im` is. */
static enum gm_status copy_of(struct gm_image **out, const struct gm_image *im,
                              const uint32_t size[2], struct gm_error *err)
{
    const float all[4] = {0, 0, (float)im->w, (float)im->h};
    if (im->w != size[0] || im->h != size[1])
        return gm_image_resize(out, im, all, size[0], size[1], err);
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
    uint32_t whole[2];
    *out = NULL;
    GM_TRY(gm_post_picture(post, &im, &owned, whole, err));
    if (!im)
        goto done;
    uint32_t size = (whole[0] > whole[1] ? whole[0] : whole[1]) / 34;
    size = size < MIN_FONT ? MIN_FONT : size > MAX_FONT ? MAX_FONT : size;
    for (int i = 0; i < 3; i++)
        GM_TRY(gm_font_open(&font[i], i < 2 ? size : size * 2 / 3, i > 0, err));
    GM_TRY(copy_of(&drawn, im, whole, err));
    GM_TRY(draw_entities(drawn, post, font[1], size / 7 + 1, err));
    GM_TRY(add_strip(out, drawn, post, font, err));
done:
    gm_image_free(drawn);
    gm_image_free(owned);
    for (int i = 0; i < 3; i++)
        gm_font_free(font[i]);
    return st;
}
