#include "serve/multipart.h"

#include "base/utf8.h"

#include <string.h>
#include <strings.h>

enum { BOUNDARY_MAX = 70, HEADERS_MAX = 8192, PARAMS_MAX = 64 };

/* ---- headers ---- */

bool gm_header_is(struct gm_str header, const char *value)
{
    struct gm_str first, rest;
    gm_str_cut(header, ';', &first, &rest);
    first = gm_str_trim(first);
    return first.n == strlen(value) && strncasecmp(first.p, value, first.n) == 0;
}

static bool is_escape(struct gm_str s, size_t i)
{
    return i + 1 < s.n && s.p[i] == '\\' && (s.p[i + 1] == '"' || s.p[i + 1] == '\\');
}

/* The value that begins at *at as it stands there: quoted, with \ before quotes, or up to the next ";". *at is then
 * behind it. */
static struct gm_str find_value(struct gm_str s, size_t *at, bool *quoted)
{
    *quoted = *at < s.n && s.p[*at] == '"';
    size_t from = *at + *quoted, i = from;
    for (; i < s.n && s.p[i] != (*quoted ? '"' : ';'); i++)
        i += *quoted && is_escape(s, i);
    *at = i + *quoted;
    return gm_str_sub(s, from, i);
}

/* A quoted value without its signs of quoting. */
static struct gm_str unquote(struct gm_str s, struct gm_arena *a)
{
    struct gm_str out = gm_arena_str(a, s);
    char *to = (char *)(uintptr_t)out.p;
    if (!to)
        return out;
    out.n = 0;
    for (size_t i = 0; i < s.n; i++) {
        i += is_escape(s, i);
        to[out.n++] = s.p[i];
    }
    to[out.n] = 0;
    return out;
}

static size_t skip_to(struct gm_str s, size_t at, const char *signs)
{
    while (at < s.n && !(s.p[at] && strchr(signs, s.p[at])))
        at++;
    return at;
}

struct gm_str gm_header_param(struct gm_str header, const char *name, struct gm_arena *a)
{
    bool quoted;
    size_t at = skip_to(header, 0, ";");
    for (size_t i = 0; at < header.n && i < PARAMS_MAX; i++) {
        size_t end = skip_to(header, at + 1, "=;");
        struct gm_str key = gm_str_trim(gm_str_sub(header, at + 1, end));
        at = end;
        if (end == header.n || header.p[end] == ';')
            continue;
        for (at = end + 1; at < header.n && (header.p[at] == ' ' || header.p[at] == '\t');)
            at++;
        struct gm_str value = find_value(header, &at, &quoted);
        if (key.n == strlen(name) && strncasecmp(key.p, name, key.n) == 0)
            return quoted ? unquote(value, a) : gm_arena_str(a, gm_str_trim(value));
        at = skip_to(header, at, ";");
    }
    return (struct gm_str){NULL, 0};
}

/* ---- parts ---- */

/* One header line of a part; others than the two are of no interest. */
static void read_header(struct gm_form_part *p, struct gm_str line, struct gm_arena *a)
{
    struct gm_str name, value;
    gm_str_cut(line, ':', &name, &value);
    name = gm_str_trim(name);
    value = gm_str_trim(value);
    if (name.n == 12 && strncasecmp(name.p, "content-type", 12) == 0)
        p->type = value;
    if (name.n != 19 || strncasecmp(name.p, "content-disposition", 19) != 0 ||
        !gm_header_is(value, "form-data"))
        return;
    p->name = gm_header_param(value, "name", a);
    p->filename = gm_header_param(value, "filename", a);
}

