#include "base/str.h"

#include "base/clocale.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct gm_str gm_str(const char *s) { return (struct gm_str){s ? s : "", s ? strlen(s) : 0}; }

bool gm_str_eq(struct gm_str a, struct gm_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool gm_str_eq_c(struct gm_str a, const char *b) { return gm_str_eq(a, gm_str(b)); }

bool gm_str_starts(struct gm_str s, struct gm_str prefix)
{
    return s.n >= prefix.n && gm_str_eq((struct gm_str){s.p, prefix.n}, prefix);
}

bool gm_str_ends(struct gm_str s, struct gm_str suffix)
{
    return s.n >= suffix.n && gm_str_eq((struct gm_str){s.p + s.n - suffix.n, suffix.n}, suffix);
}

int gm_str_cmp(struct gm_str a, struct gm_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

struct gm_str gm_str_sub(struct gm_str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return (struct gm_str){from ? s.p + from : s.p,
                           to - from}; /* of nothing too, whose p is NULL */
}

bool gm_is_space_byte(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct gm_str gm_str_trim(struct gm_str s)
{
    while (s.n && gm_is_space_byte(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && gm_is_space_byte(s.p[s.n - 1]))
        s.n--;
    return s;
}

size_t gm_str_find(struct gm_str s, struct gm_str needle, size_t from)
{
    if (needle.n == 0)
        return from <= s.n ? from : SIZE_MAX;
    while (from < s.n && s.n - from >= needle.n) {
        const char *hit = memchr(s.p + from, needle.p[0], s.n - from - needle.n + 1);
        if (!hit)
            return SIZE_MAX;
        from = (size_t)(hit - s.p);
        if (memcmp(hit, needle.p, needle.n) == 0)
            return from;
        from++;
    }
    return SIZE_MAX;
}

bool gm_str_cut(struct gm_str s, char sep, struct gm_str *head, struct gm_str *tail)
{
    const char *hit = s.n ? memchr(s.p, sep, s.n) : NULL;
    size_t at = hit ? (size_t)(hit - s.p) : s.n;
    *head = (struct gm_str){s.p, at};
    *tail = hit ? (struct gm_str){hit + 1, s.n - at - 1} : (struct gm_str){s.p + s.n, 0};
    return hit != NULL;
}

bool gm_str_is_one_of(struct gm_str s, const char *const *words)
{
    for (; *words; words++)
        if (gm_str_eq_c(s, *words))
            return true;
    return false;
}

bool gm_is_word_byte(char c)
{
    return ((unsigned char)c & 0x80) || (c >= '0' && c <= '9') ||
           ((c | 32) >= 'a' && (c | 32) <= 'z');
}

uint64_t gm_str_hash(struct gm_str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
    return h;
}

/* A NUL-ended copy for the C library's parsers; false when it can't be a number. */
static bool number_copy(struct gm_str s, char *buf, size_t cap)
{
    if (s.n == 0 || s.n >= cap || gm_is_space_byte(s.p[0]) || memchr(s.p, 0, s.n))
        return false;
    memcpy(buf, s.p, s.n);
    buf[s.n] = 0;
    return true;
}

bool gm_str_to_int(struct gm_str s, long long *out)
{
    char buf[32], *end;
    if (!number_copy(s, buf, sizeof buf))
        return false;
    errno = 0;
    *out = strtoll(buf, &end, 10);
    return *end == 0 && errno == 0;
}

bool gm_str_to_double(struct gm_str s, double *out)
{
    char buf[64], *end;
    if (!number_copy(s, buf, sizeof buf) || strpbrk(buf, "xXpPnN"))
        return false;
    errno = 0;
    locale_t before = gm_c_locale();
    *out = strtod(buf, &end);
    gm_c_locale_end(before);
    return *end == 0 && isfinite(*out);
}
