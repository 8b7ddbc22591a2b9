/* Boxes in the forms of the model families. Where a family's marks say the unit, its numbers are
 * turned into 0..1000 here: <loc_N> is the bin N of 1000, whose middle is meant (Florence-2's
 * quantiser), <locNNNN> a 1024th (PaliGemma), <bin_N> and <|det|> 0..999 (OFA, DeepSeek-VL2). */
#include "llm/json_repair.h"
#include "stages/said.h"

#include <ctype.h>

enum { DEPTH_MAX = 8, NUMBERS_MAX = 400, TOKEN_MAX = 24 };

/* The boxes so far, and how lists of four are read. */
struct boxes {
    struct gm_json *list;
    bool y_first;
    size_t n;
};

/* A number, or the text of one. */
static bool number(const struct gm_json *j, double *out)
{
    struct gm_str s;
    return gm_json_num(j, out) || (gm_json_str(j, &s) && gm_str_to_double(gm_str_trim(s), out));
}

/* Add xmin, ymin, xmax, ymax, with the corners in order. */
static enum gm_status add_box(struct boxes *b, const double c[4], struct gm_error *err)
{
    const double sorted[4] = {c[0] < c[2] ? c[0] : c[2], c[1] < c[3] ? c[1] : c[3],
                              c[0] < c[2] ? c[2] : c[0], c[1] < c[3] ? c[3] : c[1]};
    struct gm_json *box = gm_json_new_array();
    bool ok = box != NULL;
    for (int i = 0; i < 4 && ok; i++)
        ok = gm_json_add(box, gm_json_new_num(sorted[i]));
    if (!ok)
        gm_json_free(box);
    if (!ok || !gm_json_add(b->list, box))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    b->n++;
    return GM_OK;
}

/* Add four numbers without names. */
static enum gm_status add_four(struct boxes *b, const double c[4], struct gm_error *err)
{
    const double turned[4] = {c[1], c[0], c[3], c[2]};
    return add_box(b, b->y_first ? turned : c, err);
}

static bool is_none(struct gm_str text)
{
    text = gm_str_trim(text);
    return gm_str_eq_c(text, "null") || gm_str_eq_c(text, "None") || gm_str_eq_c(text, "none");
}

/* ---- JSON ---- */

/* Four numbers in a list, or two corners of two. */
static bool flat_box(const struct gm_json *j, double c[4])
{
    size_t n = gm_json_count(j);
    if (gm_json_kind(j) != GM_JSON_ARRAY || (n != 4 && n != 2))
        return false;
    for (size_t i = 0; i < 4; i++) {
        const struct gm_json *at = n == 4 ? gm_json_at(j, i) : gm_json_at(j, i / 2);
        if (n == 2 && gm_json_count(at) != 2)
            return false;
        if (!number(n == 4 ? at : gm_json_at(at, i % 2), &c[i]))
            return false;
    }
    return true;
}

/* The members of an object that are a box's sides. */
static bool named_box(const struct gm_json *j, double c[4])
{
    static const char *const names[][4] = {{"xmin", "ymin", "xmax", "ymax"},
                                           {"x_min", "y_min", "x_max", "y_max"},
                                           {"x1", "y1", "x2", "y2"},
                                           {"left", "top", "right", "bottom"}};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        int n = 0;
        while (n < 4 && number(gm_json_get(j, names[k][n]), &c[n]))
            n++;
        if (n == 4)
            return true;
    }
    return false;
}

static const struct gm_json *box_member(const struct gm_json *j)
{
    static const char *const names[] = {"boxes",          "bbox_2d",     "bbox",   "bboxes",
                                        "box_2d",         "box2d",       "box",    "bounding_box",
                                        "bounding_boxes", "coordinates", "objects"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct gm_json *m = gm_json_get(j, names[i]);
        if (m)
            return m;
    }
    return NULL;
}

static enum gm_status read_text(struct boxes *b, struct gm_str text, struct gm_error *err);

