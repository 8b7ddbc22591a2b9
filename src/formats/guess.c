#include "formats/guess.h"

#include "base/json_scan.h"
#include "formats/conll.h"
#include "formats/csv.h"
#include "formats/riveg.h"

#include <string.h>

enum { HEAD_BYTES = 1 << 16 };

static bool is_one_of(struct gm_str key, const char *const *names)
{
    for (; *names; names++)
        if (gm_str_eq_c(key, *names))
            return true;
    return false;
}

/* Whether the value at byte i goes on over a line's end. Where a file of one record a line has a broken
 * line, the next one begins a record of its own. */
static bool spans_lines(struct gm_str s, size_t i)
{
    size_t depth = 0;
    char last = 0; /* sign before c, white space aside */
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\n') {
            i = gm_scan_space(s, i);
            return i < s.n && !(s.p[i] == '{' && depth == 1 && last != ':');
        }
        if (c == '"') {
            if (!gm_scan_string(s, &i))
                return false;
            i--; /* at its end */
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (depth == 0)
            return false;
        last = gm_scan_space(s, i) == i ? c : last;
    }
    return false;
}

/* The keys of the object at byte i, as far as the head goes: a post, a task, a COCO file? AUTO when
 * they tell nothing. *first is where the first key's value begins (0: no key). */
static enum gm_format by_keys(struct gm_str s, size_t i, size_t *first)
{
    static const char *const coco[] = {"images", "annotations", "categories", NULL};
    static const char *const task[] = {"data", "annotations", "predictions", NULL};
    static const char *const post[] = {"text", "tokens", NULL};
    size_t n_coco = 0, n_task = 0;
    struct gm_str key;
    *first = 0;
    for (i = gm_scan_space(s, i + 1); gm_scan_key(s, &i, &key); i = gm_scan_space(s, i + 1)) {
        *first = *first ? *first : i;
        bool nested = i < s.n && s.p[i] == '{';
        if (is_one_of(key, post) && !nested && i < s.n && (s.p[i] == '"' || s.p[i] == '['))
            return GM_FORMAT_JSONL;
        n_coco += is_one_of(key, coco) && i < s.n && s.p[i] == '[';
        n_task += is_one_of(key, task);
        if (gm_str_eq_c(key, "data") && nested)
            n_task++;
        if (gm_scan_skip(s, &i) != GM_SCAN_AT_SIGN || s.p[i] != ',')
            break;
    }
    if (n_task >= 2 && n_coco < 2)
        return GM_FORMAT_LABELSTUDIO;
    return n_coco >= 1 ? GM_FORMAT_COCO : GM_FORMAT_AUTO;
}

/* An object whose first value is the object of a text, or an array of named entities. */
static bool is_ccks(struct gm_str s, size_t first)
{
    struct gm_str key;
    if (first == 0 || first >= s.n)
        return false;
    bool array = s.p[first] == '[';
    size_t i = gm_scan_space(s, first + 1);
    if (array && i < s.n && s.p[i] == ']')
        return true;
    if (array)
        i = i < s.n && s.p[i] == '{' ? gm_scan_space(s, i + 1) : s.n;
    static const char *const text[] = {"text", NULL}, *const entity[] = {"name", "label", "bnd",
                                                                         NULL};
    return (array || s.p[first] == '{') && gm_scan_key(s, &i, &key) &&
           is_one_of(key, array ? entity : text);
}

static enum gm_format guess_object(struct gm_str s, size_t i)
{
    size_t first;
    enum gm_format f = by_keys(s, i, &first);
    if (f == GM_FORMAT_AUTO && is_ccks(s, first))
        return GM_FORMAT_CCKS;
    return f != GM_FORMAT_AUTO && f != GM_FORMAT_JSONL ? f : spans_lines(s, i) ? GM_FORMAT_JSON : f;
}

