/* status.h - the one way this program reports errors.
 *
 * A fallible function returns enum gm_status and takes `struct gm_error *err` last (NULL allowed).
 * GM_FAIL fills it once, where the fault is seen; callers pass it on unchanged with GM_TRY, which
 * needs a local `enum gm_status st` and a label `done`. A parameter and not a thread-local, because
 * one thread may have hundreds of requests open, each with an error of its own.
 */
#ifndef GM_BASE_STATUS_H
#define GM_BASE_STATUS_H

#include <stdarg.h>

enum gm_status {
    GM_OK = 0,
    GM_ENOMEM,  /* out of memory, or a size that overflows */
    GM_EIO,     /* the operating system refused: missing file, full disk */
    GM_EFORMAT, /* a file or message that is not what it should be */
    GM_EARG,    /* the caller (or the user) asked for something impossible */
    GM_ESHAPE,  /* tensors that do not fit each other */
    GM_ENET,    /* the network or a server */
    GM_EAGAIN,  /* try later */
    GM_EMODEL,  /* a model that is missing or broken */
    GM_ECANCEL  /* stopped on request */
};

#define GM_ERROR_MAX 1024

struct gm_error {
    enum gm_status code;
    const char *src_file; /* where in our source the fault was seen */
    int src_line;
    char msg[GM_ERROR_MAX]; /* one line: what, where, how to mend */
};

#define GM_NODISCARD __attribute__((warn_unused_result))
#define GM_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* GM_FAIL(err, code, fmt, ...) - fill `err` (when not NULL) and evaluate to `code`. */
#define GM_FAIL(err, code, ...) gm_error_set((err), (code), __FILE__, __LINE__, __VA_ARGS__)

/* GM_TRY(call) - leave through `done` with the call's status when it is not GM_OK. */
#define GM_TRY(call)     \
    do {                 \
        st = (call);     \
        if (st != GM_OK) \
            goto done;   \
    } while (0)

/* gm_error_set - what GM_FAIL calls. The message is cut at GM_ERROR_MAX; control characters become
 * spaces and bytes that are not UTF-8 '?', so that a message stays one line that JSON can hold,
 * whatever a file's content was. Returns `code`. */
enum gm_status gm_error_set(struct gm_error *err, enum gm_status code, const char *src_file,
                            int src_line, const char *fmt, ...) GM_PRINTF(5, 6);

/* gm_error_prefix - put "prefix: " before the message, for a caller that knows more of the place
 * (a file name, a line number). NULL err is allowed. Returns err's code (GM_OK for NULL). */
enum gm_status gm_error_prefix(struct gm_error *err, const char *fmt, ...) GM_PRINTF(2, 3);

/* gm_status_name - a short lower-case name ("format", "io"), used as `error.code` in records. */
const char *gm_status_name(enum gm_status st);

#endif
