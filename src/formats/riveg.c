/* riveg.c - RiVEG's text files: gold, predictions, the lines of its visual entailment, and those of a set
 * for grounding: the same, one for each box of an entity in the image.
 *
 *   gold        ID.jpg###Entity(TYPE)###expression###flag###&[x0, y0, x1, y1]&[…]
 *   prediction  ID.jpg###Entity(TYPE)###Entity(TYPE)-expression###flag###&[x0, y0, x1, y1]
 *   entailment  Imageid:ID.jpg#UNIQUE###Entity(TYPE)###Entity(TYPE)-expression###flag
 *   grounding   Imageid:ID.jpg#UNIQUE###Entity(TYPE)###Entity(TYPE)-expression###1###&[x0, y0, x1, y1]
 *
 * Entity and expression may hold '#', '(', '-' and '&' themselves, so a line is taken apart from both
 * ends. Lines of one image that follow each other are one post. The flag alone says whether the
 * entity is in the image, as in the script: one that is flagged so with the box [0, 0, 0, 0] has a box
 * that fits nothing. Source: github.com/JinYuanLi0012/RiVEG and its scoring script. */
#include "base/alloc.h"
#include "base/utf8.h"
#include "formats/row_number.h"
#include "formats/text_lines.h"
#include "formats/text_out.h"
#include "record/regions.h"

#include <math.h>
#include <string.h>

#define MARK GM_STR("###")

enum { MAX_LINES = 10000, MAX_BOXES = 10000 };

/* A line taken apart; all borrowed from it. */
struct line {
    struct gm_str id, unique, name, type, expression, boxes;
    bool visible;
};

static size_t find_last(struct gm_str s, struct gm_str needle, size_t end)
{
    for (size_t i = end < needle.n ? 0 : end - needle.n + 1; i-- > 0;)
        if (gm_str_starts(gm_str_sub(s, i, s.n), needle))
            return i;
    return SIZE_MAX;
}

/* The image's id from "ID.jpg" or "Imageid:ID.jpg#UNIQUE"; *from is where the name begins. */
static const char *take_id(struct gm_str s, struct line *l, size_t *from)
{
    bool ve = gm_str_starts(s, GM_STR("Imageid:"));
    size_t begin = ve ? 8 : 0, end = gm_str_find(s, MARK, 0);
    if (end == SIZE_MAX)
        return "expected ID.jpg###Entity(TYPE)###…";
    struct gm_str id = gm_str_sub(s, begin, end);
    *from = end + MARK.n;
    if (ve)
        gm_str_cut(id, '#', &id, &l->unique);
    size_t dot = find_last(id, GM_STR("."), id.n);
    l->id = gm_str_sub(id, 0, dot == SIZE_MAX ? id.n : dot);
    return l->id.n && !memchr(id.p, 0, id.n) ? NULL : "no image id before the first ###";
}

/* The flag and the boxes from the end; *end is where the expression ends. */
static const char *take_flag(struct gm_str s, struct line *l, size_t *end)
{
    struct gm_str rest = s;
    size_t mark = find_last(s, MARK, s.n);
    if (mark != SIZE_MAX && mark + 3 < s.n && s.p[mark + 3] == '&') {
        l->boxes = gm_str_sub(s, mark + 3, s.n);
        rest = gm_str_sub(s, 0, mark);
        mark = find_last(rest, MARK, mark);
    }
    long long flag;
    if (mark == SIZE_MAX || !gm_str_to_int(gm_str_trim(gm_str_sub(rest, mark + 3, rest.n)), &flag))
        return "no flag: expected ###0 or ###1 behind the expression";
    l->visible = flag != 0;
    *end = mark;
    return NULL;
}

/* "Entity(TYPE)###expression" or "Entity(TYPE)###Entity(TYPE)-expression". */
static const char *take_name(struct gm_str s, struct line *l)
{
    size_t mark = gm_str_find(s, GM_STR(")###"), 0);
    if (mark == SIZE_MAX)
        return "no type: expected Entity(TYPE)### before the expression";
    struct gm_str head = gm_str_sub(s, 0, mark + 1);
    l->expression = gm_str_sub(s, mark + 4, s.n);
    if (gm_str_starts(l->expression, head) && l->expression.n > head.n &&
        l->expression.p[head.n] == '-')
        l->expression = gm_str_sub(l->expression, head.n + 1, l->expression.n);
    size_t open = find_last(head, GM_STR("("), head.n);
    if (open == SIZE_MAX || open == 0 || open + 2 >= head.n)
        return "expected Entity(TYPE) with neither of them empty";
    l->name = gm_str_sub(head, 0, open);
    l->type = gm_str_sub(head, open + 1, head.n - 1);
    return memchr(l->type.p, 0, l->type.n) ? "a NUL byte in a type" : NULL;
}

