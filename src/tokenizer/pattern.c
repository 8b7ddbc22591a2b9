#include "tokenizer/pattern.h"

#include "base/utf8.h"
#include "text/unicode.h"

#include <string.h>

enum set { SET_CHAR, SET_RANGE, SET_ANY, SET_SPACE, SET_DIGIT, SET_LETTER, SET_NUMBER };
enum { MAX_ATOMS = 64, MAX_PARTS = 32, MAX_ROWS = 32, MANY = 1 << 20 };

/* What one code point may be; `inverted` for \S and the like. */
struct part {
    enum set set;
    bool inverted;
    uint32_t first, last;
};

/* One code point's choice, repeated. */
struct atom {
    struct part parts[MAX_PARTS];
    size_t n_parts;
    bool inverted; /* [^...] */
    size_t min, max;
};

/* Rows of atoms: where several match, the first row counts, not the longest match. */
struct gm_pattern {
    struct gm_str text; /* of a string pattern; empty = rows */
    struct atom atoms[MAX_ATOMS];
    size_t ends[MAX_ROWS]; /* of row r: it has atoms [ends[r - 1], ends[r]), the first from 0 on */
    size_t n, n_rows;
};

static bool part_has(const struct part *p, uint32_t cp)
{
    bool in = false;
    switch (p->set) {
    case SET_CHAR:
    case SET_RANGE: in = cp >= p->first && cp <= p->last; break;
    case SET_ANY: in = cp != '\n'; break;
    case SET_SPACE: in = gm_cp_is_space(cp); break;
    case SET_DIGIT: in = gm_cp_hf_is_digit(cp); break;
    case SET_LETTER: in = gm_cp_hf_is_letter(cp); break;
    case SET_NUMBER: in = gm_cp_hf_is_number(cp); break;
    }
    return in != p->inverted;
}

static bool atom_has(const struct atom *a, uint32_t cp)
{
    bool in = false;
    for (size_t i = 0; i < a->n_parts && !in; i++)
        in = part_has(&a->parts[i], cp);
    return in != a->inverted;
}

/* ---- reading; each returns false where the expression is not a simple one ---- */

static bool read_escape(struct gm_str s, size_t *at, struct part *out)
{
    static const char names[] = "sSdD", plain[] = "nrt", values[] = "\n\r\t";
    static const enum set sets[] = {SET_SPACE, SET_DIGIT};
    char c = *at < s.n ? s.p[(*at)++] : 0;
    const char *hit;
    if (c == 0)
        return false;
    if ((hit = strchr(names, c)) != NULL) {
        *out = (struct part){.set = sets[(hit - names) / 2], .inverted = (hit - names) % 2 == 1};
        return true;
    }
    if (c == 'p' && (gm_str_starts(gm_str_sub(s, *at, s.n), GM_STR("{L}")) ||
                     gm_str_starts(gm_str_sub(s, *at, s.n), GM_STR("{N}")))) {
        *out = (struct part){.set = s.p[*at + 1] == 'L' ? SET_LETTER : SET_NUMBER};
        *at += 3;
        return true;
    }
    uint32_t cp = (unsigned char)c;
    if ((hit = strchr(plain, c)) != NULL)
        cp = (unsigned char)values[hit - plain];
    else if (cp >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
             (c >= 'a' && c <= 'z'))
        return false;
    *out = (struct part){.set = SET_CHAR, .first = cp, .last = cp};
    return true;
}

static bool read_part(struct gm_str s, size_t *at, struct part *out)
{
    if (s.p[*at] == '\\') {
        ++*at;
        return read_escape(s, at, out);
    }
    uint32_t cp = gm_utf8_next(s, at);
    *out = (struct part){.set = SET_CHAR, .first = cp, .last = cp};
    return true;
}

static bool read_class(struct gm_str s, size_t *at, struct atom *a)
{
    if (*at < s.n && s.p[*at] == '^') {
        a->inverted = true;
        ++*at;
    }
    for (; *at < s.n && s.p[*at] != ']'; a->n_parts++) {
        struct part *p = &a->parts[a->n_parts], last;
        if (a->n_parts == MAX_PARTS || s.p[*at] == '[' || s.p[*at] == '&' || !read_part(s, at, p))
            return false;
        if (*at + 1 >= s.n || s.p[*at] != '-' || s.p[*at + 1] == ']')
            continue;
        ++*at;
        if (p->set != SET_CHAR || !read_part(s, at, &last) || last.set != SET_CHAR ||
            last.first < p->first)
            return false;
        *p = (struct part){.set = SET_RANGE, .first = p->first, .last = last.first};
    }
    return (*at)++ < s.n && a->n_parts > 0;
}

