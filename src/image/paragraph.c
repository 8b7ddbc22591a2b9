/* paragraph.c - see paragraph.h. The text is cut into runs of one style, level, face and script; each
 * is shaped once, and lines are put together from the glyphs. */
#include "image/paragraph.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "image/bidi.h"
#include "image/draw.h"

struct run {
    size_t from, to;        /* code points */
    size_t glyph, n_glyphs; /* from left to right */
    size_t style, face;
    uint8_t level;
};

struct gm_paragraph {
    uint32_t *text;
    size_t *style_of; /* of each code point; as large as text */
    size_t n, cap, style_cap;
    struct gm_style *styles;
    size_t n_styles, styles_cap;
    struct run *runs; /* in the text's order */
    size_t n_runs, runs_cap;
    struct gm_glyphs glyphs;
    uint8_t *levels;  /* of each code point */
    int32_t *advance; /* of each code point: the glyphs that begin with it, in 1/64 pixels */
    bool *begins;     /* whether a glyph begins with it, so that a line may end before it */
    bool rtl;
};

enum gm_status gm_paragraph_new(struct gm_paragraph **out, struct gm_error *err)
{
    *out = gm_alloc(1, sizeof **out);
    return *out ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for a text");
}

void gm_paragraph_free(struct gm_paragraph *p)
{
    if (!p)
        return;
    gm_free(p->text);
    gm_free(p->style_of);
    gm_free(p->styles);
    gm_free(p->runs);
    gm_free(p->glyphs.v);
    gm_free(p->levels);
    gm_free(p->advance);
    gm_free(p->begins);
    gm_free(p);
}

enum gm_status gm_paragraph_add(struct gm_paragraph *p, struct gm_str text,
                                const struct gm_style *style, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(GM_GROW(p->styles, p->n_styles, p->styles_cap, err));
    p->styles[p->n_styles++] = *style;
    for (size_t pos = 0; pos < text.n;) {
        uint32_t cp = gm_utf8_next(text, &pos);
        bool breaks = cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029;
        GM_TRY(GM_GROW(p->text, p->n, p->cap, err));
        GM_TRY(GM_GROW(p->style_of, p->n, p->style_cap, err));
        p->text[p->n] = breaks ? ' ' : cp;
        p->style_of[p->n++] = p->n_styles - 1;
    }
done:
    return st;
}

/* The run that begins at `from`, behind one of face `before`. What belongs to any script goes on with
 * the script it stands in. */
static struct run next_run(const struct gm_paragraph *p, size_t from, size_t before)
{
    struct run r = {.from = from, .to = from, .style = p->style_of[from], .level = p->levels[from]};
    struct gm_font *font = p->styles[r.style].font;
    uint32_t script = 0;
    for (size_t i = from; i < p->n; i++) {
        uint32_t own = gm_font_script(p->text[i]);
        size_t face = gm_font_face(font, p->text[i], i > from ? r.face : before);
        bool same = p->style_of[i] == r.style && p->levels[i] == r.level && face == r.face &&
                    (own == 0 || script == 0 || own == script);
        if (i > from && !same)
            break;
        r.face = face;
        script = own ? own : script;
        r.to = i + 1;
    }
    return r;
}

static void measure(struct gm_paragraph *p, const struct run *r)
{
    for (size_t i = r->glyph; i < r->glyph + r->n_glyphs; i++) {
        const struct gm_glyph *g = &p->glyphs.v[i];
        p->advance[g->at] += g->advance;
        p->begins[g->at] = true;
    }
}

enum gm_status gm_paragraph_shape(struct gm_paragraph *p, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    p->levels = gm_alloc(p->n, sizeof *p->levels);
    p->advance = gm_alloc(p->n, sizeof *p->advance);
    p->begins = gm_alloc(p->n, sizeof *p->begins);
    if (!p->levels || !p->advance || !p->begins)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a text of %zu letters", p->n);
    if (p->n == 0)
        return GM_OK;
    GM_TRY(gm_bidi_levels(p->text, p->n, p->levels, &p->rtl, err));
    for (size_t from = 0, face = 0; from < p->n;) {
        struct run r = next_run(p, from, face);
        r.glyph = p->glyphs.n;
        GM_TRY(gm_font_shape(p->styles[r.style].font, r.face, p->text, p->n, r.from, r.to,
                             r.level % 2, &p->glyphs, err));
        r.n_glyphs = p->glyphs.n - r.glyph;
        GM_TRY(GM_GROW(p->runs, p->n_runs, p->runs_cap, err));
        p->runs[p->n_runs++] = r;
        measure(p, &r);
        face = r.face;
        from = r.to;
    }
done:
    return st;
}

