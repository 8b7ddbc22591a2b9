#include "text/segment.h"

#include "base/utf8.h"
#include "text/unicode.h"

#include <stdint.h>
#include <string.h>

enum char_kind {
    SPACE,
    WORD,   /* letters and digits */
    MARK,   /* goes with the letter before it */
    JOINER, /* part of a word when between letters: zero-width joiners, soft hyphen, hyphen */
    SINGLE  /* a word of its own */
};

/* The code point at byte `at`. */
struct cp {
    enum char_kind kind;
    size_t end; /* byte after it */
};

static enum char_kind ascii_kind(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return WORD;
    if (c == '-')
        return JOINER;
    return gm_is_space_byte(c) ? SPACE : SINGLE;
}

static enum char_kind kind_of(uint32_t cp)
{
    if (cp < 0x80)
        return ascii_kind((char)cp);
    if (gm_cp_is_space(cp))
        return SPACE;
    if (gm_cp_is_alnum(cp))
        return WORD;
    if ((cp >= 0xFE00 && cp <= 0xFE0F) || cp == 0x20E3) /* of emoji: words of their own */
        return SINGLE;
    if (gm_cp_is_any_mark(cp))
        return MARK;
    if (cp == 0x200C || cp == 0x200D || cp == 0xAD || cp == 0x2010 || cp == 0x2011)
        return JOINER;
    return SINGLE;
}

static struct cp cp_at(struct gm_str s, size_t at)
{
    size_t end = at;
    uint32_t cp = gm_utf8_next(s, &end);
    return (struct cp){kind_of(cp), end};
}

/* End of the run of letters, digits, their marks, and single joiners between them that starts at
 * `at`, which is a WORD. In an address slashes belong to the run too. */
static size_t word_end(struct gm_str s, size_t at, bool in_url)
{
    while (at < s.n) {
        struct cp c = cp_at(s, at);
        bool slash = in_url && s.p[at] == '/';
        if (c.kind == JOINER && (c.end >= s.n || cp_at(s, c.end).kind != WORD))
            break;
        if (!slash && (c.kind == SPACE || c.kind == SINGLE))
            break;
        at = c.end;
    }
    return at;
}

/* The address at byte `at`: where it ends, or `at` when none starts here. */
static size_t url_end(struct gm_str s, size_t at)
{
    struct gm_str rest = gm_str_sub(s, at, s.n);
    if (!gm_str_starts(rest, GM_STR("http://")) && !gm_str_starts(rest, GM_STR("https://")))
        return at;
    while (at < s.n && s.p[at] > ' ' && s.p[at] < 0x7F && !strchr("\"<>\\^`{|}", s.p[at]))
        at++;
    return at;
}

/* A character reference ("&amp;", "&#39;") at the '&' at byte `at`: its end without the semicolon,
 * or `at` when there is none. */
static size_t reference_end(struct gm_str s, size_t at)
{
    enum { LONGEST = 10 }; /* bounds the look ahead */
    size_t end = at + 1;
    if (end < s.n && s.p[end] == '#')
        end++;
    while (end < s.n && end - at < LONGEST && ascii_kind(s.p[end]) == WORD)
        end++;
    return end > at + 2 && end < s.n && s.p[end] == ';' ? end : at;
}

/* "htt…": an address that was cut with the post. Its end, or `at` when there is none. */
static size_t cut_url_end(struct gm_str s, size_t at, size_t end)
{
    static const char ellipsis[] = "\xE2\x80\xA6";
    struct gm_str word = gm_str_sub(s, at, end), rest = gm_str_sub(s, end, s.n);
    bool cut = gm_str_starts(GM_STR("https"), word) && gm_str_starts(rest, gm_str(ellipsis));
    return cut ? end + sizeof ellipsis - 1 : at;
}

/* End of the word at byte `at`, which is not white space. *url is the end of the address that `at`
 * lies in, or less than `at`. */
static size_t next_end(struct gm_str s, size_t at, size_t *url)
{
    static const char short_url[] = "http://t.co/";
    struct gm_str rest = gm_str_sub(s, at, s.n);
    struct cp c = cp_at(s, at);
    bool in_url = at < *url;
    if (s.p[at] == '&' && reference_end(s, at) > at)
        return reference_end(s, at);
    if (in_url && s.p[at] == '/')
        return word_end(s, at, true);
    if (c.kind != WORD)
        return c.end;
    if (!in_url && s.p[at] == 'h') {
        *url = url_end(s, at);
        in_url = at < *url;
        if (gm_str_starts(rest, gm_str(short_url)))
            return at + sizeof "http://t." - 1;
    }
    size_t end = word_end(s, at, in_url);
    size_t cut = cut_url_end(s, at, end);
    return cut > at ? cut : end;
}

enum gm_status gm_segment(struct gm_str text, struct gm_arena *a, struct gm_word **spans, size_t *n,
                          struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t cap = 0, url = 0;
    *spans = NULL;
    *n = 0;
    for (size_t at = 0; at < text.n;) {
        struct cp c = cp_at(text, at);
        if (c.kind == SPACE) {
            at = c.end;
            continue;
        }
        size_t end = next_end(text, at, &url);
        GM_TRY(GM_ARENA_GROW(a, *spans, *n, cap, err));
        (*spans)[(*n)++] = (struct gm_word){at, end};
        at = end;
    }
done:
    return st;
}