static bool read_count(struct gm_str s, size_t *at, size_t *out)
{
    size_t start = *at;
    for (*out = 0; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9' && *out < MANY; ++*at)
        *out = *out * 10 + (size_t)(s.p[*at] - '0');
    return *at > start;
}

static bool read_quantifier(struct gm_str s, size_t *at, struct atom *a)
{
    char c = *at < s.n ? s.p[*at] : 0;
    a->min = c == '?' || c == '*' ? 0 : 1;
    a->max = c == '*' || c == '+' ? SIZE_MAX : 1;
    if (c == '?' || c == '*' || c == '+')
        ++*at;
    if (c == '{') {
        ++*at;
        if (!read_count(s, at, &a->min))
            return false;
        a->max = a->min;
        if (*at < s.n && s.p[*at] == ',') {
            ++*at;
            if (!read_count(s, at, &a->max))
                a->max = SIZE_MAX;
        }
        if (*at >= s.n || s.p[(*at)++] != '}' || a->max < a->min)
            return false;
    }
    c = *at < s.n ? s.p[*at] : 0;
    return c != '?' && c != '+' && c != '*' && c != '{'; /* lazy, possessive, twice */
}

static bool read_atom(struct gm_str s, size_t *at, struct atom *a)
{
    bool ok = true;
    char c = s.p[*at];
    if (c == 0 || strchr("()^$?*+{}]", c))
        return false;
    if (c == '[') {
        ++*at;
        ok = read_class(s, at, a);
    } else if (c == '.') {
        ++*at;
        a->parts[a->n_parts++] = (struct part){.set = SET_ANY};
    } else {
        ok = read_part(s, at, &a->parts[a->n_parts++]);
    }
    return ok && read_quantifier(s, at, a);
}

/* Up to the "|" that ends the row, or the end; a row that could match nothing is refused. */
static bool read_row(struct gm_pattern *p, struct gm_str s, size_t *at)
{
    size_t least = 0;
    for (; *at < s.n && s.p[*at] != '|'; p->n++) {
        if (p->n == MAX_ATOMS || !read_atom(s, at, &p->atoms[p->n]))
            return false;
        least += p->atoms[p->n].min;
    }
    if (p->n_rows == MAX_ROWS || least == 0)
        return false;
    p->ends[p->n_rows++] = p->n;
    return true;
}

static bool read_rows(struct gm_pattern *p, struct gm_str s)
{
    size_t at = 0;
    do
        if (!read_row(p, s, &at))
            return false;
    while (at++ < s.n);
    return true;
}

enum gm_status gm_pattern_read(struct gm_pattern **out, const struct gm_json *json,
                               struct gm_arena *a, const char *path, struct gm_error *err)
{
    struct gm_str text = {0};
    struct gm_pattern *p = gm_arena_alloc(a, 1, sizeof *p);
    if (!p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *p = (struct gm_pattern){0};
    *out = p;
    if (gm_json_str(gm_json_get(json, "String"), &text) && text.n) {
        p->text = gm_arena_str(a, text);
        return p->text.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    if (gm_json_str(gm_json_get(json, "Regex"), &text) && read_rows(p, text))
        return GM_OK;
    return GM_FAIL(err, GM_EMODEL,
                   "%s: pattern \"%.*s\" is not supported (a string is, and rows of characters and "
                   "classes with ? * + {n,m} that can't match nothing, with | between them)",
                   path, GM_STR_ARG(text));
}

/* The end of a match of atoms [k, last) at byte `at`; SIZE_MAX: none. Greedy, then giving back. */
static size_t match(const struct gm_pattern *p, size_t k, size_t last, struct gm_str s, size_t at)
{
    if (k == last)
        return at;
    const struct atom *a = &p->atoms[k];
    size_t n = 0, end = at, next = at;
    while (n < a->max && next < s.n && atom_has(a, gm_utf8_next(s, &next))) {
        end = next;
        n++;
    }
    for (; n >= a->min; n--) {
        size_t behind = match(p, k + 1, last, s, end);
        if (behind != SIZE_MAX || n == 0)
            return behind;
        do
            end--;
        while (((unsigned char)s.p[end] & 0xC0) == 0x80);
    }
    return SIZE_MAX;
}

static size_t match_rows(const struct gm_pattern *p, struct gm_str s, size_t at)
{
    size_t end = SIZE_MAX;
    for (size_t r = 0; r < p->n_rows && end == SIZE_MAX; r++)
        end = match(p, r ? p->ends[r - 1] : 0, p->ends[r], s, at);
    return end;
}

bool gm_pattern_next(const struct gm_pattern *p, struct gm_str s, size_t from, size_t *start,
                     size_t *end)
{
    if (p->text.n) {
        *start = gm_str_find(s, p->text, from);
        *end = *start + p->text.n;
        return *start != SIZE_MAX;
    }
    for (*start = from; *start < s.n;) {
        size_t next = *start;
        *end = match_rows(p, s, *start);
        if (*end != SIZE_MAX)
            return true;
        gm_utf8_next(s, &next);
        *start = next;
    }
    return false;
}
