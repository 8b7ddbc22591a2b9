#include "base/status.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* Messages quote file content and paths, and are cut at a fixed size: what is no well-formed UTF-8
 * becomes '?', so that a message can go into JSON; control characters become spaces. */
static void one_line(char *s)
{
    struct gm_str all = gm_str(s);
    for (size_t i = 0; i < all.n;) {
        size_t at = i;
        uint32_t cp = gm_utf8_next(all, &i);
        if (cp == 0xFFFD && !gm_str_eq_c(gm_str_sub(all, at, i), "\xEF\xBF\xBD"))
            memset(s + at, '?', i - at);
        else if (cp < 0x20 || cp == 0x7f)
            s[at] = ' ';
    }
}

enum gm_status gm_error_set(struct gm_error *err, enum gm_status code, const char *src_file,
                            int src_line, const char *fmt, ...)
{
    if (!err)
        return code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    one_line(err->msg);
    err->code = code;
    err->src_file = src_file;
    err->src_line = src_line;
    return code;
}

enum gm_status gm_error_prefix(struct gm_error *err, const char *fmt, ...)
{
    if (!err)
        return GM_OK;
    char joined[GM_ERROR_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(joined, sizeof joined, fmt, ap);
    va_end(ap);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof joined ? (size_t)n : sizeof joined - 1;
    snprintf(joined + used, sizeof joined - used, ": %s", err->msg);
    one_line(joined);
    memcpy(err->msg, joined, sizeof joined);
    return err->code;
}

const char *gm_status_name(enum gm_status st)
{
    static const char *const names[] = {
        [GM_OK] = "ok",       [GM_ENOMEM] = "nomem", [GM_EIO] = "io",       [GM_EFORMAT] = "format",
        [GM_EARG] = "arg",    [GM_ESHAPE] = "shape", [GM_ENET] = "net",     [GM_EAGAIN] = "again",
        [GM_EMODEL] = "model", [GM_ECANCEL] = "cancel",
    };
    return (size_t)st < sizeof names / sizeof *names ? names[st] : "unknown";
}