static enum gm_status collect(const struct gm_json *j, int depth, struct boxes *b,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double c[4];
    struct gm_str text;
    size_t n = b->n;
    if (gm_json_kind(j) == GM_JSON_NULL)
        return GM_OK;
    if (gm_json_str(j, &text)) {
        st = read_text(b, text, err);
        return st != GM_OK || b->n > n || !gm_str_trim(text).n || is_none(text)
                   ? st
                   : GM_FAIL(err, GM_EFORMAT, "what stands for a box is a text without one");
    }
    if (named_box(j, c))
        return add_box(b, c, err);
    if (flat_box(j, c))
        return add_four(b, c, err);
    if (gm_json_kind(j) == GM_JSON_OBJECT && box_member(j) && depth < DEPTH_MAX)
        return collect(box_member(j), depth + 1, b, err);
    if (gm_json_kind(j) != GM_JSON_ARRAY || depth == DEPTH_MAX)
        return GM_FAIL(err, GM_EFORMAT, "what stands for a box is none");
    for (size_t i = 0; i < gm_json_count(j) && st == GM_OK; i++)
        st = collect(gm_json_at(j, i), depth + 1, b, err);
    return st;
}

/* ---- marks ---- */

/* The numbers of "[[12,34,56,78]]", "(12,34),(56,78)", "012 034 056 078"; SIZE_MAX when there is
 * anything else in it. */
static size_t read_numbers(struct gm_str s, double out[NUMBERS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        while (i < s.n && (isdigit((unsigned char)s.p[i]) || s.p[i] == '.' || s.p[i] == '-'))
            i++;
        if (i > from) {
            if (n == NUMBERS_MAX || !gm_str_to_double(gm_str_sub(s, from, i), &out[n]))
                return SIZE_MAX;
            n++;
        } else if (isspace((unsigned char)s.p[i]) || s.p[i] == ',' || s.p[i] == '(' ||
                   s.p[i] == ')' || s.p[i] == '[' || s.p[i] == ']') {
            i++;
        } else {
            return SIZE_MAX;
        }
    }
    return n;
}

/* Numbers in which each four are a box; none where they don't come out even. */
static enum gm_status add_numbers(struct boxes *b, struct gm_str s, double unit,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double c[NUMBERS_MAX];
    size_t n = read_numbers(s, c);
    if (n == SIZE_MAX || n % 4)
        return GM_OK;
    for (size_t i = 0; i < n; i++)
        c[i] *= unit;
    for (size_t i = 0; i < n && st == GM_OK; i += 4)
        st = add_four(b, c + i, err);
    return st;
}

/* What stands between the marks of the families that have them. No number has a "<" in it, so that the
 * closing mark is the next one or none. */
static enum gm_status read_marks(struct boxes *b, struct gm_str s, struct gm_error *err)
{
    static const struct {
        const char *open, *close;
        double unit;
    } marks[] = {{"<|box_start|>", "<|box_end|>", 1},
                 {"<box>", "</box>", 1},
                 {"<|begin_of_box|>", "<|end_of_box|>", 1},
                 {"<|det|>", "<|/det|>", 1000.0 / 999}};
    enum gm_status st = GM_OK;
    for (size_t k = 0; k < sizeof marks / sizeof *marks; k++) {
        struct gm_str open = gm_str(marks[k].open), close = gm_str(marks[k].close);
        for (size_t at = gm_str_find(s, open, 0); at != SIZE_MAX && st == GM_OK;
             at = gm_str_find(s, open, at + open.n)) {
            size_t from = at + open.n, end = gm_str_find(s, GM_STR("<"), from);
            if (end != SIZE_MAX && gm_str_starts(gm_str_sub(s, end, s.n), close))
                st = add_numbers(b, gm_str_sub(s, from, end), marks[k].unit, err);
        }
    }
    return st;
}

