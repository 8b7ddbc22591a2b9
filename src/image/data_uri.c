#include "image/data_uri.h"

#include "base/base64.h"

bool gm_data_uri_is(struct gm_str s) { return gm_str_starts(s, GM_STR("data:")); }

static int hex(char c)
{
    char lower = (char)(c | 32);
    return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Without the escapes (% that begins none stays), and of base64 without white space. */
static enum gm_status unescape(struct gm_buf *out, struct gm_str s, bool is_base64,
                               struct gm_error *err)
{
    enum gm_status st = gm_buf_reserve(out, s.n, err);
    for (size_t i = 0; i < s.n && st == GM_OK; i++) {
        bool is_escape =
            s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0;
        int code = is_escape ? hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]) : s.p[i];
        char c = (char)code;
        i += is_escape ? 2 : 0;
        if (!is_base64 || (c != ' ' && (c < '\t' || c > '\r')))
            st = gm_buf_add(out, &c, 1, err);
    }
    return st;
}

enum gm_status gm_data_uri_read(struct gm_buf *out, struct gm_str uri, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_str head, data, bytes;
    struct gm_buf text;
    if (!gm_data_uri_is(uri) || !gm_str_cut(uri, ',', &head, &data))
        return GM_FAIL(err, GM_EFORMAT, "no comma before the data");
    if (!gm_str_ends(head, GM_STR(";base64")))
        return unescape(out, data, false, err);
    gm_arena_init(&a, 0);
    gm_buf_init(&text, SIZE_MAX - 1);
    GM_TRY(unescape(&text, data, true, err));
    while (text.n % 4)
        GM_TRY(gm_buf_add(&text, "=", 1, err));
    GM_TRY(gm_base64_read(&bytes, gm_buf_str(&text), &a, err));
    GM_TRY(gm_buf_add_str(out, bytes, err));
done:
    gm_buf_clear(&text);
    gm_arena_clear(&a);
    return st;
}
