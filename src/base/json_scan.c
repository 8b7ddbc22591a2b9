#include "base/json_scan.h"

#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

size_t gm_scan_space(struct gm_str s, size_t at)
{
    while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\n' || s.p[at] == '\r' || s.p[at] == '\t'))
        at++;
    return at;
}

/* A quote behind an odd number of backslashes is a part of the string. */
static bool is_escaped(const char *quote, const char *start)
{
    const char *p = quote;
    while (p > start && p[-1] == '\\')
        p--;
    return (quote - p) % 2 != 0;
}

bool gm_scan_string(struct gm_str s, size_t *at)
{
    size_t start = *at + 1 < s.n ? *at + 1 : s.n, from = start;
    const char *quote = NULL, *line;
    while (from < s.n && (quote = memchr(s.p + from, '"', s.n - from)) &&
           is_escaped(quote, s.p + start))
        from = (size_t)(quote - s.p) + 1;
    if (from >= s.n)
        quote = NULL;
    size_t end = quote ? (size_t)(quote - s.p) : s.n;
    line = start < end ? memchr(s.p + start, '\n', end - start) : NULL;
    *at = line ? (size_t)(line - s.p) : quote ? end + 1 : s.n;
    return quote && !line;
}

enum gm_scan_end gm_scan_skip(struct gm_str s, size_t *at)
{
    size_t depth = 0;
    while (*at < s.n) {
        char c = s.p[*at];
        if (c == '"') {
            if (!gm_scan_string(s, at))
                return GM_SCAN_STRING;
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            return GM_SCAN_AT_SIGN;
        depth += c == '[' || c == '{';
        depth -= c == ']' || c == '}';
        if (depth > GM_SCAN_DEPTH_MAX)
            return GM_SCAN_DEEP;
        ++*at;
    }
    return depth ? GM_SCAN_CUT : GM_SCAN_AT_END;
}

bool gm_scan_key(struct gm_str s, size_t *at, struct gm_str *key)
{
    size_t i = *at;
    if (i >= s.n || s.p[i] != '"' || !gm_scan_string(s, &i))
        return false;
    *key = gm_str_sub(s, *at + 1, i - 1);
    i = gm_scan_space(s, i);
    if (i >= s.n || s.p[i] != ':')
        return false;
    *at = gm_scan_space(s, i + 1);
    return true;
}

/* The UTF-16 unit of an escape \uXXXX at `at`; UINT32_MAX for anything else. */
static uint32_t unit_at(struct gm_str s, size_t at)
{
    uint32_t unit = 0;
    if (at > s.n || s.n - at < 6 || s.p[at] != '\\' || s.p[at + 1] != 'u')
        return UINT32_MAX;
    for (size_t i = at + 2; i < at + 6; i++) {
        char c = s.p[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit > 15)
            return UINT32_MAX;
        unit = unit << 4 | digit;
    }
    return unit;
}

bool gm_is_surrogate(uint32_t cp) { return cp >= 0xD800 && cp <= 0xDFFF; }

bool gm_scan_escape(struct gm_str s, size_t *at, uint32_t *cp)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = *at + 1 < s.n ? s.p[*at + 1] : 0;
    const char *hit = c ? strchr(names, c) : NULL;
    uint32_t unit = unit_at(s, *at), low;
    if (hit) {
        *cp = (unsigned char)values[hit - names];
        *at += 2;
        return true;
    }
    if (unit == UINT32_MAX)
        return false;
    *at += 6;
    low = unit >= 0xD800 && unit < 0xDC00 ? unit_at(s, *at) : 0;
    bool pair = low >= 0xDC00 && low < 0xE000;
    *cp = pair ? 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00) : unit;
    *at += pair ? 6 : 0;
    return true;
}

struct gm_str gm_scan_value(struct gm_str json)
{
    size_t at = 0;
    (void)gm_scan_skip(json, &at);
    return gm_str_trim(gm_str_sub(json, 0, at));
}

bool gm_scan_member(struct gm_str json, const char *key, struct gm_str *value)
{
    struct gm_str name;
    size_t at = gm_scan_space(json, 0);
    char sign = '{';
    while (at < json.n && json.p[at] == sign) {
        at = gm_scan_space(json, at + 1);
        if (!gm_scan_key(json, &at, &name))
            return false;
        if (gm_str_eq_c(name, key)) {
            *value = gm_str_sub(json, at, json.n);
            return true;
        }
        if (gm_scan_skip(json, &at) != GM_SCAN_AT_SIGN)
            return false;
        sign = ',';
    }
    return false;
}

