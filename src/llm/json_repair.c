#include "llm/json_repair.h"

#include "base/json_scan.h"
#include "base/utf8.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { DEPTH_MAX = 64, STARTS_MAX = 32 };

/* What a value's reading came to. */
enum read { READ_WHOLE, READ_CUT, READ_BAD, READ_NOMEM };

struct scan {
    struct gm_str s;
    size_t pos;
    struct gm_buf word; /* the string being read */
};

static enum read read_value(struct scan *c, int depth, struct gm_json **out);

static void skip_space(struct scan *c)
{
    while (c->pos < c->s.n && isspace((unsigned char)c->s.p[c->pos]))
        c->pos++;
}

static bool at(const struct scan *c, char ch) { return c->pos < c->s.n && c->s.p[c->pos] == ch; }

/* The escape whose backslash is at pos: one of JSON, or a backslash that somebody put before what needs
 * none, and which is dropped. */
static void read_escape(struct scan *c, char out[4], size_t *n)
{
    uint32_t cp;
    if (gm_scan_escape(c->s, &c->pos, &cp)) {
        *n = gm_utf8_put(cp, out);
        return;
    }
    c->pos++;
    *n = 0;
    if (c->s.p[c->pos] == 'u') { /* without its four digits */
        c->pos++;
        return;
    }
    do
        out[(*n)++] = c->s.p[c->pos++];
    while (c->pos < c->s.n && ((unsigned char)c->s.p[c->pos] & 0xc0) == 0x80 && *n < 4);
}

/* A string into c->word; pos is at its opening quote. */
static enum read read_string(struct scan *c)
{
    char quote = c->s.p[c->pos++];
    gm_buf_reset(&c->word);
    while (c->pos < c->s.n && c->s.p[c->pos] != quote) {
        char bytes[4];
        size_t n = 1;
        if (c->s.p[c->pos] == '\\' && c->pos + 1 < c->s.n) {
            read_escape(c, bytes, &n);
        } else {
            bytes[0] = c->s.p[c->pos++];
        }
        if (gm_buf_add(&c->word, bytes, n, NULL) != GM_OK)
            return READ_NOMEM;
    }
    if (c->pos >= c->s.n)
        return READ_CUT;
    c->pos++;
    return READ_WHOLE;
}

static enum read read_key(struct scan *c)
{
    if (at(c, '"') || at(c, '\''))
        return read_string(c);
    size_t from = c->pos;
    while (c->pos < c->s.n && (isalnum((unsigned char)c->s.p[c->pos]) || at(c, '_')))
        c->pos++;
    gm_buf_reset(&c->word);
    if (gm_buf_add_str(&c->word, gm_str_sub(c->s, from, c->pos), NULL) != GM_OK)
        return READ_NOMEM;
    return c->pos > from ? READ_WHOLE : c->pos >= c->s.n ? READ_CUT : READ_BAD;
}

/* Go to the next element, however many commas there are; true: past the closing bracket instead. */
static bool at_close(struct scan *c, char bracket)
{
    for (skip_space(c); at(c, ','); skip_space(c))
        c->pos++;
    if (!at(c, bracket))
        return false;
    c->pos++;
    return true;
}

static enum read read_object(struct scan *c, int depth, struct gm_json *o)
{
    c->pos++;
    while (!at_close(c, '}')) {
        struct gm_json *v = NULL;
        enum read r = read_key(c);
        if (r != READ_WHOLE)
            return r;
        struct gm_json *key = gm_json_new_str(gm_buf_str(&c->word)); /* word is used again below */
        struct gm_str name;
        skip_space(c);
        if (!gm_json_str(key, &name))
            return READ_NOMEM;
        if (!at(c, ':')) {
            gm_json_free(key);
            return c->pos >= c->s.n ? READ_CUT : READ_BAD;
        }
        c->pos++;
        r = read_value(c, depth + 1, &v);
        if (v && !gm_json_set(o, name.p, v))
            r = READ_NOMEM;
        gm_json_free(key);
        if (r != READ_WHOLE)
            return r;
    }
    return READ_WHOLE;
}

static enum read read_array(struct scan *c, int depth, struct gm_json *a)
{
    c->pos++;
    while (!at_close(c, ']')) {
        struct gm_json *v = NULL;
        enum read r = read_value(c, depth + 1, &v);
        if (r == READ_CUT) { /* a cut element is no element */
            gm_json_free(v);
            return r;
        }
        if (v && !gm_json_add(a, v))
            r = READ_NOMEM;
        if (r != READ_WHOLE)
            return r;
    }
    return READ_WHOLE;
}

