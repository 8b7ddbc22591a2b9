/* Records as JSON that is not one a line: laid out over several lines, one after the other (jq's
 * output) or as one array. A value is taken from the lines as they come, so that a pipe streams.
 *
 * Where brackets or quotes of a value do not close, the next record is looked for: a line whose first
 * sign is {, no further to the right than the one that the lost record began with. */
#include "base/alloc.h"
#include "base/json_scan.h"
#include "formats/document.h"
#include "formats/format.h"
#include "formats/text_lines.h"

#include <string.h>

struct json_posts {
    struct gm_text_lines lines;
    struct gm_source from;
    struct gm_str line; /* in hand; unread from byte `at` on */
    size_t at;
    bool begun, in_array;
    bool is_lost;         /* looking for the next record */
    size_t column;        /* of the last record's first byte, from 0 */
    struct gm_buf record; /* its text */
};

static void close_posts(void *state)
{
    struct json_posts *j = state;
    if (!j)
        return;
    gm_text_lines_close(&j->lines);
    gm_buf_clear(&j->record);
    gm_free(j);
}

static enum gm_status open_posts(void **state, const struct gm_source *from, struct gm_error *err)
{
    struct json_posts *j = *state = gm_alloc(1, sizeof *j);
    if (!j)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    j->from = *from;
    gm_buf_init(&j->record, GM_TEXT_LINE_MAX);
    enum gm_status st = gm_text_lines_of(&j->lines, from->in, err);
    if (st != GM_OK) {
        close_posts(j);
        *state = NULL;
    }
    return st;
}

static enum gm_status fail(const struct json_posts *j, const char *what, struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT, "%s:%zu: not valid JSON: %s", gm_text_lines_path(&j->lines),
                   gm_text_lines_number(&j->lines), what);
}

/* A line more of the record in hand, or of what is between two; false: there is none, or *st is a
 * fault (a line that is too long, which loses the record). */
static bool more(struct json_posts *j, bool *has, enum gm_status *st, struct gm_error *err)
{
    j->at = 0;
    *st = gm_text_lines_next(&j->lines, &j->line, has, err);
    if (*st != GM_OK || !*has) {
        j->line = GM_STR("");
        j->is_lost = *has;
    }
    return *st == GM_OK && *has;
}

/* The sign at the front of what is left of the line, past white space; 0 at its end. While a record is
 * looked for, what begins none is passed. */
static char first_sign(struct json_posts *j)
{
    while (j->at < j->line.n && strchr(" \t\r", j->line.p[j->at]) && j->line.p[j->at])
        j->at++;
    if (j->is_lost && j->at < j->line.n && (j->line.p[j->at] != '{' || j->at > j->column))
        j->at = j->line.n;
    return j->at < j->line.n ? j->line.p[j->at] : 0;
}

/* To the first byte of the next record; *has is false at the end. */
static enum gm_status find_record(struct json_posts *j, bool *has, struct gm_error *err)
{
    enum gm_status st;
    *has = true;
    for (;;) {
        char c = first_sign(j);
        if (j->at == j->line.n) {
            if (!more(j, has, &st, err))
                return st == GM_OK && j->in_array ? fail(j, "the array is not closed", err) : st;
        } else if (c == '[' && !j->begun) {
            j->begun = j->in_array = true;
            j->at++;
        } else if (c == ']' && j->in_array) {
            j->in_array = false;
            j->at++;
        } else if (c == ',') { /* between records, with or without brackets around all */
            j->at++;
        } else {
            j->begun = true;
            j->is_lost = false;
            return GM_OK;
        }
    }
}

/* How far a value has been read. */
struct scan {
    size_t depth;
    bool in_string, is_done;
};

/* The end of the value in the line: the byte behind it, or the line's. */
static size_t scan_line(struct scan *s, struct gm_str line, size_t i)
{
    for (; i < line.n && !s->is_done; i++) {
        char c = line.p[i];
        if (s->in_string) {
            i += c == '\\';
            s->in_string = c != '"';
        } else if (c == '"') {
            s->in_string = true;
        } else if (c == '{' || c == '[') {
            s->depth++;
        } else if (c == '}' || c == ']') {
            s->is_done = s->depth <= 1;
            s->depth -= s->depth > 0;
        } else if (s->depth == 0 && c == ',') { /* behind a word or number */
            s->is_done = true;
            return i;
        }
    }
    s->is_done = s->is_done || (s->depth == 0 && !s->in_string);
    return i < line.n ? i : line.n;
}

/* The record that begins here, into j->record. */
static enum gm_status take_record(struct json_posts *j, bool *has, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct scan scan = {0};
    gm_buf_reset(&j->record);
    j->column = j->at;
    for (;;) {
        size_t end = scan_line(&scan, j->line, j->at);
        st = gm_buf_add_str(&j->record, gm_str_sub(j->line, j->at, end), err);
        if (st == GM_OK)
            st = gm_buf_add(&j->record, "\n", 1, err);
        if (st != GM_OK) {
            gm_error_prefix(err, "%s:%zu", gm_text_lines_path(&j->lines),
                            gm_text_lines_number(&j->lines));
            break;
        }
        j->at = end;
        if (scan.is_done)
            return GM_OK;
        if (scan.in_string) {
            st = fail(j, "a string without its end", err);
            break;
        }
        if (!more(j, has, &st, err)) {
            *has = true;
            return st == GM_OK ? fail(j, "the file ends inside a record", err) : st;
        }
    }
    j->is_lost = true;
    j->at = j->line.n;
    return st;
}

static enum gm_status next_post(void *state, struct gm_post *post, size_t *line, bool *has,
                                struct gm_error *err)
{
    struct json_posts *j = state;
    struct gm_json *json = NULL;
    enum gm_status st = find_record(j, has, err);
    *line = gm_text_lines_number(&j->lines);
    if (st != GM_OK || !*has)
        return st;
    st = take_record(j, has, err);
    if (st == GM_OK)
        st = gm_document_parse_at(&json, gm_buf_str(&j->record), gm_text_lines_path(&j->lines),
                                  *line, err);
    if (st != GM_OK)
        return st;
    st = gm_post_from_json(post, json, j->from.base_dir, err);
    if (st != GM_OK)
        gm_error_prefix(err, "%s:%zu", gm_text_lines_path(&j->lines), *line);
    return st;
}

static enum gm_fit fit(const struct gm_head *h)
{
    size_t i = h->is_array ? gm_scan_space(h->text, h->at + 1) : 0;
    bool is_post = gm_head_is_post(h),
         is_empty = h->is_array && i < h->text.n && h->text.p[i] == ']';
    if (h->is_array)
        return is_empty || is_post ? GM_FIT_POST : GM_FIT_NOT;
    return !gm_head_spans_lines(h) ? GM_FIT_NOT : is_post ? GM_FIT_POST : GM_FIT_SHAPE;
}

const struct gm_format_row gm_format_json_row = {
    .title = "JSON records over several lines, or an array of them",
    .fit = fit,
    .open = open_posts,
    .next = next_post,
    .close = close_posts};