/* NULL, or what is wrong. */
static const char *take_apart(struct gm_str s, struct line *l)
{
    size_t from = 0, end = 0;
    *l = (struct line){0};
    const char *why = take_id(s, l, &from);
    if (!why)
        why = take_flag(s, l, &end);
    if (!why && end < from)
        why = "too few fields: expected ID.jpg###Entity(TYPE)###expression###flag";
    return why ? why : take_name(gm_str_sub(s, from, end), l);
}

struct riveg {
    struct gm_text_lines lines;
    struct gm_source from;
    struct gm_buf name; /* the post's id, to know its lines by */
};

static void riveg_close(void *state)
{
    struct riveg *r = state;
    if (!r)
        return;
    gm_text_lines_close(&r->lines);
    gm_buf_clear(&r->name);
    gm_free(r);
}

static enum gm_status riveg_open(void **state, const struct gm_source *from, struct gm_error *err)
{
    struct riveg *r = gm_alloc(1, sizeof *r);
    *state = r;
    if (!r)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    r->from = *from;
    gm_buf_init(&r->name, GM_TEXT_LINE_MAX);
    enum gm_status st = gm_text_lines_of(&r->lines, from->in, err);
    if (st != GM_OK) {
        riveg_close(r);
        *state = NULL;
    }
    return st;
}

/* One "[x0, y0, x1, y1]" at *s, which moves behind it. */
static const char *read_box(struct gm_str *s, double box[GM_BOX_XYXY])
{
    struct gm_str inside, number;
    if (!gm_str_starts(*s, GM_STR("&[")) || !gm_str_cut(gm_str_sub(*s, 2, s->n), ']', &inside, s))
        return "boxes: expected &[xmin, ymin, xmax, ymax]";
    for (size_t i = 0; i < GM_BOX_XYXY; i++) {
        double x;
        bool more = gm_str_cut(inside, ',', &number, &inside);
        if (more != (i < 3) || !gm_str_to_double(gm_str_trim(number), &x) || !(fabs(x) <= 1e9))
            return "boxes: expected &[xmin, ymin, xmax, ymax], numbers of at most 1e9";
        box[i] = x;
    }
    *s = gm_str_trim(*s);
    return NULL;
}

static enum gm_status read_boxes(struct gm_post *p, const struct line *l,
                                 struct gm_named_entity *to, struct gm_error *err)
{
    struct gm_str rest = gm_str_trim(l->boxes);
    size_t n = 0;
    for (size_t i = 0; i < rest.n; i++)
        n += rest.p[i] == '&';
    if (n > MAX_BOXES)
        return GM_FAIL(err, GM_EFORMAT, "%zu boxes of one entity; the limit is %d", n, MAX_BOXES);
    to->regions = gm_arena_alloc(&p->arena, n, sizeof *to->regions);
    if (!to->regions)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    while (rest.n) {
        struct gm_region r = {.score = 1};
        const char *why = read_box(&rest, r.box);
        if (why)
            return GM_FAIL(err, GM_EFORMAT, "%s", why);
        if (l->visible)
            to->regions[to->n_regions++] = r;
    }
    return GM_OK;
}

