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
