#include "base/json_scan.h"

#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static size_t skip_space(struct gm_str s, size_t at)
{
    while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\n' || s.p[at] == '\r' || s.p[at] == '\t'))
        at++;
    return at;
}

/* The byte after the string that starts at the quote at `at`; s.n when it does not end. */
static size_t skip_string(struct gm_str s, size_t at)
{
    while (++at < s.n) {
        const char *quote = memchr(s.p + at, '"', s.n - at);
        if (!quote)
            break;
        size_t start = at, n_slashes = 0; /* right before the quote: an odd number escapes it */
        at = (size_t)(quote - s.p);
        while (at > start + n_slashes && quote[-1 - (ptrdiff_t)n_slashes] == '\\')
            n_slashes++;
        if (n_slashes % 2 == 0)
            return at + 1;
    }
    return s.n;
}

/* The byte after the value at `at`, found by counting brackets. */
static size_t skip_value(struct gm_str s, size_t at)
{
    size_t depth = 0;
    while (at < s.n) {
        char c = s.p[at];
        if (c == '"') {
            at = skip_string(s, at);
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        if ((c == ',' || c == '}' || c == ']') && depth == 0)
            break;
        if (c == '}' || c == ']')
            depth--;
        at++;
        if (depth == 0 && (c == '}' || c == ']'))
            break;
    }
    return at;
}

struct gm_str gm_scan_value(struct gm_str json)
{
    return gm_str_trim(gm_str_sub(json, 0, skip_value(json, 0)));
}

bool gm_scan_member(struct gm_str json, const char *key, struct gm_str *value)
{
    size_t at = skip_space(json, 0);
    if (at >= json.n || json.p[at] != '{')
        return false;
    at = skip_space(json, at + 1);
    while (at < json.n && json.p[at] == '"') {
        size_t end = skip_string(json, at);
        bool hit = gm_str_eq_c(gm_str_sub(json, at + 1, end - 1), key);
        at = skip_space(json, end);
        if (at >= json.n || json.p[at] != ':')
            return false;
        at = skip_space(json, at + 1);
        if (hit) {
            *value = gm_str_sub(json, at, json.n);
            return true;
        }
        at = skip_space(json, skip_value(json, at));
        if (at >= json.n || json.p[at] != ',')
            return false;
        at = skip_space(json, at + 1);
    }
    return false;
}

/* Pass the character `c` and the white space around it; false when another one is there. */
static bool pass(struct gm_str s, size_t *at, char c)
{
    *at = skip_space(s, *at);
    if (*at >= s.n || s.p[*at] != c)
        return false;
    *at = skip_space(s, *at + 1);
    return true;
}

bool gm_scan_score(struct gm_str list, size_t *at, struct gm_str *number)
{
    if (!pass(list, at, *at == 0 ? '[' : ',') || !pass(list, at, '[') || *at >= list.n ||
        list.p[*at] != '"')
        return false;
    *at = skip_string(list, *at);
    if (!pass(list, at, ','))
        return false;
    size_t start = *at;
    *at = skip_value(list, start);
    *number = gm_str_trim(gm_str_sub(list, start, *at));
    return pass(list, at, ']');
}

static enum gm_status bad(const struct gm_scan_pairs *p, const char *what, struct gm_error *err)
{
    return GM_FAIL(err, GM_EFORMAT, "byte %zu: %s", p->at, what);
}

/* Four hex digits at `at`, as a UTF-16 unit; UINT32_MAX when they are none. */
static uint32_t hex4(struct gm_str s, size_t at)
{
    uint32_t unit = 0;
    if (at > s.n || s.n - at < 4)
        return UINT32_MAX;
    for (size_t i = at; i < at + 4; i++) {
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

/* The code point of the escape whose backslash is at *at, which moves past it; false: no escape. */
static bool unescape(struct gm_str s, size_t *at, uint32_t *cp)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = *at + 1 < s.n ? s.p[*at + 1] : 0;
    const char *hit = c ? strchr(names, c) : NULL;
    *at += 2;
    if (hit) {
        *cp = (unsigned char)values[hit - names];
        return true;
    }
    if (c != 'u')
        return false;
    *cp = hex4(s, *at);
    *at += 4;
    if (*cp >= 0xD800 && *cp < 0xDC00 && gm_str_starts(gm_str_sub(s, *at, s.n), GM_STR("\\u"))) {
        uint32_t low = hex4(s, *at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            *cp = 0x10000 + ((*cp - 0xD800) << 10) + (low - 0xDC00);
            *at += 6;
        }
    }
    return *cp <= 0x10FFFF && (*cp < 0xD800 || *cp > 0xDFFF);
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
        if (!unescape(raw, &at, &cp))
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
    size_t end = skip_string(p->text, p->at);
    if (end <= start || p->text.p[end - 1] != '"')
        return bad(p, "a string that does not end", err);
    *key = gm_str_sub(p->text, start, end - 1);
    if (!gm_utf8_is_valid(*key))
        return bad(p, "a string that is not UTF-8", err);
    if (memchr(key->p, '\\', key->n)) {
        enum gm_status st = decode(p, *key, key, err);
        if (st != GM_OK)
            return st;
    }
    p->at = skip_space(p->text, end);
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
    p->at = skip_space(p->text, end);
    return GM_OK;
}

enum gm_status gm_scan_next(struct gm_scan_pairs *p, struct gm_str *key, long long *value,
                            bool *has, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str s = p->text;
    bool first = p->at == 0;
    *has = false;
    p->at = skip_space(s, p->at);
    if (p->at < s.n && s.p[p->at] == '}' && !first) {
        p->at++;
        return p->at == s.n ? GM_OK : bad(p, "something after the object", err);
    }
    if (p->at >= s.n || s.p[p->at] != (first ? '{' : ','))
        return bad(p, first ? "an object was expected" : "a comma or a closing brace was expected",
                   err);
    p->at = skip_space(s, p->at + 1);
    if (first && p->at < s.n && s.p[p->at] == '}')
        return GM_OK;
    GM_TRY(read_key(p, key, err));
    if (p->at >= s.n || s.p[p->at] != ':') {
        st = bad(p, "a colon was expected", err);
        goto done;
    }
    p->at = skip_space(s, p->at + 1);
    GM_TRY(read_integer(p, value, err));
    *has = true;
done:
    return st;
}