/* An array of records, of tasks, or of neither. */
static enum gm_format guess_array(struct gm_str s, size_t i)
{
    size_t first;
    i = gm_scan_space(s, i + 1);
    if (i < s.n && s.p[i] == ']')
        return GM_FORMAT_JSON;
    enum gm_format f = i < s.n && s.p[i] == '{' ? by_keys(s, i, &first) : GM_FORMAT_AUTO;
    return f == GM_FORMAT_JSONL ? GM_FORMAT_JSON : f == GM_FORMAT_LABELSTUDIO ? f : GM_FORMAT_AUTO;
}

/* The first line with something on it, without the white space before it. */
static struct gm_str first_line(struct gm_str s)
{
    size_t i = gm_scan_space(s, 0), end = i;
    while (end < s.n && s.p[end] != '\n')
        end++;
    return gm_str_sub(s, i, end);
}

/* Whether more of the file can tell no more: the first JSON value is whole, or the first line of a file
 * of lines. A program that writes one post and waits for its answer must not be waited for. */
static bool is_enough(struct gm_str s)
{
    size_t i = gm_scan_space(s, 0);
    struct gm_str line = first_line(s);
    bool is_whole = i + line.n < s.n;
    if (i == s.n)
        return false;
    if ((s.p[i] != '{' && s.p[i] != '[') || (is_whole && gm_conll_is_row(line)))
        return is_whole;
    bool is_array = s.p[i++] == '[';
    while (i < s.n && gm_scan_skip(s, &i) == GM_SCAN_AT_SIGN && s.p[i] == ',' && !is_array)
        i++;
    return i < s.n;
}

static enum gm_format guess_text(struct gm_str s)
{
    size_t i = gm_scan_space(s, 0);
    struct gm_str line = first_line(s);
    if (i == s.n || gm_conll_is_row(line))
        return GM_FORMAT_AUTO;
    if (s.p[i] == '[')
        return guess_array(s, i);
    if (s.p[i] == '{')
        return guess_object(s, i);
    if (gm_csv_is_header(gm_str_trim(line)))
        return GM_FORMAT_CSV;
    return gm_riveg_is_line(line) ? GM_FORMAT_RIVEG : GM_FORMAT_AUTO;
}

enum gm_status gm_format_guess(struct gm_input *in, enum gm_format *out, struct gm_error *err)
{
    struct gm_str head;
    bool at_end;
    *out = GM_FORMAT_AUTO;
    do {
        enum gm_status st = gm_input_peek(in, HEAD_BYTES, &head, &at_end, err);
        if (st != GM_OK)
            return st;
        if (gm_str_starts(head, GM_STR("\xEF\xBB\xBF")))
            head = gm_str_sub(head, 3, head.n);
    } while (!at_end && head.n < HEAD_BYTES && !is_enough(head));
    *out = guess_text(head);
    return GM_OK;
}

enum gm_status gm_format_guess_line(struct gm_str line, const char *path, size_t number,
                                    enum gm_format *out, struct gm_error *err)
{
    struct gm_str s = gm_str_trim(line);
    bool row = gm_conll_is_row(line);
    struct gm_str rest = gm_str_trim(gm_str_sub(s, 1, s.n));
    *out = s.p[0] == '{' && !row ? GM_FORMAT_JSONL : GM_FORMAT_CONLL;
    if (s.p[0] == '[' && !row && (rest.n == 0 || memchr("{[\"", rest.p[0], 3)))
        return GM_FAIL(
            err, GM_EFORMAT,
            "%s:%zu: a JSON array of something else than posts (objects with \"text\" or "
            "\"tokens\"); --from says which format it is",
            path, number);
    if (memchr(s.p, 0, s.n) && !row)
        return GM_FAIL(err, GM_EFORMAT,
                       "%s:%zu: NUL bytes; expected UTF-8 text, JSON Lines or "
                       "CoNLL (UTF-16 files: iconv -f UTF-16 -t UTF-8)",
                       path, number);
    return GM_OK;
}
