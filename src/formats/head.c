#include "formats/head.h"

#include "base/json_scan.h"

#include <stdint.h>
#include <string.h>

struct gm_head gm_head_of(struct gm_str text)
{
    struct gm_head h = {.text = text, .at = gm_scan_space(text, 0), .object = SIZE_MAX};
    size_t end = h.at, i = h.at;
    while (end < text.n && text.p[end] != '\n')
        end++;
    h.line = gm_str_sub(text, h.at, end);
    h.is_array = i < text.n && text.p[i] == '[';
    h.is_json = h.is_array || (i < text.n && text.p[i] == '{');
    if (h.is_array)
        i = gm_scan_space(text, i + 1);
    if (i < text.n && text.p[i] == '{')
        h.object = i;
    return h;
}

bool gm_head_key(const struct gm_head *h, size_t *at, struct gm_str *key)
{
    size_t i = *at;
    if (h->object == SIZE_MAX)
        return false;
    if (i == 0)
        i = h->object;
    else if (gm_scan_skip(h->text, &i) != GM_SCAN_AT_SIGN || h->text.p[i] != ',')
        return false;
    i = gm_scan_space(h->text, i + 1);
    if (!gm_scan_key(h->text, &i, key))
        return false;
    *at = i;
    return true;
}

size_t gm_head_keys(const struct gm_head *h, const char *const *names, const char *signs)
{
    size_t n = 0, at = 0;
    struct gm_str key;
    while (gm_head_key(h, &at, &key)) {
        char sign = at < h->text.n ? h->text.p[at] : 0;
        n += gm_str_is_one_of(key, names) && (!signs || (sign && strchr(signs, sign)));
    }
    return n;
}

bool gm_head_is_post(const struct gm_head *h)
{
    static const char *const post[] = {"text", "tokens", NULL};
    return gm_head_keys(h, post, "\"[") > 0;
}

bool gm_head_spans_lines(const struct gm_head *h)
{
    const struct gm_str s = h->text;
    size_t depth = 0;
    char last = 0; /* sign before c, white space aside */
    for (size_t i = h->object; i < s.n; i++) {
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