/* "<loc_12>", "<bin_12>" or "<loc0012>" at *pos, as a number of 0..1000. */
static bool read_token(struct gm_str s, size_t *pos, double *out)
{
    static const struct {
        const char *open;
        double add, unit;
    } kinds[] = {{"<loc_", 0.5, 1}, {"<bin_", 0, 1000.0 / 999}, {"<loc", 0, 1000.0 / 1024}};
    /* No token is longer, and an answer of many "<" has its end far away. */
    struct gm_str rest = gm_str_sub(s, *pos, s.n - *pos > TOKEN_MAX ? *pos + TOKEN_MAX : s.n);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct gm_str open = gm_str(kinds[k].open);
        if (!gm_str_starts(rest, open))
            continue;
        size_t close = gm_str_find(rest, GM_STR(">"), open.n);
        long long n;
        if (close == SIZE_MAX || !gm_str_to_int(gm_str_sub(rest, open.n, close), &n))
            continue;
        *pos += close + 1;
        *out = ((double)n + kinds[k].add) * kinds[k].unit;
        return true;
    }
    return false;
}

/* Location tokens: each four that follow one another are a box. */
static enum gm_status read_tokens(struct boxes *b, struct gm_str s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    double c[4];
    size_t n = 0;
    for (size_t pos = gm_str_find(s, GM_STR("<"), 0); pos < s.n && st == GM_OK;) {
        if (n && isspace((unsigned char)s.p[pos])) {
            pos++;
        } else if (!read_token(s, &pos, &c[n])) {
            n = 0;
            pos = gm_str_find(s, GM_STR("<"), pos + 1);
        } else if (++n == 4) {
            st = add_four(b, c, err);
            n = 0;
        }
    }
    return st;
}

/* ---- all of them ---- */

/* "(12,34),(56,78)": servers leave marks out that are special tokens. */
static bool is_bare(struct gm_str text)
{
    text = gm_str_trim(text);
    return text.n && (text.p[0] == '(' || isdigit((unsigned char)text.p[0]));
}

static enum gm_status read_json(struct boxes *b, struct gm_str text, struct gm_error *err)
{
    enum gm_json_care care;
    struct gm_json *said = NULL;
    enum gm_status st = gm_json_read_tolerant(&said, text, &care, err);
    if (st == GM_OK)
        st = collect(said, 0, b, err);
    gm_json_free(said);
    return st;
}

/* Boxes that are no JSON. */
static enum gm_status read_text(struct boxes *b, struct gm_str text, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n = b->n;
    GM_TRY(read_marks(b, text, err));
    if (b->n == n)
        GM_TRY(read_tokens(b, text, err));
    if (b->n == n && is_bare(text))
        st = add_numbers(b, text, 1, err);
done:
    return st;
}

static enum gm_status said_boxes(struct gm_json **out, struct gm_str text, bool y_first,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct boxes b = {.list = gm_json_new_array(), .y_first = y_first};
    *out = NULL;
    if (!b.list)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(read_text(&b, text, err));
    if (!b.n && !is_none(text))
        GM_TRY(read_json(&b, text, err));
    struct gm_json *list = b.list;
    b.list = NULL;
    st = gm_said_wrap(out, "boxes", list, err);
done:
    gm_json_free(b.list);
    return st;
}

enum gm_status gm_said_boxes_in(struct gm_json **out, const struct gm_json *said, bool y_first,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct boxes b = {.list = gm_json_new_array(), .y_first = y_first};
    double c[4];
    *out = NULL;
    if (!b.list)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (gm_json_kind(said) != GM_JSON_OBJECT || box_member(said) || named_box(said, c))
        st = collect(said, 0, &b, err);
    if (st == GM_OK)
        *out = b.list;
    else
        gm_json_free(b.list);
    return st;
}

enum gm_status gm_said_boxes(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_boxes(out, text, false, err);
}

enum gm_status gm_said_boxes_yx(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return said_boxes(out, text, true, err);
}
