#include "serve/page_request.h"

#include "base/log.h"
#include "base/utf8.h"

#include <stdio.h>

enum { VALID_MAX = 1 << 30 };

static enum gm_status check_members(const struct gm_json *j, const char *const *names,
                                    struct gm_error *err)
{
    for (void *it = gm_json_first(j); names && it; it = gm_json_next(j, it))
        if (!gm_str_is_one_of(gm_json_key(it), names))
            return GM_FAIL(err, GM_EFORMAT, "there is no member \"%.*s\"",
                           GM_STR_ARG(gm_json_key(it)));
    return GM_OK;
}

static enum gm_status parse(struct gm_json **out, struct gm_str text, const char *const *names,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf valid;
    gm_buf_init(&valid, VALID_MAX);
    GM_TRY(gm_utf8_repair(text, &valid, err));
    GM_TRY(gm_json_parse_lenient(out, gm_buf_str(&valid), err));
    st = gm_json_kind(*out) == GM_JSON_OBJECT
             ? check_members(*out, names, err)
             : GM_FAIL(err, GM_EFORMAT, "expected an object, found %s",
                       gm_json_kind_name(gm_json_kind(*out)));
done:
    gm_buf_clear(&valid);
    return st;
}

struct gm_json *gm_page_body(const struct gm_server *s, struct gm_call *call,
                             const char *const *names)
{
    char detail[160];
    struct gm_error e = {0};
    struct gm_json *j = NULL;
    if (call->is_too_long) {
        snprintf(detail, sizeof detail, "the body may have %zu bytes", s->opts->max_body_bytes);
        gm_problem_answer(call, GM_PROBLEM_TOO_LARGE, detail, NULL);
    } else if (!call->is_json) {
        gm_problem_answer(call, GM_PROBLEM_MEDIA_TYPE, "send application/json", NULL);
    } else if (parse(&j, gm_buf_str(&call->body), names, &e) != GM_OK) {
        gm_problem_answer(call, GM_PROBLEM_BAD_REQUEST, e.msg, NULL);
        gm_json_free(j);
        j = NULL;
    }
    return j;
}

bool gm_page_query(struct gm_query *out, struct gm_call *call, const char *const *names)
{
    struct gm_error e = {0};
    if (gm_query_parse(out, call->query, &call->arena, &e) != GM_OK) {
        gm_problem_answer(call, GM_PROBLEM_BAD_REQUEST, e.msg, NULL);
        return false;
    }
    for (size_t i = 0; i < out->n; i++)
        if (!gm_str_is_one_of(out->params[i].name, names)) {
            GM_FAIL(&e, GM_EARG, "there is no parameter \"%.*s\"", GM_STR_ARG(out->params[i].name));
            gm_problem_answer(call, GM_PROBLEM_BAD_REQUEST, e.msg, NULL);
            return false;
        }
    return true;
}

bool gm_query_number(const struct gm_query *q, const char *name, long long none, long long max,
                     long long *out)
{
    struct gm_str v = gm_query_get(q, name);
    *out = none;
    return !v.p || (gm_str_to_int(v, out) && *out >= 0 && *out <= max);
}

void gm_page_answer(struct gm_call *call, enum gm_status st, const char *type, struct gm_buf *body,
                    const struct gm_error *err)
{
    if (st == GM_OK) {
        gm_call_answer(call, 200, type, body);
        return;
    }
    gm_buf_clear(body);
    if (st == GM_EFORMAT || st == GM_EARG) {
        gm_problem_answer(call, st == GM_EARG ? GM_PROBLEM_BAD_REQUEST : GM_PROBLEM_POST, err->msg,
                          NULL);
        return;
    }
    if (st == GM_ECANCEL || st == GM_EAGAIN) {
        gm_problem_answer(call, st == GM_EAGAIN ? GM_PROBLEM_TIMEOUT : GM_PROBLEM_UNAVAILABLE,
                          st == GM_EAGAIN ? "it took longer than the server allows"
                                          : "the server has stopped before it was done",
                          NULL);
        return;
    }
    GM_LOG(GM_LOG_WARN, "serve", "%s", err->msg);
    gm_problem_answer(call, st == GM_ENOMEM ? GM_PROBLEM_BUSY : GM_PROBLEM_INTERNAL,
                      "the server could not do it; its log says why", NULL);
}
