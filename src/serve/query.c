#include "serve/query.h"

#include "base/utf8.h"

#include <string.h>

static int hex(char c)
{
    char lower = (char)(c | 32);
    return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static enum gm_status unescape(struct gm_str *out, struct gm_str s, struct gm_arena *a,
                               struct gm_error *err)
{
    char *to = gm_arena_alloc(a, s.n + 1, 1);
    size_t n = 0;
    if (!to)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (i + 2 >= s.n || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
                return GM_FAIL(err, GM_EFORMAT,
                               "the query has a %% that begins no escape such as %%20");
            c = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        to[n++] = c;
    }
    *out = (struct gm_str){to, n};
    if (!gm_utf8_is_valid(*out) || memchr(to, 0, n))
        return GM_FAIL(err, GM_EFORMAT, "the query holds bytes that are no text of UTF-8");
    return GM_OK;
}

enum gm_status gm_query_parse(struct gm_query *out, struct gm_str query, struct gm_arena *a,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str pair, name, value;
    out->n = 0;
    while (query.n) {
        gm_str_cut(query, '&', &pair, &query);
        if (!pair.n)
            continue;
        if (out->n == GM_QUERY_MAX)
            return GM_FAIL(err, GM_EFORMAT, "the query has over %d parameters", GM_QUERY_MAX);
        struct gm_query_param *p = &out->params[out->n];
        gm_str_cut(pair, '=', &name, &value);
        GM_TRY(unescape(&p->name, name, a, err));
        GM_TRY(unescape(&p->value, value, a, err));
        for (size_t i = 0; i < out->n; i++)
            if (gm_str_eq(out->params[i].name, p->name))
                return GM_FAIL(err, GM_EFORMAT, "the query's parameter \"%.*s\" comes twice",
                               GM_STR_ARG(p->name));
        out->n++;
    }
done:
    return st;
}

struct gm_str gm_query_get(const struct gm_query *q, const char *name)
{
    for (size_t i = 0; i < q->n; i++)
        if (gm_str_eq_c(q->params[i].name, name))
            return q->params[i].value;
    return (struct gm_str){NULL, 0};
}
