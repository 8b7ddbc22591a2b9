/* query.h - the parameters of a URL: name=value&name=value, as application/x-www-form-urlencoded
 * (WHATWG URL, 5.1), strictly. */
#ifndef GM_SERVE_QUERY_H
#define GM_SERVE_QUERY_H

#include "base/arena.h"

enum { GM_QUERY_MAX = 64 };

struct gm_query_param {
    struct gm_str name, value; /* unescaped, valid UTF-8, without NUL */
};

struct gm_query {
    struct gm_query_param params[GM_QUERY_MAX];
    size_t n;
};

/* gm_query_parse - texts live in the arena. Errors: FORMAT (a % that begins no escape, text that is not UTF-8,
 * a name that comes twice, too many), NOMEM. */
enum gm_status gm_query_parse(struct gm_query *out, struct gm_str query, struct gm_arena *a,
                              struct gm_error *err) GM_NODISCARD;

/* gm_query_get - the value of a parameter; .p is NULL where there is none. */
struct gm_str gm_query_get(const struct gm_query *q, const char *name);

#endif
