#include "tokenizer/pattern.h"

#include "base/utf8.h"
#include "text/unicode.h"

#include <string.h>

enum set { SET_CHAR, SET_RANGE, SET_ANY, SET_SPACE, SET_DIGIT, SET_LETTER, SET_NUMBER };
enum { MAX_ATOMS = 32, MAX_PARTS = 32, MANY = 1 << 20 };

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

struct gm_pattern {
    struct gm_str text; /* of a string pattern; empty = atoms */
    struct atom atoms[MAX_ATOMS];
    size_t n;
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

static bool read_atoms(struct gm_pattern *p, struct gm_str s)
{
    size_t least = 0;
    for (size_t at = 0; at < s.n; p->n++) {
        if (p->n == MAX_ATOMS)
            return false;
        struct atom *a = &p->atoms[p->n];
        char c = s.p[at];
        if (c != 0 && strchr("()|^$?*+{}]", c))
            return false;
        bool ok = true;
        if (c == '[') {
            at++;
            ok = read_class(s, &at, a);
        } else if (c == '.') {
            at++;
            a->parts[a->n_parts++] = (struct part){.set = SET_ANY};
        } else {
            ok = read_part(s, &at, &a->parts[a->n_parts++]);
        }
        if (!ok || !read_quantifier(s, &at, a))
            return false;
        least += a->min;
    }
    return least > 0;
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
    if (gm_json_str(gm_json_get(json, "Regex"), &text) && read_atoms(p, text))
        return GM_OK;
    return GM_FAIL(err, GM_EMODEL,
                   "%s: pattern \"%.*s\" is not supported (a string is, and a row of characters "
                   "and classes with ? * + {n,m} that can't match nothing)",
                   path, GM_STR_ARG(text));
}

/* The end of a match of atoms [k, n) at byte `at`; SIZE_MAX: none. Greedy, then giving back. */
static size_t match(const struct gm_pattern *p, size_t k, struct gm_str s, size_t at)
{
    if (k == p->n)
        return at;
    const struct atom *a = &p->atoms[k];
    size_t n = 0, end = at, next = at;
    while (n < a->max && next < s.n && atom_has(a, gm_utf8_next(s, &next))) {
        end = next;
        n++;
    }
    for (; n >= a->min; n--) {
        size_t last = match(p, k + 1, s, end);
        if (last != SIZE_MAX || n == 0)
            return last;
        do
            end--;
        while (((unsigned char)s.p[end] & 0xC0) == 0x80);
    }
    return SIZE_MAX;
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
        *end = match(p, 0, s, *start);
        if (*end != SIZE_MAX)
            return true;
        gm_utf8_next(s, &next);
        *start = next;
    }
    return false;
}
