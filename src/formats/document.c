#include "formats/document.h"

#include "base/alloc.h"
#include "base/json_scan.h"
#include "base/utf8.h"
#include "formats/text_lines.h"

#include <stdlib.h>
#include <string.h>

static const size_t max_copy = (size_t)1 << 30;

/* jansson takes valid UTF-8 only; files that are not are repaired as the line readers do. */
static enum gm_status repair(struct gm_document *d, struct gm_error *err)
{
    struct gm_buf fixed;
    if (gm_utf8_is_valid(d->text))
        return GM_OK;
    (void)gm_tell_latin1(d->text, d->path, 1);
    gm_buf_init(&fixed, 3 * max_copy);
    enum gm_status st = gm_utf8_repair(d->text, &fixed, err);
    if (st != GM_OK) {
        gm_buf_clear(&fixed);
        return st;
    }
    gm_buf_clear(&d->copy);
    d->copy = fixed;
    d->text = gm_buf_str(&d->copy);
    return GM_OK;
}

enum gm_status gm_document_open(struct gm_document *d, struct gm_input *in, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *d = (struct gm_document){.path = gm_input_path(in), .line = 1};
    gm_buf_init(&d->copy, max_copy);
    GM_TRY(gm_input_all(in, &d->map, &d->copy, &d->text, err));
    GM_TRY(repair(d, err));
    if (gm_str_starts(d->text, GM_STR("\xEF\xBB\xBF")))
        d->pos = 3;
done:
    if (st != GM_OK)
        gm_document_close(d);
    return st;
}

void gm_document_of(struct gm_document *d, const struct gm_document *parent, struct gm_str value,
                    size_t line)
{
    *d = (struct gm_document){.path = parent->path, .text = value, .line = line};
}

void gm_document_close(struct gm_document *d)
{
    gm_map_close(&d->map);
    gm_buf_clear(&d->copy);
    d->text = (struct gm_str){0};
}

static enum gm_status fail(const struct gm_document *d, const char *what, struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT, "%s:%zu: not valid JSON: %s", d->path, d->line, what);
}

static char here(const struct gm_document *d) { return d->pos < d->text.n ? d->text.p[d->pos] : 0; }

/* To byte `pos`, counting lines. */
static void go_to(struct gm_document *d, size_t pos)
{
    const char *p = d->text.p + d->pos, *end = d->text.p + pos;
    for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        d->line++;
    d->pos = pos;
}

static void skip_space(struct gm_document *d) { go_to(d, gm_scan_space(d->text, d->pos)); }

/* Past one value: brackets are balanced here, all else is the parser's to judge. */
static enum gm_status skip_value(struct gm_document *d, struct gm_error *err)
{
    size_t from = d->pos, to = d->pos;
    enum gm_scan_end how = gm_scan_skip(d->text, &to);
    go_to(d, to);
    switch (how) {
    case GM_SCAN_CUT: return fail(d, "the file ends inside a value", err);
    case GM_SCAN_STRING: return fail(d, "a string without its end", err);
    case GM_SCAN_DEEP: return fail(d, "nested too deeply", err);
    case GM_SCAN_AT_SIGN:
    case GM_SCAN_AT_END: break;
    }
    return d->pos == from ? fail(d, "a value is missing", err) : GM_OK;
}

static enum gm_status begin(struct gm_document *d, struct gm_error *err)
{
    skip_space(d);
    d->begun = true;
    d->is_object = here(d) == '{';
    if (!d->is_object && here(d) != '[')
        return fail(d, d->text.n == 0 ? "the file is empty" : "expected [ or { at the beginning",
                    err);
    d->pos++;
    return GM_OK;
}

static enum gm_status end(struct gm_document *d, struct gm_error *err)
{
    d->pos++;
    d->is_done = true;
    skip_space(d);
    return d->pos == d->text.n ? GM_OK : fail(d, "text behind the end of the value", err);
}

static enum gm_status read_key(struct gm_document *d, struct gm_str *key, struct gm_error *err)
{
    size_t from = d->pos + 1, to = d->pos;
    if (here(d) != '"')
        return fail(d, "expected a key in quotes", err);
    if (!gm_scan_string(d->text, &to))
        return fail(d, "a string without its end", err);
    d->pos = to;
    *key = gm_str_sub(d->text, from, to - 1);
    skip_space(d);
    if (here(d) != ':')
        return fail(d, "expected : behind a key", err);
    d->pos++;
    skip_space(d);
    return GM_OK;
}

enum gm_status gm_document_next(struct gm_document *d, struct gm_str *key, struct gm_str *value,
                                bool *has, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool first = !d->begun;
    *has = false;
    *key = GM_STR("");
    if (d->is_done)
        return GM_OK;
    if (first)
        GM_TRY(begin(d, err));
    skip_space(d);
    if (here(d) == (d->is_object ? '}' : ']'))
        return end(d, err);
    if (!first) {
        if (here(d) != ',')
            return fail(d,
                        d->pos < d->text.n ? "expected , between elements"
                                           : "the file ends before its closing bracket",
                        err);
        d->pos++;
        skip_space(d);
    }
    if (d->is_object)
        GM_TRY(read_key(d, key, err));
    d->item_line = d->line;
    size_t from = d->pos;
    GM_TRY(skip_value(d, err));
    *value = gm_str_trim(gm_str_sub(d->text, from, d->pos));
    *has = true;
done:
    if (st != GM_OK)
        d->is_done = true;
    return st;
}

/* jansson says "LINE:COLUMN: reason", LINE counted in the text. */
enum gm_status gm_document_parse_at(struct gm_json **out, struct gm_str text, const char *path,
                                    size_t first_line, struct gm_error *err)
{
    struct gm_error e = {0};
    enum gm_status st = gm_json_parse_lenient(out, text, &e);
    if (st == GM_OK)
        return GM_OK;
    char *rest = e.msg;
    unsigned long line = strtoul(e.msg, &rest, 10);
    if (*rest != ':' || line == 0) {
        line = 1;
        rest = e.msg;
    }
    return GM_FAIL(err, st, "%s:%zu%s%s", path, first_line + line - 1, *rest == ':' ? "" : ": ",
                   rest);
}

enum gm_status gm_document_parse(const struct gm_document *d, struct gm_str value,
                                 struct gm_json **out, struct gm_error *err)
{
    return gm_document_parse_at(out, value, d->path, d->item_line, err);
}

enum gm_status gm_document_source_open(void **state, const struct gm_source *from,
                                       struct gm_error *err)
{
    struct gm_document_source *s = gm_alloc(1, sizeof *s);
    *state = NULL;
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->from = *from;
    enum gm_status st = gm_document_open(&s->doc, from->in, err);
    if (st == GM_OK)
        *state = s;
    else
        gm_document_source_close(s);
    return st;
}

void gm_document_source_close(void *state)
{
    struct gm_document_source *s = state;
    if (!s)
        return;
    gm_document_close(&s->doc);
    gm_free(s);
}