size_t gm_paragraph_count(const struct gm_paragraph *p) { return p->n; }
uint32_t gm_paragraph_at(const struct gm_paragraph *p, size_t i)
{
    return i < p->n ? p->text[i] : 0;
}
bool gm_paragraph_is_rtl(const struct gm_paragraph *p) { return p->rtl; }

uint32_t gm_paragraph_width(const struct gm_paragraph *p, size_t from, size_t to)
{
    int64_t width = 0;
    for (size_t i = from; i < to; i++)
        width += p->advance[i];
    return width > 0 ? (uint32_t)((width + 32) / 64) : 0;
}

size_t gm_paragraph_fit(const struct gm_paragraph *p, size_t from, size_t to, uint32_t most_px)
{
    int64_t width = 0;
    size_t end = from;
    for (size_t i = from; i < to; i++) {
        if (p->begins[i])
            end = i;
        width += p->advance[i];
        if (width > (int64_t)most_px * 64)
            return end;
    }
    return to;
}

/* The runs of a line from left to right (rule L2 of the bidirectional algorithm): from the highest
 * level down to the lowest odd one, each stretch of at least that level is turned round. */
static void put_in_order(const struct run **v, size_t n)
{
    uint8_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = v[i]->level > most ? v[i]->level : most;
    for (unsigned level = most; level > 0; level--)
        for (size_t i = 0; i < n; i++) {
            size_t end = i;
            while (end < n && v[end]->level >= level)
                end++;
            for (size_t a = i, b = end; a + 1 < b; a++) {
                const struct run *kept = v[a];
                v[a] = v[--b];
                v[b] = kept;
            }
            i = end;
        }
}

/* What of a run is in [from,to), at *at in 1/64 pixels, which becomes where the next one begins. */
static enum gm_status draw_run(const struct gm_paragraph *p, const struct run *r,
                               struct gm_image *im, int64_t *at, int y, size_t from, size_t to,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_style *s = &p->styles[r->style];
    int64_t x = *at, end = x;
    from = from > r->from ? from : r->from;
    to = to < r->to ? to : r->to;
    for (size_t i = from; i < to; i++)
        end += p->advance[i];
    int up = (int)gm_font_ascent(p->styles[0].font), down = (int)gm_font_descent(p->styles[0].font);
    int x0 = (int)((x + 32) / 64), x1 = (int)((end + 32) / 64);
    if (s->ground)
        gm_draw_rect(im, x0, y - up, x1, y + down, *s->ground);
    if (s->line)
        gm_draw_rect(im, x0, y + down - (up + 9) / 10, x1, y + down, *s->line);
    for (size_t i = r->glyph; i < r->glyph + r->n_glyphs; i++) {
        const struct gm_glyph *g = &p->glyphs.v[i];
        if (g->at < from || g->at >= to)
            continue;
        GM_TRY(gm_font_draw_glyph(s->font, r->face, g->index, im, (int)((x + g->dx + 32) / 64),
                                  y - (g->dy + 32) / 64, s->ink, err));
        x += g->advance;
    }
    *at = end;
done:
    return st;
}

enum gm_status gm_paragraph_draw(const struct gm_paragraph *p, struct gm_image *im, int x, int y,
                                 size_t from, size_t to, struct gm_error *err)
{
    size_t first = 0, n = 0;
    while (first < p->n_runs && p->runs[first].to <= from)
        first++;
    while (first + n < p->n_runs && p->runs[first + n].from < to)
        n++;
    const struct run **line = gm_alloc(n, sizeof *line);
    if (!line)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a line of text");
    for (size_t i = 0; i < n; i++)
        line[i] = &p->runs[first + i];
    put_in_order(line, n);
    int64_t at = (int64_t)x * 64;
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < n && st == GM_OK; i++)
        st = draw_run(p, line[i], im, &at, y, from, to, err);
    gm_free((void *)line);
    return st;
}
