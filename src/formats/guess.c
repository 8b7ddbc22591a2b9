#include "formats/guess.h"

#include "base/host.h"
#include "base/json_scan.h"
#include "formats/conll.h"
#include "formats/format.h"

#include <string.h>

enum { HEAD_BYTES = 1 << 16 };

/* Whether more of the file can tell no more: the first JSON value is whole, or the first line of a file
 * of lines. A program that writes one post and waits for its answer must not be waited for. */
static bool is_enough(const struct gm_head *h)
{
    const struct gm_str s = h->text;
    size_t i = h->at;
    bool is_whole = i + h->line.n < s.n;
    if (i == s.n)
        return false;
    if (!h->is_json || (is_whole && gm_conll_is_row(h->line)))
        return is_whole;
    i++;
    while (i < s.n && gm_scan_skip(s, &i) == GM_SCAN_AT_SIGN && s.p[i] == ',' && !h->is_array)
        i++;
    return i < s.n;
}

static enum gm_format best_fit(const struct gm_head *h)
{
    enum gm_format best = GM_FORMAT_AUTO;
    enum gm_fit most = GM_FIT_NOT;
    if (h->at == h->text.n || gm_conll_is_row(h->line)) /* words may be brackets */
        return GM_FORMAT_AUTO;
    for (int i = GM_FORMAT_AUTO + 1; i < GM_FORMATS_N; i++) {
        const struct gm_format_row *row = gm_format_row((enum gm_format)i);
        enum gm_fit fit = row->fit ? row->fit(h) : GM_FIT_NOT;
        if (fit > most) {
            best = (enum gm_format)i;
            most = fit;
        }
    }
    return best;
}

enum gm_status gm_format_guess(struct gm_input *in, enum gm_format *out, struct gm_error *err)
{
    struct gm_str text;
    struct gm_head head;
    bool at_end;
    *out = GM_FORMAT_AUTO;
    do {
        enum gm_status st = gm_input_peek(in, HEAD_BYTES, &text, &at_end, err);
        if (st != GM_OK)
            return st;
        if (gm_str_starts(text, GM_STR("\xEF\xBB\xBF")))
            text = gm_str_sub(text, 3, text.n);
        head = gm_head_of(text);
    } while (!at_end && text.n < HEAD_BYTES && !is_enough(&head));
    *out = best_fit(&head);
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
            "\"tokens\")%s",
            path, number, gm_option("; --from says which format it is"));
    if (memchr(s.p, 0, s.n) && !row)
        return GM_FAIL(err, GM_EFORMAT,
                       "%s:%zu: NUL bytes; expected UTF-8 text, JSON Lines or "
                       "CoNLL (UTF-16 files: iconv -f UTF-16 -t UTF-8)",
                       path, number);
    return GM_OK;
}