static enum gm_status copy_line(struct gm_post *p, const struct line *l, struct gm_named_entity *to,
                                struct gm_error *err)
{
    *to = (struct gm_named_entity){.name = gm_arena_str(&p->arena, l->name),
                                   .type = gm_arena_str(&p->arena, l->type),
                                   .expression = gm_arena_str(&p->arena, l->expression),
                                   .visible = l->visible};
    if (!to->name.p || !to->type.p || !to->expression.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return read_boxes(p, l, to, err);
}

/* Take the next line if it is of the post in hand (or none is); *take says so. A line that can't be
 * read ends the post before it, and is told of by the next call. */
static enum gm_status next_line(struct riveg *r, struct line *l, bool *take, struct gm_error *err)
{
    bool begun = r->name.n > 0;
    struct gm_str s;
    bool has;
    *take = false;
    do {
        enum gm_status st = gm_text_lines_next(&r->lines, &s, &has, err);
        if (st != GM_OK || !has) {
            *take = has;
            return st;
        }
        s = gm_str_trim(s);
    } while (s.n == 0);
    const char *why = take_apart(s, l);
    *take = why ? !begun : !begun || gm_str_eq(gm_buf_str(&r->name), l->id);
    if (why && !begun)
        return GM_FAIL(err, GM_EFORMAT, "%s:%zu: %s", gm_text_lines_path(&r->lines),
                       gm_text_lines_number(&r->lines), why);
    if (!*take)
        gm_text_lines_unread(&r->lines);
    else if (!begun)
        return gm_buf_add_str(&r->name, l->id, err);
    return GM_OK;
}

static enum gm_status begin_post(struct riveg *r, struct gm_post *p, struct gm_error *err)
{
    p->id = gm_arena_str(&p->arena, gm_buf_str(&r->name));
    p->has_id = true;
    if (!p->id.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return gm_post_id_image(p, r->from.images_dir, err);
}

/* A line that can't be read is a post of its own that failed; its image's other lines go on. */
static enum gm_status riveg_next(void *state, struct gm_post *post, size_t *line, bool *has,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct riveg *r = state;
    struct gm_named_entity *v = NULL, entity;
    struct line l;
    size_t n = 0, cap = 0;
    bool take, joined;
    gm_buf_reset(&r->name);
    *has = false;
    for (;;) {
        st = next_line(r, &l, &take, err);
        if (take && n == 0) {
            *has = true;
            *line = gm_text_lines_number(&r->lines);
        }
        GM_TRY(st);
        if (!take)
            break;
        if (n == 0)
            GM_TRY(begin_post(r, post, err));
        if (n == MAX_LINES)
            return GM_FAIL(err, GM_EFORMAT, "%s:%zu: over %d lines of one image",
                           gm_text_lines_path(&r->lines), gm_text_lines_number(&r->lines),
                           MAX_LINES);
        st = copy_line(post, &l, &entity, err);
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu", gm_text_lines_path(&r->lines),
                            gm_text_lines_number(&r->lines));
            return st;
        }
        GM_TRY(gm_row_number_join(post, n ? &v[n - 1] : NULL, &entity, l.unique, &joined, err));
        if (joined)
            continue;
        GM_TRY(GM_ARENA_GROW(&post->arena, v, n, cap, err));
        v[n++] = entity;
    }
    if (n)
        GM_TRY(gm_post_set_named(post, v, n, r->from.texts, r->from.lost, err));
done:
    return st;
}

enum shape { GOLD, PREDICTION, ENTAILMENT, GROUNDING };

struct riveg_out {
    struct gm_text_out base;
    enum shape shape;
    size_t n_entities; /* so far */
    bool has_lines;    /* of the post in hand */
};

static enum gm_status create(void **state, const struct gm_target *to, struct gm_error *err)
{
    enum gm_status st = gm_text_out_new(state, sizeof(struct riveg_out), to, err);
    struct riveg_out *o = *state;
    if (st == GM_OK)
        o->shape = to->opts.format == GM_FORMAT_RIVEG        ? GOLD
                   : to->opts.format == GM_FORMAT_RIVEG_PRED ? PREDICTION
                   : to->opts.format == GM_FORMAT_RIVEG_VE   ? ENTAILMENT
                                                             : GROUNDING;
    return st;
}

static bool is_numbered(const struct riveg_out *o) { return o->shape >= ENTAILMENT; }

enum field { ID, NAME, TYPE, EXPRESSION };

/* Whether byte i of a field would be taken for a mark of the format, or be lost before an id. */
static bool is_mark(const struct riveg_out *o, enum field field, struct gm_str s, size_t i)
{
    struct gm_str rest = gm_str_sub(s, i, s.n);
    char c = s.p[i];
    if (field == ID)
        return c == 0 || (c == '#' && is_numbered(o)) || gm_str_starts(rest, MARK) ||
               (i == 0 && (strchr(" \t\r\n", c) || gm_str_starts(s, GM_STR("Imageid:"))));
    if (field == TYPE && c == '(')
        return true;
    return field != EXPRESSION && gm_str_starts(rest, GM_STR(")###"));
}

/* A field on one line: line ends become spaces, and what would be taken for a mark '_'. */
static enum gm_status put(struct riveg_out *o, enum field field, struct gm_str s, struct gm_str id,
                          struct gm_error *err)
{
    size_t from = o->base.text.n;
    bool broken = false, marked = field == ID && s.n == 0;
    enum gm_status st = gm_buf_add_str(&o->base.text, marked ? GM_STR("_") : s, err);
    for (size_t i = 0; i < s.n && st == GM_OK; i++) {
        char *c = &o->base.text.p[from + i];
        bool line_end = *c == '\n' || *c == '\r', mark = is_mark(o, field, s, i);
        *c = mark ? '_' : line_end ? ' ' : *c;
        broken = broken || line_end;
        marked = marked || mark;
    }
    if (broken)
        gm_losses_add(o->base.to.lost, "line ends inside a field (now spaces)", id);
    if (marked)
        gm_losses_add(o->base.to.lost, "marks of the format inside a field (now _)", id);
    return st;
}

static enum gm_status put_boxes(struct riveg_out *o, const struct gm_region *v, size_t n,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(&o->base.text, n ? "###" : "###&[0, 0, 0, 0]", err));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(gm_buf_add_c(&o->base.text, "&[", err));
        GM_TRY(gm_box_write(v[i].box, &o->base.text, err));
        GM_TRY(gm_buf_add_c(&o->base.text, "]", err));
    }
