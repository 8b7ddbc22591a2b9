/* Reading a file line by line (lines.h) with one buffer that grows to the longest line. */
#include "base/alloc.h"
#include "base/input.h"
#include "base/lines.h"

#include <string.h>

enum { CHUNK = 1 << 16 };

struct gm_lines {
    struct gm_input *in;
    bool owns_input;
    size_t max_line, number;
    struct gm_buf buf; /* unread bytes are [from, buf.n) */
    size_t from;
    bool at_end;
};

enum gm_status gm_lines_of(struct gm_lines **out, struct gm_input *in, size_t max_line,
                           struct gm_error *err)
{
    struct gm_lines *l = *out = gm_alloc(1, sizeof *l);
    if (!l)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    l->in = in;
    l->max_line = max_line;
    gm_buf_init(&l->buf, max_line + 2 * (size_t)CHUNK);
    return GM_OK;
}

enum gm_status gm_lines_open(struct gm_lines **out, const char *path, size_t max_line,
                             struct gm_error *err)
{
    struct gm_input *in = NULL;
    *out = NULL;
    enum gm_status st = gm_input_open(&in, path, err);
    if (st == GM_OK)
        st = gm_lines_of(out, in, max_line, err);
    if (st == GM_OK)
        (*out)->owns_input = true;
    else
        gm_input_close(in);
    return st;
}

void gm_lines_free(struct gm_lines *l)
{
    if (!l)
        return;
    if (l->owns_input)
        gm_input_close(l->in);
    gm_buf_clear(&l->buf);
    gm_free(l);
}

/* Move what is unread to the front and read one chunk behind it. */
static enum gm_status fill(struct gm_lines *l, struct gm_error *err)
{
    size_t got = 0;
    if (l->from)
        memmove(l->buf.p, l->buf.p + l->from, l->buf.n - l->from);
    l->buf.n -= l->from;
    l->from = 0;
    enum gm_status st = gm_buf_reserve(&l->buf, CHUNK, err);
    if (st == GM_OK)
        st = gm_input_read(l->in, l->buf.p + l->buf.n, CHUNK, &got, err);
    if (st != GM_OK)
        return st;
    l->buf.n += got;
    l->at_end = got == 0;
    return GM_OK;
}

enum gm_status gm_lines_next(struct gm_lines *l, struct gm_str *line, bool *has,
                             struct gm_error *err)
{
    size_t scanned = 0; /* bytes after `from` known to hold no newline */
    bool too_long = false;
    *has = false;
    *line = GM_STR("");
    for (;;) {
        size_t avail = l->buf.n - l->from;
        const char *p = l->buf.p ? l->buf.p + l->from : "";
        const char *nl = avail > scanned ? memchr(p + scanned, '\n', avail - scanned) : NULL;
        if (nl || (l->at_end && (avail > 0 || too_long))) {
            size_t n = nl ? (size_t)(nl - p) : avail;
            l->from += nl ? n + 1 : n;
            l->number++;
            *has = true;
            if (too_long || n > l->max_line)
                return GM_FAIL(err, GM_EFORMAT, "%s:%zu: a line of over %zu bytes",
                               gm_input_path(l->in), l->number, l->max_line);
            *line = (struct gm_str){p, n};
            if (line->n && line->p[line->n - 1] == '\r')
                line->n--;
            if (l->number == 1 && gm_str_starts(*line, GM_STR("\xEF\xBB\xBF")))
                *line = gm_str_sub(*line, 3, line->n);
            return GM_OK;
        }
        if (l->at_end)
            return GM_OK;
        scanned = avail;
        if (avail > l->max_line) { /* drop what we have; only the end of the line matters */
            too_long = true;
            l->from = l->buf.n;
            scanned = 0;
        }
        enum gm_status st = fill(l, err);
        if (st != GM_OK)
            return st;
    }
}

enum gm_status gm_lines_each(struct gm_lines *l,
                             enum gm_status (*fn)(void *user, struct gm_str line,
                                                  struct gm_error *err),
                             void *user, struct gm_error *err)
{
    struct gm_str line;
    bool has;
    for (;;) {
        enum gm_status st = gm_lines_next(l, &line, &has, err);
        if (st != GM_OK || !has)
            return st;
        if (gm_str_trim(line).n && (st = fn(user, line, err)) != GM_OK) {
            gm_error_prefix(err, "%s:%zu", gm_lines_path(l), gm_lines_number(l));
            return st;
        }
    }
}

size_t gm_lines_number(const struct gm_lines *l) { return l->number; }

const char *gm_lines_path(const struct gm_lines *l) { return gm_input_path(l->in); }
