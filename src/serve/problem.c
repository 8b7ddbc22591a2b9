#include "serve/problem.h"

#include "base/json.h"

static const struct {
    int status;
    const char *name, *title;
} problems[GM_N_PROBLEMS] = {
    [GM_PROBLEM_BAD_REQUEST] = {400, "bad-request", "The request is not what it should be"},
    [GM_PROBLEM_UNAUTHORIZED] = {401, "unauthorized", "A token is needed"},
    [GM_PROBLEM_FORBIDDEN_HOST] = {403, "forbidden-host", "The server does not go by this name"},
    [GM_PROBLEM_FORBIDDEN_ORIGIN] = {403, "forbidden-origin", "Pages of other sites may not ask"},
    [GM_PROBLEM_NOT_FOUND] = {404, "not-found", "There is nothing here"},
    [GM_PROBLEM_METHOD] = {405, "method-not-allowed", "This can't be done here"},
    [GM_PROBLEM_CONFLICT] = {409, "conflict", "Somebody else was first"},
    [GM_PROBLEM_TOO_LARGE] = {413, "too-large", "The body is too large"},
    [GM_PROBLEM_TOO_MANY_POSTS] = {413, "too-many-posts", "Too many posts"},
    [GM_PROBLEM_MEDIA_TYPE] = {415, "media-type", "A body of this type is not read"},
    [GM_PROBLEM_POST] = {422, "post", "The post could not be done"},
    [GM_PROBLEM_QUEUE_FULL] = {429, "queue-full", "Too many posts are waiting"},
    [GM_PROBLEM_HEADERS] = {431, "headers-too-large", "The headers are too large"},
    [GM_PROBLEM_INTERNAL] = {500, "internal", "The server failed"},
    [GM_PROBLEM_BACKEND] = {502, "backend", "A model or server behind this one failed"},
    [GM_PROBLEM_UNAVAILABLE] = {503, "stopping", "The server is stopping"},
    [GM_PROBLEM_TIMEOUT] = {504, "timeout", "It took too long"},
    [GM_PROBLEM_BUSY] = {503, "busy", "The server has no memory to spare at the moment"},
};

int gm_problem_status(enum gm_problem p) { return problems[p].status; }

enum gm_status gm_problem_write(struct gm_buf *out, enum gm_problem p, const char *detail,
                                const struct gm_buf *more, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_error clean; /* what was cut within a character, or came so, is made valid UTF-8 */
    (void)gm_error_set(&clean, GM_EFORMAT, __FILE__, __LINE__, "%s", detail);
    GM_TRY(gm_buf_printf(out, err,
                         "{\"type\": \"urn:gmner:problem:%s\", \"title\": \"%s\", \"status\": %d, "
                         "\"detail\": ",
                         problems[p].name, problems[p].title, problems[p].status));
    GM_TRY(gm_json_write_str(gm_str(clean.msg), out, err));
    if (more)
        GM_TRY(gm_buf_add_str(out, gm_buf_str(more), err));
    GM_TRY(gm_buf_add_c(out, "}", err));
done:
    return st;
}

void gm_problem_answer(struct gm_call *call, enum gm_problem p, const char *detail,
                       const struct gm_buf *more)
{
    struct gm_buf body;
    gm_buf_init(&body, (size_t)1 << 28);
    if (gm_problem_write(&body, p, detail, more, NULL) != GM_OK)
        gm_buf_clear(&body); /* the status alone says what it is */
    if (p == GM_PROBLEM_UNAUTHORIZED)
        gm_call_set_header(call, "WWW-Authenticate", "Bearer");
    if (problems[p].status == 429 || problems[p].status == 503)
        gm_call_set_header(call, "Retry-After", "1");
    gm_call_answer(call, problems[p].status, "application/problem+json", &body);
}
