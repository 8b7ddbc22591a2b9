/* problem.h - errors as RFC 9457 has them: application/problem+json. */
#ifndef GM_SERVE_PROBLEM_H
#define GM_SERVE_PROBLEM_H

#include "serve/httpd.h"

/* What went wrong, by name: the last part of the problem's type, which stays the same from version to
 * version. */
enum gm_problem {
    GM_PROBLEM_BAD_REQUEST,
    GM_PROBLEM_UNAUTHORIZED,
    GM_PROBLEM_FORBIDDEN_HOST,
    GM_PROBLEM_FORBIDDEN_ORIGIN,
    GM_PROBLEM_NOT_FOUND,
    GM_PROBLEM_METHOD,
    GM_PROBLEM_CONFLICT,
    GM_PROBLEM_TOO_LARGE,
    GM_PROBLEM_TOO_MANY_POSTS,
    GM_PROBLEM_MEDIA_TYPE,
    GM_PROBLEM_POST,
    GM_PROBLEM_QUEUE_FULL,
    GM_PROBLEM_HEADERS,
    GM_PROBLEM_INTERNAL,
    GM_PROBLEM_BACKEND,
    GM_PROBLEM_UNAVAILABLE,
    GM_PROBLEM_TIMEOUT,
    GM_PROBLEM_BUSY,
    GM_N_PROBLEMS
};

/* gm_problem_status - its HTTP status. */
int gm_problem_status(enum gm_problem p);

/* gm_problem_answer - answer a call with it; `detail` is a sentence for whoever sent the request, and holds
 * nothing of the server's inside. `more`: further members as JSON text, ", \"post\": {…}"; NULL = none. */
void gm_problem_answer(struct gm_call *call, enum gm_problem p, const char *detail,
                       const struct gm_buf *more);
/* gm_problem_write - append the document, which is valid UTF-8 whatever `detail` holds: ill-formed bytes of it
 * become '?', and it ends at GM_ERROR_MAX bytes. Errors: NOMEM. */
enum gm_status gm_problem_write(struct gm_buf *out, enum gm_problem p, const char *detail,
                                const struct gm_buf *more, struct gm_error *err) GM_NODISCARD;

#endif
