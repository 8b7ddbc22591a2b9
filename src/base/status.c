#include "base/status.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum gm_status gm_error_set(struct gm_error *err, enum gm_status code, const char *src_file,
                            int src_line, const char *fmt, ...)
{
    if (!err)
        return code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    gm_utf8_one_line(err->msg);
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
    gm_utf8_one_line(joined);
    memcpy(err->msg, joined, sizeof joined);
    return err->code;
}

const char *gm_status_name(enum gm_status st)
{
    static const char *const names[] = {
        [GM_OK] = "ok",        [GM_ENOMEM] = "nomem",   [GM_EIO] = "io",   [GM_EFORMAT] = "format",
        [GM_EARG] = "arg",     [GM_ESHAPE] = "shape",   [GM_ENET] = "net", [GM_EAGAIN] = "again",
        [GM_EMODEL] = "model", [GM_ECANCEL] = "cancel",
    };
    return (size_t)st < sizeof names / sizeof *names ? names[st] : "unknown";
}
