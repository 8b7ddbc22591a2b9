/* Versions and errors of the public API. */
#include "api/api_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *gmner_version(void) { return GM_VERSION; }

static const enum gmner_status numbers[] = {
    [GM_OK] = GMNER_OK,           [GM_ENOMEM] = GMNER_ENOMEM, [GM_EIO] = GMNER_EIO,
    [GM_EFORMAT] = GMNER_EFORMAT, [GM_EARG] = GMNER_EARG,     [GM_ESHAPE] = GMNER_ESHAPE,
    [GM_ENET] = GMNER_ENET,       [GM_EAGAIN] = GMNER_ETIME,  [GM_EMODEL] = GMNER_EMODEL,
    [GM_ECANCEL] = GMNER_ECANCEL,
};

const char *gmner_status_name(int status)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if ((int)numbers[i] == status)
            return gm_status_name((enum gm_status)i);
    return status == GMNER_EBUSY ? "busy" : status == GMNER_ECLOSED ? "closed" : "unknown";
}

int gm_api_done(enum gm_status st, const struct gm_error *e, struct gmner_error *error)
{
    _Static_assert(sizeof error->message == sizeof e->msg, "a message fits");
    if (error) {
        error->status = (int)numbers[st];
        memcpy(error->message, st == GM_OK ? "" : e->msg, st == GM_OK ? 1 : sizeof e->msg);
    }
    return (int)numbers[st];
}

int gm_api_fail(struct gmner_error *error, enum gmner_status status, const char *fmt, ...)
{
    va_list ap;
    if (error) {
        error->status = (int)status;
        va_start(ap, fmt);
        vsnprintf(error->message, sizeof error->message, fmt, ap);
        va_end(ap);
    }
    return (int)status;
}

enum gm_status gm_api_copy(void *ours, size_t size, const void *theirs, const char *what,
                           struct gm_error *err)
{
    size_t given;
    memset(ours, 0, size);
    if (!theirs)
        return GM_FAIL(err, GM_EARG, "%s is NULL", what);
    memcpy(&given, theirs, sizeof given);
    if (given < 2 * sizeof given || given > (size_t)1 << 16)
        return GM_FAIL(err, GM_EARG, "%s: struct_size is %zu; set it to sizeof(struct %s)", what,
                       given, what);
    for (size_t i = size; i < given; i++)
        if (((const char *)theirs)[i])
            return GM_FAIL(err, GM_EARG,
                           "%s: a member is set that this library, version %s, does not know", what,
                           GM_VERSION);
    memcpy(ours, theirs, given < size ? given : size);
    return GM_OK;
}
