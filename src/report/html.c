/* html.c - see html.h. */
#include "report/html.h"

static const char *escaped(unsigned char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    case '\t':
    case '\n': return NULL;
    default: return c < 0x20 || c == 0x7f ? "\xef\xbf\xbd" : NULL;
    }
}

enum gm_status gm_html_text(struct gm_buf *out, struct gm_str s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *text = escaped((unsigned char)s.p[i]);
        if (!text)
            continue;
        GM_TRY(gm_buf_add(out, s.p + from, i - from, err));
        GM_TRY(gm_buf_add_c(out, text, err));
        from = i + 1;
    }
    if (from < s.n)
        GM_TRY(gm_buf_add(out, s.p + from, s.n - from, err));
done:
    return st;
}

enum gm_status gm_html_color(struct gm_buf *out, struct gm_color c, struct gm_error *err)
{
    return gm_buf_printf(out, err, " style=\"--c:%d,%d,%d\"", c.r, c.g, c.b);
}

enum gm_status gm_html_base64(struct gm_buf *out, struct gm_str bytes, struct gm_error *err)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes.p;
    enum gm_status st = gm_buf_reserve(out, bytes.n / 3 * 4 + 4, err);
    char *to = out->p + out->n;
    if (st != GM_OK)
        return st;
    for (size_t i = 0; i < bytes.n; i += 3, to += 4) {
        size_t left = bytes.n - i;
        unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0u);
        to[0] = digit[v >> 18];
        to[1] = digit[v >> 12 & 63];
        to[2] = left > 1 ? digit[v >> 6 & 63] : '=';
        to[3] = left > 2 ? digit[v & 63] : '=';
    }
    out->n = (size_t)(to - out->p);
    out->p[out->n] = 0;
    return GM_OK;
}
