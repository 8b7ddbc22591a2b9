/* terminal.c - see terminal.h. Colours are the palette's, as the nearest of xterm's 256. */
#include "report/terminal.h"

#include "base/utf8.h"
#include "image/data_uri.h"
#include "image/palette.h"
#include "record/image_path.h"
#include "report/marks.h"
#include "text/unicode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Widths of the table: a name may take a third of the terminal, but no less than MIN_NAME. */
enum { MIN_NAME = 12, MAX_TYPE = 16, NUMBER_COLUMNS = 8, DEFAULT_COLUMNS = 100 };

struct view {
    struct gm_buf *out;
    const struct gm_terminal_opts *opts;
    size_t name_columns, type_columns;
};

struct gm_terminal_opts gm_terminal_opts_detect(int fd)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    struct winsize size = {0};
    bool tty = isatty(fd) == 1;
    bool known = tty && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 20;
    return (struct gm_terminal_opts){
        .color = tty && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0),
        .columns = known ? size.ws_col : DEFAULT_COLUMNS,
    };
}

/* What is shown in place of a code point: white space as a space, controls (C0, C1, and those that
 * turn the direction of text) as U+FFFD. */
static uint32_t harmless(uint32_t cp)
{
    if (cp == '\n' || cp == '\t' || cp == '\r')
        return ' ';
    bool control = cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e) ||
                   (cp >= 0x2066 && cp <= 0x2069);
    return control ? 0xfffd : cp;
}

static size_t columns_of(struct gm_str s)
{
    size_t n = 0;
    for (size_t pos = 0; pos < s.n;)
        n += gm_cp_columns(harmless(gm_utf8_next(s, &pos)));
    return n;
}

/* Append s in at most `most` columns, cut with "…"; *used tells how many it took. */
static enum gm_status add_cut(struct view *v, struct gm_str s, size_t most, size_t *used,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool cut = columns_of(s) > most;
    size_t n = 0;
    for (size_t pos = 0; pos < s.n;) {
        char utf8[4];
        uint32_t cp = harmless(gm_utf8_next(s, &pos));
        size_t wide = gm_cp_columns(cp);
        if (cut && n + wide + 1 > most)
            break;
        GM_TRY(gm_buf_add(v->out, utf8, gm_utf8_put(cp, utf8), err));
        n += wide;
    }
    if (cut && most > 0) {
        GM_TRY(gm_buf_add_c(v->out, "…", err));
        n++;
    }
    if (used)
        *used = n;
done:
    return st;
}

static enum gm_status add_plain(struct view *v, struct gm_str s, struct gm_error *err)
{
    return add_cut(v, s, SIZE_MAX, NULL, err);
}

static enum gm_status add_spaces(struct view *v, size_t n, struct gm_error *err)
{
    return gm_buf_printf(v->out, err, "%*s", (int)n, "");
}

/* A cell of `columns`, and two spaces behind it. */
static enum gm_status add_cell(struct view *v, struct gm_str s, size_t columns,
                               struct gm_error *err)
{
    size_t used;
    enum gm_status st = add_cut(v, s, columns, &used, err);
    return st == GM_OK ? add_spaces(v, columns - used + 2, err) : st;
}

/* Switch on a style of SGR numbers, and off; nothing without colour. */
static enum gm_status style(struct view *v, const char *sgr, struct gm_error *err)
{
    return v->opts->color ? gm_buf_printf(v->out, err, "\x1b[%sm", sgr) : GM_OK;
}

/* One channel in xterm's 6 x 6 x 6 cube of levels 0, 95, 135, 175, 215, 255. */
static int cube_level(uint8_t c) { return c < 48 ? 0 : c < 115 ? 1 : (c - 35) / 40; }

static int xterm_color(struct gm_color c)
{
    return 16 + 36 * cube_level(c.r) + 6 * cube_level(c.g) + cube_level(c.b);
}

/* Letters on the ground of a type's colour, until style "0". */
static enum gm_status type_style(struct view *v, struct gm_str type, const char *weight,
                                 struct gm_error *err)
{
    char sgr[40];
    struct gm_color c = gm_palette_color(type);
    snprintf(sgr, sizeof sgr, "0;%s%d;48;5;%d", weight, gm_palette_ink(c).r ? 97 : 30,
             xterm_color(c));
    return style(v, sgr, err);
}

static enum gm_status add_mark(struct view *v, struct gm_str text, struct gm_str type,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(type_style(v, type, "1;", err));
    GM_TRY(gm_buf_add_c(v->out, v->opts->color ? " " : "[", err));
    GM_TRY(add_plain(v, text, err));
    GM_TRY(type_style(v, type, "", err));
    GM_TRY(gm_buf_add_c(v->out, v->opts->color ? " " : "|", err));
    GM_TRY(add_plain(v, type, err));
    GM_TRY(gm_buf_add_c(v->out, v->opts->color ? " " : "]", err));
    GM_TRY(style(v, "0", err));
done:
    return st;
}

static enum gm_status add_text(struct view *v, const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_mark *marks;
    size_t n, at = 0;
    gm_arena_init(&a, 0);
    GM_TRY(gm_marks_of(&a, post, &marks, &n, err));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(add_plain(v, gm_str_sub(post->text, at, marks[i].from), err));
        GM_TRY(add_mark(v, gm_str_sub(post->text, marks[i].from, marks[i].to),
                        post->entities[marks[i].entity].type, err));
        at = marks[i].to;
    }
    GM_TRY(add_plain(v, gm_str_sub(post->text, at, post->text.n), err));
    GM_TRY(gm_buf_add_c(v->out, "\n", err));