/* The headers and the body of a part, which is the text between two boundaries. */
static enum gm_status read_part(struct gm_form_part *p, struct gm_str text, size_t number,
                                struct gm_arena *a, struct gm_error *err)
{
    struct gm_str line;
    *p = (struct gm_form_part){0};
    size_t end = gm_str_starts(text, GM_STR("\r\n")) ? 0 : gm_str_find(text, GM_STR("\r\n\r\n"), 0);
    if (end > HEADERS_MAX)
        return GM_FAIL(err, GM_EFORMAT, "part %zu of the form has no empty line behind its headers",
                       number);
    struct gm_str headers = gm_str_sub(text, 0, end);
    p->body = gm_str_sub(text, end ? end + 4 : 2, text.n);
    while (headers.n) {
        gm_str_cut(headers, '\n', &line, &headers);
        read_header(p, line, a);
    }
    if (!p->name.p || !gm_utf8_is_valid(p->name))
        return GM_FAIL(err, GM_EFORMAT,
                       "part %zu of the form has no name (Content-Disposition: form-data; name=…)",
                       number);
    return GM_OK;
}

/* "\r\n--boundary"; the first one may stand at the very beginning. */
static enum gm_status find_boundary(struct gm_str content_type, struct gm_str *out,
                                    struct gm_arena *a, struct gm_error *err)
{
    struct gm_str b = gm_header_param(content_type, "boundary", a);
    if (!b.n || b.n > BOUNDARY_MAX || memchr(b.p, '\r', b.n) || memchr(b.p, '\n', b.n))
        return GM_FAIL(err, GM_EFORMAT, "the Content-Type of the form names no boundary");
    *out = gm_arena_printf(a, "\r\n--%.*s", GM_STR_ARG(b));
    return out->p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* The byte behind a boundary's line; SIZE_MAX = it is none; *is_end: the last one. */
static size_t behind(struct gm_str body, size_t at, bool *is_end)
{
    *is_end = at + 2 <= body.n && memcmp(body.p + at, "--", 2) == 0;
    if (*is_end)
        return at + 2;
    while (at < body.n && (body.p[at] == ' ' || body.p[at] == '\t'))
        at++;
    return at + 2 <= body.n && memcmp(body.p + at, "\r\n", 2) == 0 ? at + 2 : SIZE_MAX;
}

/* The next boundary from `from` on: *at is where it begins, *next what is behind its line. */
static bool next_boundary(struct gm_str body, struct gm_str boundary, size_t from, size_t *at,
                          size_t *next, bool *is_end)
{
    for (;; from = *at + 1) {
        *at = gm_str_find(body, boundary, from);
        if (*at == SIZE_MAX)
            return false;
        *next = behind(body, *at + boundary.n, is_end);
        if (*next != SIZE_MAX)
            return true;
    }
}

enum gm_status gm_multipart_parse(struct gm_form_part **out, size_t *n, struct gm_str content_type,
                                  struct gm_str body, size_t max_parts, struct gm_arena *a,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str boundary;
    size_t at, from, cap = 0;
    bool is_end = false;
    *out = NULL;
    *n = 0;
    GM_TRY(find_boundary(content_type, &boundary, a, err));
    struct gm_str dashes = gm_str_sub(boundary, 2, boundary.n);
    from = gm_str_starts(body, dashes) ? behind(body, dashes.n, &is_end) : SIZE_MAX;
    if (from == SIZE_MAX && !next_boundary(body, boundary, 0, &at, &from, &is_end))
        return GM_FAIL(err, GM_EFORMAT, "the form's boundary does not stand in the body");
    while (!is_end) {
        size_t next;
        /* the line end before a boundary is the boundary's, also where a part is empty */
        if (!next_boundary(body, boundary, from - 2, &at, &next, &is_end))
            return GM_FAIL(err, GM_EFORMAT, "the form ends in the middle of part %zu", *n + 1);
        if (*n == max_parts)
            return GM_FAIL(err, GM_EFORMAT, "the form has over %zu parts", max_parts);
        GM_TRY(GM_ARENA_GROW(a, *out, *n, cap, err));
        GM_TRY(read_part(*out + *n, gm_str_sub(body, from, at), *n + 1, a, err));
        ++*n;
        from = next;
    }
done:
    return st;
}
