/* gm_json_parse_lenient: what other programs write as JSON and jansson refuses (half a surrogate pair,
 * as Python's json.dumps writes for a text cut inside an emoji; NaN; numbers out of range; a byte order mark). */
#include "base/json.h"
#include "base/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const not_finite[] = {"NaN", "Infinity", "-Infinity"};

/* Past the string at byte *i, its lone surrogates replaced. */
static enum gm_status copy_string(struct gm_str s, size_t *i, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t from = (*i)++;
    while (*i < s.n && s.p[*i] != '"') {
        uint32_t cp = 0;
        size_t at = *i;
        if (s.p[at] != '\\') {
            ++*i;
        } else if (!gm_scan_escape(s, i, &cp)) {
            *i += 2; /* the parser says what is wrong with it */
        } else if (gm_is_surrogate(cp)) {
            GM_TRY(gm_buf_add(out, s.p + from, at - from, err));
            GM_TRY(gm_buf_add_c(out, "\\ufffd", err));
            from = *i;
        }
    }
    *i = *i < s.n ? *i + 1 : s.n;
    if (from < *i)
        st = gm_buf_add(out, s.p + from, *i - from, err);
done:
    return st;
}

static bool is_digits(struct gm_str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return n == s.n;
}

/* Whether a word outside of strings is a number that no value can hold. */
static bool is_out_of_range(struct gm_str word)
{
    char text[512], *end;
    for (size_t i = 0; i < sizeof not_finite / sizeof *not_finite; i++)
        if (gm_str_eq_c(word, not_finite[i]))
            return true;
    size_t sign = word.n && word.p[0] == '-';
    if (word.n == sign || word.p[sign] < '1' || word.p[sign] > '9')
        return false;
    bool is_whole = is_digits(gm_str_sub(word, sign, word.n));
    if (word.n >= sizeof text)
        return is_whole;
    memcpy(text, word.p, word.n);
    text[word.n] = 0;
    errno = 0;
    if (is_whole)
        return strtoll(text, NULL, 10) != 0 && errno == ERANGE;
    return isinf(strtod(text, &end)) && strspn(text + sign, "0123456789.eE+-") == word.n - sign;
}

static enum gm_status mend(struct gm_str s, struct gm_buf *out, struct gm_error *err)
{
    static const char of_words[] = "+-.0123456789abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    enum gm_status st = GM_OK;
    for (size_t i = gm_str_starts(s, GM_STR("\xEF\xBB\xBF")) ? 3 : 0; i < s.n;) {
        if (s.p[i] == '"') {
            GM_TRY(copy_string(s, &i, out, err));
            continue;
        }
        size_t from = i++;
        bool is_word = s.p[from] && strchr(of_words, s.p[from]);
        while (is_word && i < s.n && s.p[i] && strchr(of_words, s.p[i]))
            i++;
        bool quote = is_word && is_out_of_range(gm_str_sub(s, from, i));
        GM_TRY(gm_buf_add(out, "\"", quote, err));
        GM_TRY(gm_buf_add(out, s.p + from, i - from, err));
        GM_TRY(gm_buf_add(out, "\"", quote, err));
    }
done:
    return st;
}

enum gm_status gm_json_parse_lenient(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    struct gm_buf mended;
    enum gm_status st = gm_json_parse(out, text, err);
    if (st != GM_EFORMAT)
        return st;
    gm_buf_init(&mended, 3 * text.n + 16);
    st = mend(text, &mended, err);
    if (st == GM_OK)
        st = gm_json_parse(out, gm_buf_str(&mended), err);
    gm_buf_clear(&mended);
    return st;
}
