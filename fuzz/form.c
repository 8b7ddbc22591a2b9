/* What a client may send as a form or as the query of an address. The bytes up to the first line end are the
 * query; behind it stands a form whose boundary is "XX". */
#include "fuzz.h"

#include "base/utf8.h"
#include "serve/multipart.h"
#include "serve/query.h"

#include <string.h>

static bool is_within(struct gm_str part, struct gm_str whole)
{
    return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void read_form(struct gm_str type, struct gm_str body, struct gm_arena *a)
{
    struct gm_form_part *parts;
    struct gm_error err = {0};
    size_t n;
    if (gm_multipart_parse(&parts, &n, type, body, 16, a, &err) != GM_OK) {
        if (!err.msg[0])
            abort();
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (!is_within(parts[i].body, body) || !gm_utf8_is_valid(parts[i].name) || n > 16)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_arena a;
    static struct gm_query q;
    struct gm_str head, body;
    struct gm_error err = {0};
    gm_arena_init(&a, 0);
    gm_str_cut((struct gm_str){(const char *)data, size}, '\n', &head, &body);
    if (gm_query_parse(&q, head, &a, &err) == GM_OK) {
        for (size_t i = 0; i < q.n; i++)
            if (!gm_utf8_is_valid(q.params[i].value) ||
                memchr(q.params[i].value.p, 0, q.params[i].value.n))
                abort();
    } else if (!err.msg[0]) {
        abort();
    }
    read_form(GM_STR("multipart/form-data; boundary=XX"), body, &a);
    read_form(head, body, &a); /* a Content-Type of their own */
    gm_arena_clear(&a);
    fuzz_end();
    return 0;
}