done:
    gm_arena_clear(&a);
    return st;
}

static enum gm_status add_head(struct view *v, const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(style(v, "1", err));
    GM_TRY(add_plain(v, post->id, err));
    GM_TRY(style(v, "0;2", err));
    if (post->image.n) {
        GM_TRY(gm_buf_add_c(v->out, "  ", err));
        GM_TRY(add_plain(v, gm_data_uri_is(post->image) ? gm_image_name(post->image) : post->image,
                         err));
    }
    GM_TRY(style(v, "0", err));
    GM_TRY(gm_buf_add_c(v->out, "\n", err));
done:
    return st;
}

static enum gm_status add_number(struct view *v, double x, struct gm_error *err)
{
    char text[32];
    int n = x < 0 ? 0 : snprintf(text, sizeof text, "%.2f", x);
    return add_cell(v, x < 0 ? GM_STR("-") : (struct gm_str){text, (size_t)n}, NUMBER_COLUMNS, err);
}

/* The regions of an entity, each after the first on a line of its own; without any, what is noted. */
static enum gm_status add_regions(struct view *v, const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t indent = v->name_columns + v->type_columns + 2 * NUMBER_COLUMNS + 10;
    for (size_t i = 0; i < e->n_regions; i++) {
        const struct gm_region *r = &e->regions[i];
        if (i) {
            GM_TRY(gm_buf_add_c(v->out, "\n", err));
            GM_TRY(add_spaces(v, indent, err));
        }
        GM_TRY(gm_buf_printf(v->out, err, "%.0f,%.0f - %.0f,%.0f  ", r->box[0], r->box[1],
                             r->box[2], r->box[3]));
        GM_TRY(add_plain(v, r->label, err));
        GM_TRY(gm_buf_printf(v->out, err, " %.2f%s", (double)r->score,
                             r->mask.counts.n ? ", mask" : ""));
        if (r->note.n) {
            GM_TRY(gm_buf_add_c(v->out, ", ", err));
            GM_TRY(add_plain(v, r->note, err));
        }
    }
    GM_TRY(gm_buf_add_c(v->out, e->n_regions ? "" : e->note.n ? "-  " : "-", err));
    if (!e->n_regions)
        GM_TRY(add_plain(v, e->note, err));
    GM_TRY(gm_buf_add_c(v->out, "\n", err));
done:
    return st;
}

static enum gm_status add_row(struct view *v, const struct gm_entity *e, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t used;
    GM_TRY(add_spaces(v, 2, err));
    GM_TRY(style(v, "1", err));
    GM_TRY(add_cell(v, e->text, v->name_columns, err));
    GM_TRY(type_style(v, e->type, "", err));
    GM_TRY(add_cut(v, e->type, v->type_columns, &used, err));
    GM_TRY(style(v, "0", err));
    GM_TRY(add_spaces(v, v->type_columns - used + 2, err));
    GM_TRY(add_number(v, e->score, err));
    GM_TRY(add_number(v, e->visible, err));
    GM_TRY(add_regions(v, e, err));
done:
    return st;
}

static size_t limited(size_t n, size_t least, size_t most)
{
    return n < least ? least : n > most ? most : n;
}

static enum gm_status add_table(struct view *v, const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t name = strlen("entity"), type = strlen("type");
    for (size_t i = 0; i < post->n_entities; i++) {
        size_t a = columns_of(post->entities[i].text), b = columns_of(post->entities[i].type);
        name = a > name ? a : name;
        type = b > type ? b : type;
    }
    v->name_columns =
        limited(name, strlen("entity"), limited(v->opts->columns / 3, MIN_NAME, SIZE_MAX));
    v->type_columns = limited(type, strlen("type"), MAX_TYPE);
    GM_TRY(style(v, "2", err));
    GM_TRY(add_spaces(v, 2, err));
    GM_TRY(add_cell(v, GM_STR("entity"), v->name_columns, err));
    GM_TRY(add_cell(v, GM_STR("type"), v->type_columns, err));
    GM_TRY(add_cell(v, GM_STR("score"), NUMBER_COLUMNS, err));
    GM_TRY(add_cell(v, GM_STR("in image"), NUMBER_COLUMNS, err));
    GM_TRY(gm_buf_add_c(v->out, "box", err));
    GM_TRY(style(v, "0", err));
    GM_TRY(gm_buf_add_c(v->out, "\n", err));
    for (size_t i = 0; i < post->n_entities; i++)
        GM_TRY(add_row(v, &post->entities[i], err));
done:
    return st;
}

static enum gm_status add_error(struct view *v, const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(style(v, "31", err));
    GM_TRY(gm_buf_add_c(v->out, "  failed in ", err));
    GM_TRY(add_plain(v, post->error.stage, err));
    GM_TRY(gm_buf_add_c(v->out, ": ", err));
    GM_TRY(add_plain(v, post->error.message, err));
    GM_TRY(style(v, "0", err));
    GM_TRY(gm_buf_add_c(v->out, "\n", err));
done:
    return st;
}

enum gm_status gm_terminal_post(const struct gm_post *post, const struct gm_terminal_opts *opts,
                                struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct view v = {.out = out, .opts = opts};
    GM_TRY(add_head(&v, post, err));
    GM_TRY(add_text(&v, post, err));
    GM_TRY(post->n_entities ? add_table(&v, post, err) : gm_buf_add_c(out, "  no entities\n", err));
    if (post->error.stage.n)
        GM_TRY(add_error(&v, post, err));
    GM_TRY(gm_buf_add_c(out, "\n", err));
done:
    return st;
}