done:
    return st;
}

/* "ID.jpg###Entity(TYPE)###…", up to the flag. */
static enum gm_status put_head(struct riveg_out *o, const struct gm_post *p,
                               const struct gm_entity *e, size_t box, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (is_numbered(o))
        GM_TRY(gm_buf_add_c(&o->base.text, "Imageid:", err));
    GM_TRY(put(o, ID, p->id, p->id, err));
    GM_TRY(is_numbered(o) ? gm_row_number_write(&o->base.text, o->n_entities, box, err)
                          : gm_buf_add_c(&o->base.text, ".jpg", err));
    for (int twice = 0; twice < (o->shape == GOLD ? 1 : 2); twice++) {
        GM_TRY(gm_buf_add_c(&o->base.text, "###", err));
        GM_TRY(put(o, NAME, e->text, p->id, err));
        GM_TRY(gm_buf_add_c(&o->base.text, "(", err));
        GM_TRY(put(o, TYPE, e->type, p->id, err));
        GM_TRY(gm_buf_add_c(&o->base.text, ")", err));
    }
    GM_TRY(gm_buf_add_c(&o->base.text, o->shape == GOLD ? "###" : "-", err));
    st = put(o, EXPRESSION, e->expression, p->id, err);
done:
    return st;
}

/* A line with n of the entity's boxes, from number `box` on. */
static enum gm_status put_line(struct riveg_out *o, const struct gm_post *p,
                               const struct gm_entity *e, size_t box, size_t n,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool in = n > 0 || (o->shape == ENTAILMENT && e->visible >= GM_VISIBLE_MIN);
    if (!o->has_lines)
        GM_TRY(gm_text_out_begin(&o->base, p->id, err));
    o->has_lines = true;
    gm_buf_reset(&o->base.text);
    GM_TRY(put_head(o, p, e, box, err));
    GM_TRY(gm_buf_add_c(&o->base.text, in ? "###1" : "###0", err));
    if (o->shape != ENTAILMENT)
        GM_TRY(put_boxes(o, e->regions + box, n, err));
    GM_TRY(gm_buf_add_c(&o->base.text, "\n", err));
    GM_TRY(gm_out_write(o->base.out, gm_buf_str(&o->base.text), err));
done:
    return st;
}

static enum gm_status put_entity(struct riveg_out *o, const struct gm_post *p,
                                 const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!is_numbered(o))
        gm_losses_unboxed(o->base.to.lost, e, p->id);
    if (o->shape != GROUNDING)
        GM_TRY(put_line(o, p, e, 0, e->n_regions, err));
    for (size_t i = 0; i < e->n_regions && o->shape == GROUNDING; i++)
        GM_TRY(put_line(o, p, e, i, 1, err));
    o->n_entities++;
done:
    return st;
}

static enum gm_status add(void *state, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct riveg_out *o = state;
    o->has_lines = false;
    for (size_t i = 0; i < post->n_entities; i++)
        GM_TRY(put_entity(o, post, &post->entities[i], err));
    if (post->n_entities == 0)
        gm_losses_add(o->base.to.lost, "posts without entities", post->id);
done:
    return st;
}

static enum gm_fit fit(const struct gm_head *h)
{
    struct line l; /* in any of the three shapes */
    bool fits = !h->is_json && !take_apart(gm_str_trim(h->line), &l);
    return fits ? GM_FIT_KEYS : GM_FIT_NOT;
}

#define HOLDS (GM_HOLDS_TYPE | GM_HOLDS_EXPRESSION | GM_HOLDS_UNGROUNDED | GM_HOLDS_IMAGE)
#define FUNCTIONS                                                                     \
    .ending = ".txt", .is_sparse = true, .open = riveg_open, .next = riveg_next,      \
    .close = riveg_close, .create = create, .add = add, .commit = gm_text_out_commit, \
    .abort = gm_text_out_abort

const struct gm_format_row gm_format_riveg_row = {.title = "RiVEG text lines",
                                                  .fit = fit,
                                                  .holds =
                                                      HOLDS | GM_HOLDS_BOX | GM_HOLDS_NOTHING_BOX,
                                                  FUNCTIONS};
const struct gm_format_row gm_format_riveg_pred_row = {
    .title = "RiVEG predictions", .holds = HOLDS | GM_HOLDS_BOX | GM_HOLDS_NOTHING_BOX, FUNCTIONS};
const struct gm_format_row gm_format_riveg_ve_row = {
    .title = "RiVEG entailment lines", .holds = HOLDS, FUNCTIONS};
const struct gm_format_row gm_format_riveg_vg_row = {
    .title = "RiVEG grounding lines",
    .holds = (HOLDS & ~(unsigned)GM_HOLDS_UNGROUNDED) | GM_HOLDS_BOX,
    FUNCTIONS};
