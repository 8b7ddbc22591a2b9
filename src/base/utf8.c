#include "base/utf8.h"

#include <string.h>

/* Length of a lead byte's sequence (0 = not a lead) and the allowed range of its second byte. */
static unsigned lead(unsigned char c, unsigned char *lo, unsigned char *hi)
{
    *lo = 0x80;
    *hi = 0xBF;
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        return 2;
    if (c >= 0xE0 && c <= 0xEF) {
        if (c == 0xE0)
            *lo = 0xA0;
        if (c == 0xED)
            *hi = 0x9F; /* no surrogates */
        return 3;
    }
    if (c >= 0xF0 && c <= 0xF4) {
        if (c == 0xF0)
            *lo = 0x90;
        if (c == 0xF4)
            *hi = 0x8F;
        return 4;
    }
    return 0;
}

/* As gm_utf8_next, but says whether the sequence was well-formed. */
static uint32_t decode(struct gm_str s, size_t *pos, bool *ok)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = *pos;
    unsigned char lo, hi, c = p[i++];
    unsigned len = lead(c, &lo, &hi);
    uint32_t cp = len <= 1 ? c : c & (0x7Fu >> len);
    *ok = len != 0;
    for (unsigned k = 1; k < len && *ok; k++) {
        if (i >= s.n || p[i] < lo || p[i] > hi) {
            *ok = false;
        } else {
            cp = cp << 6 | (p[i++] & 0x3Fu);
            lo = 0x80;
            hi = 0xBF;
        }
    }
    *pos = i;
    return *ok ? cp : 0xFFFD;
}

uint32_t gm_utf8_next(struct gm_str s, size_t *pos)
{
    bool ok;
    return decode(s, pos, &ok);
}

size_t gm_utf8_put(uint32_t cp, char out[4])
{
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        cp = 0xFFFD;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t k = n - 1; k > 0; k--) {
        out[k] = (char)(0x80 | (cp & 0x3F));
        cp >>= 6;
    }
    out[0] = (char)((0xF00u >> n & 0xFFu) | cp);
    return n;
}

bool gm_utf8_is_valid(struct gm_str s)
{
    bool ok = true;
    for (size_t i = 0; i < s.n && ok;)
        if ((unsigned char)s.p[i] < 0x80)
            i++; /* most of what there is */
        else
            decode(s, &i, &ok);
    return ok;
}

enum gm_status gm_utf8_repair(struct gm_str s, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = gm_buf_reserve(out, s.n, err);
    size_t from = 0;
    for (size_t i = 0; i < s.n && st == GM_OK;) {
        size_t at = i;
        bool ok;
        decode(s, &i, &ok);
        if (ok)
            continue;
        st = gm_buf_add(out, s.p + from, at - from, err);
        if (st == GM_OK)
            st = gm_buf_add(out, "\xEF\xBF\xBD", 3, err);
        from = i;
    }
    return st == GM_OK ? gm_buf_add(out, s.p + from, s.n - from, err) : st;
}

void gm_utf8_one_line(char *s)
{
    struct gm_str all = gm_str(s);
    for (size_t i = 0; i < all.n;) {
        size_t at = i;
        bool ok;
        uint32_t cp = decode(all, &i, &ok);
        if (!ok)
            memset(s + at, '?', i - at);
        else if (cp < 0x20 || cp == 0x7F)
            s[at] = ' ';
    }
}

size_t gm_utf8_count(struct gm_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

size_t gm_utf8_offset(struct gm_str s, size_t n)
{
    size_t i = 0;
    for (; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xC0) != 0x80 && n-- == 0)
            break;
    return i;
}

static bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool gm_utf8_find_latin1(struct gm_str s, size_t *at)
{
    bool found = false, in_word = false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x80)
            continue;
        if (c >= 0xC2 && i + 1 < s.n && ((unsigned char)s.p[i + 1] & 0xC0) == 0x80)
            return false;
        if (!found)
            *at = i;
        found = true;
        in_word = in_word || (i > 0 && is_ascii_letter(s.p[i - 1])) ||
                  (i + 1 < s.n && is_ascii_letter(s.p[i + 1]));
    }
    return in_word;
}

bool gm_cp_is_space(uint32_t cp)
{
    if (cp < 0x80)
        return gm_is_space_byte((char)cp);
    return cp == 0x85 || cp == 0xA0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) ||
           cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F || cp == 0x3000;
}