/* Pass the character `c` and the white space around it; false when another one is there. */
static bool pass(struct gm_str s, size_t *at, char c)
{
    *at = gm_scan_space(s, *at);
    if (*at >= s.n || s.p[*at] != c)
        return false;
    *at = gm_scan_space(s, *at + 1);
    return true;
}

bool gm_scan_score(struct gm_str list, size_t *at, struct gm_str *number)
{
    if (!pass(list, at, *at == 0 ? '[' : ',') || !pass(list, at, '[') || *at >= list.n ||
        list.p[*at] != '"')
        return false;
    if (!gm_scan_string(list, at) || !pass(list, at, ','))
        return false;
    size_t start = *at;
    (void)gm_scan_skip(list, at);
    *number = gm_str_trim(gm_str_sub(list, start, *at));
    return pass(list, at, ']');
}

static enum gm_status bad(const struct gm_scan_pairs *p, const char *what, struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT, "byte %zu: %s", p->at, what);
}

/* The key whose inner text has escapes, decoded into p->key. */
static enum gm_status decode(struct gm_scan_pairs *p, struct gm_str raw, struct gm_str *key,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    gm_buf_reset(p->key);
    for (size_t at = 0; at < raw.n;) {
        char bytes[4];
        uint32_t cp;
        if (raw.p[at] != '\\') {
            GM_TRY(gm_buf_add(p->key, raw.p + at++, 1, err));
            continue;
        }
        if (!gm_scan_escape(raw, &at, &cp) || gm_is_surrogate(cp))
            return bad(p, "a string with an escape that is none", err);
        GM_TRY(gm_buf_add(p->key, bytes, gm_utf8_put(cp, bytes), err));
    }
    *key = gm_buf_str(p->key);
done:
    return st;
}

static enum gm_status read_key(struct gm_scan_pairs *p, struct gm_str *key, struct gm_error *err)
{
    size_t start = p->at + 1;
    if (p->at >= p->text.n || p->text.p[p->at] != '"')
        return bad(p, "a string was expected", err);
    size_t end = p->at;
    if (!gm_scan_string(p->text, &end))
        return bad(p, "a string that does not end", err);
    *key = gm_str_sub(p->text, start, end - 1);
    if (!gm_utf8_is_valid(*key))
        return bad(p, "a string that is not UTF-8", err);
    if (memchr(key->p, '\\', key->n)) {
        enum gm_status st = decode(p, *key, key, err);
        if (st != GM_OK)
            return st;
    }
    p->at = gm_scan_space(p->text, end);
    return GM_OK;
}

static enum gm_status read_integer(struct gm_scan_pairs *p, long long *value, struct gm_error *err)
{
    size_t end = p->at;
    while (end < p->text.n &&
           (p->text.p[end] == '-' || (p->text.p[end] >= '0' && p->text.p[end] <= '9')))
        end++;
    if (!gm_str_to_int(gm_str_sub(p->text, p->at, end), value))
        return bad(p, "an integer was expected", err);
    p->at = gm_scan_space(p->text, end);
    return GM_OK;
}

enum gm_status gm_scan_next(struct gm_scan_pairs *p, struct gm_str *key, long long *value,
                            bool *has, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str s = p->text;
    bool first = p->at == 0;
    *has = false;
    p->at = gm_scan_space(s, p->at);
    if (p->at < s.n && s.p[p->at] == '}' && !first) {
        p->at++;
        return p->at == s.n ? GM_OK : bad(p, "something after the object", err);
    }
    if (p->at >= s.n || s.p[p->at] != (first ? '{' : ','))
        return bad(p, first ? "an object was expected" : "a comma or a closing brace was expected",
                   err);
    p->at = gm_scan_space(s, p->at + 1);
    if (first && p->at < s.n && s.p[p->at] == '}')
        return GM_OK;
    GM_TRY(read_key(p, key, err));
    if (p->at >= s.n || s.p[p->at] != ':') {
        st = bad(p, "a colon was expected", err);
        goto done;
    }
    p->at = gm_scan_space(s, p->at + 1);
    GM_TRY(read_integer(p, value, err));
    *has = true;
done:
    return st;
}
