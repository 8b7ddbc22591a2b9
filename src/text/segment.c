#include "text/segment.h"

#include "base/utf8.h"
#include "text/unicode.h"
#include "text/word_breaks.h"

#include <stdint.h>
#include <string.h>

enum char_kind {
    SPACE,
    WORD,    /* letters and digits */
    MARK,    /* goes with the letter before it */
    JOINER,  /* part of a word when between letters: zero-width joiners, soft hyphen, hyphen */
    SINGLE,  /* a word of its own */
    UNSPACED /* a letter of a script without spaces, where those are cut */
};

/* A text, and how what is without spaces is cut. */
struct cutting {
    struct gm_str text;
    enum gm_word_cut cut;
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

static struct cp cp_at(const struct cutting *x, size_t at)
{
    size_t end = at;
    uint32_t cp = gm_utf8_next(x->text, &end);
    enum char_kind kind = kind_of(cp);
    bool is_cut = x->cut != GM_CUT_SPACES && kind == WORD && gm_cp_unspaced(cp) != GM_SPACED;
    return (struct cp){is_cut ? UNSPACED : kind, end};
}

/* End of the run of letters, digits, their marks, and single joiners between them that starts at
 * `at`, which is a WORD. In an address slashes belong to the run too. */
static size_t word_end(const struct cutting *x, size_t at, bool in_url)
{
    struct gm_str s = x->text;
    while (at < s.n) {
        struct cp c = cp_at(x, at);
        bool slash = in_url && s.p[at] == '/';
        if (c.kind == JOINER && (c.end >= s.n || cp_at(x, c.end).kind != WORD))
            break;
        if (!slash && (c.kind == SPACE || c.kind == SINGLE || c.kind == UNSPACED))
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
static size_t next_end(const struct cutting *x, size_t at, size_t *url)
{
    struct gm_str s = x->text;
    static const char short_url[] = "http://t.co/";
    struct gm_str rest = gm_str_sub(s, at, s.n);
    struct cp c = cp_at(x, at);
    bool in_url = at < *url;
    if (s.p[at] == '&' && reference_end(s, at) > at)
        return reference_end(s, at);
    if (in_url && s.p[at] == '/')
        return word_end(x, at, true);
    if (c.kind != WORD)
        return c.end;
    if (!in_url && s.p[at] == 'h') {
        *url = url_end(s, at);
        in_url = at < *url;
        if (gm_str_starts(rest, gm_str(short_url)))
            return at + sizeof "http://t." - 1;
    }
    size_t end = word_end(x, at, in_url);
    size_t cut = cut_url_end(s, at, end);
    return cut > at ? cut : end;
}

/* ---- words without spaces ---- */

/* Words as they are found, in the arena. */
struct words {
    struct gm_arena *a;
    struct gm_word *items;
    size_t n, cap;
};

static enum gm_status add(struct words *w, size_t start, size_t end, struct gm_error *err)
{
    enum gm_status st = GM_ARENA_GROW(w->a, w->items, w->n, w->cap, err);
    if (st == GM_OK)
        w->items[w->n++] = (struct gm_word){start, end};
    return st;
}

/* End of the character at byte `at` with its marks. */
static size_t character_end(const struct cutting *x, size_t at)
{
    struct cp c = cp_at(x, at);
    while (c.end < x->text.n && cp_at(x, c.end).kind == MARK)
        c = cp_at(x, c.end);
    return c.end;
}

static bool is_character(const struct cutting *x, size_t at)
{
    return x->cut == GM_CUT_CHARACTERS &&
           gm_cp_unspaced(gm_utf8_next(x->text, &at)) == GM_UNSPACED_CHARACTERS;
}

/* End of the run at byte `at` of letters without spaces that a dictionary has to cut. */
static size_t run_end(const struct cutting *x, size_t at)
{
    do
        at = character_end(x, at);
    while (at < x->text.n && cp_at(x, at).kind == UNSPACED && !is_character(x, at));
    return at;
}

/* The words from byte `at` on, where a letter without spaces is; *at moves behind them. */
static enum gm_status add_unspaced(struct words *w, const struct cutting *x, size_t *at,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t start = *at, from = start, *ends, n;
    if (is_character(x, start)) {
        *at = character_end(x, start);
        return add(w, start, *at, err);
    }
    *at = run_end(x, start);
    GM_TRY(gm_word_breaks(gm_str_sub(x->text, start, *at), w->a, &ends, &n, err));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(add(w, from, start + ends[i], err));
        from = start + ends[i];
    }
done:
    return st;
}

enum gm_status gm_segment(struct gm_str text, enum gm_word_cut cut, struct gm_arena *a,
                          struct gm_word **spans, size_t *n, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct words w = {.a = a};
    const struct cutting x = {text, cut};
    size_t url = 0;
    for (size_t at = 0; at < text.n && st == GM_OK;) {
        struct cp c = cp_at(&x, at);
        if (c.kind == SPACE) {
            at = c.end;
        } else if (c.kind == UNSPACED && cut != GM_CUT_LETTERS) {
            st = add_unspaced(&w, &x, &at, err);
        } else {
            size_t end = cut == GM_CUT_LETTERS ? character_end(&x, at) : next_end(&x, at, &url);
            st = add(&w, at, end, err);
            at = end;
        }
    }
    *spans = w.items;
    *n = w.n;
    return st;
}

/* ---- edges ---- */

size_t gm_letter_end(struct gm_str s, size_t at)
{
    const struct cutting x = {s, GM_CUT_SPACES};
    return cp_at(&x, at).kind == WORD ? character_end(&x, at) : at;
}

/* The beginning of the character that ends at byte `at` > 0, its marks passed. */
static size_t character_before(struct gm_str s, size_t at)
{
    const struct cutting x = {s, GM_CUT_SPACES};
    do
        for (at--; at > 0 && ((unsigned char)s.p[at] & 0xC0) == 0x80;)
            at--;
    while (at > 0 && cp_at(&x, at).kind == MARK);
    return at;
}

bool gm_is_word_edge(struct gm_str s, size_t at)
{
    const struct cutting x = {s, GM_CUT_CHARACTERS};
    if (at == 0 || at == s.n)
        return true;
    enum char_kind before = cp_at(&x, character_before(s, at)).kind, after = cp_at(&x, at).kind;
    if (after == MARK)
        return before != WORD && before != UNSPACED;
    return before != WORD || after != WORD;
}

struct gm_str gm_next_word(struct gm_str s, size_t *at)
{
    size_t from, end = 0;
    while (*at < s.n && gm_letter_end(s, *at) == *at)
        (void)gm_utf8_next(s, at);
    for (from = *at; *at < s.n && (end = gm_letter_end(s, *at)) > *at;) {
        *at = end;
        if (gm_is_word_edge(s, *at))
            break;
    }
    return gm_str_sub(s, from, *at);
}