/* What Python and JavaScript write of numbers that JSON hasn't. */
static bool is_no_number(struct gm_str w)
{
    static const char *const words[] = {"NaN", "nan", "Infinity", "inf", "Inf"};
    if (w.n && (w.p[0] == '-' || w.p[0] == '+'))
        w = gm_str_sub(w, 1, w.n);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (gm_str_eq_c(w, words[i]))
            return true;
    return false;
}

/* A number or one of the words that stand for a value. */
static enum read read_bare(struct scan *c, struct gm_json **out)
{
    size_t from = c->pos;
    double x;
    long long i;
    while (c->pos < c->s.n && c->s.p[c->pos] && strchr("+-.", c->s.p[c->pos]))
        c->pos++;
    while (c->pos < c->s.n && (isalnum((unsigned char)c->s.p[c->pos]) ||
                               (c->s.p[c->pos] && strchr("+-.", c->s.p[c->pos]))))
        c->pos++;
    struct gm_str w = gm_str_sub(c->s, from, c->pos);
    if (c->pos >= c->s.n)
        return READ_CUT; /* 1 may have been going to be 12 */
    if (gm_str_eq_c(w, "true") || gm_str_eq_c(w, "True"))
        *out = gm_json_new_bool(true);
    else if (gm_str_eq_c(w, "false") || gm_str_eq_c(w, "False"))
        *out = gm_json_new_bool(false);
    else if (gm_str_eq_c(w, "null") || gm_str_eq_c(w, "None"))
        *out = gm_json_new_null();
    else if (gm_str_to_int(w, &i))
        *out = gm_json_new_int(i);
    else if (gm_str_to_double(w, &x) && isfinite(x))
        *out = gm_json_new_num(x);
    else if (is_no_number(w))
        *out = gm_json_new_null();
    else
        return READ_BAD;
    return *out ? READ_WHOLE : READ_NOMEM;
}

static enum read read_value(struct scan *c, int depth, struct gm_json **out)
{
    enum read r = READ_BAD;
    skip_space(c);
    if (depth > DEPTH_MAX)
        return READ_BAD;
    if (c->pos >= c->s.n)
        return READ_CUT;
    if (at(c, '"') || at(c, '\'')) {
        r = read_string(c);
        if (r == READ_WHOLE && !(*out = gm_json_new_str(gm_buf_str(&c->word))))
            r = gm_utf8_is_valid(gm_buf_str(&c->word)) ? READ_NOMEM : READ_BAD;
        return r;
    }
    bool object = at(c, '{');
    if (!object && !at(c, '['))
        return read_bare(c, out);
    *out = object ? gm_json_new_object() : gm_json_new_array();
    if (!*out)
        return READ_NOMEM;
    r = object ? read_object(c, depth, *out) : read_array(c, depth, *out);
    if (r == READ_BAD || r == READ_NOMEM) {
        gm_json_free(*out);
        *out = NULL;
    }
    return r;
}

static size_t next_start(struct gm_str s, size_t from)
{
    while (from < s.n && s.p[from] != '{' && s.p[from] != '[')
        from++;
    return from;
}

enum gm_status gm_json_read_tolerant(struct gm_json **out, struct gm_str text,
                                     enum gm_json_care *care, struct gm_error *err)
{
    struct gm_json *cut = NULL; /* the first that ended too early, kept if none is whole */
    enum read r = READ_BAD;
    struct gm_str s = gm_str_trim(text);
    struct scan c = {.s = s};
    *out = NULL;
    *care = GM_JSON_STRICT;
    if (s.n && gm_json_parse(out, s, NULL) == GM_OK) {
        if (gm_json_kind(*out) == GM_JSON_ARRAY || gm_json_kind(*out) == GM_JSON_OBJECT)
            return GM_OK;
        gm_json_free(*out);
        *out = NULL;
    }
    gm_buf_init(&c.word, s.n + 8);
    size_t from = next_start(s, 0);
    for (int i = 0; i < STARTS_MAX && from < s.n && r != READ_WHOLE && r != READ_NOMEM; i++) {
        struct gm_json *v = NULL;
        c.pos = from;
        r = read_value(&c, 0, &v);
        from = next_start(s, r == READ_BAD ? from + 1 : c.pos);
        if (r == READ_WHOLE)
            *out = v;
        else if (r == READ_CUT && !cut)
            cut = v;
        else
            gm_json_free(v);
    }
    gm_buf_clear(&c.word);
    *care = *out ? GM_JSON_REPAIRED : GM_JSON_TRUNCATED;
    if (*out || r == READ_NOMEM)
        gm_json_free(cut);
    else
        *out = cut;
    if (*out)
        return GM_OK;
    return r == READ_NOMEM ? GM_FAIL(err, GM_ENOMEM, "out of memory")
                           : GM_FAIL(err, GM_EFORMAT, "no JSON in the reply");
}
