/* Who may ask, and for how much: everything that is known from a request's headers. */
#include "base/log.h"
#include "serve/clock.h"
#include "serve/framing.h"
#include "serve/guard.h"
#include "serve/server.h"

#include <stdio.h>
#include <string.h>

/* Nothing but our own files runs or is shown in the page, and no other site may frame it. */
static const char csp[] =
    "default-src 'self'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

void gm_gate_headers(void *server, struct gm_call *call)
{
    (void)server;
    gm_call_set_header(call, "Content-Security-Policy", csp);
    gm_call_set_header(call, "X-Content-Type-Options", "nosniff");
    gm_call_set_header(call, "Referrer-Policy", "no-referrer");
    gm_call_set_header(call, "Cross-Origin-Resource-Policy", "same-origin");
    gm_call_set_header(call, "Cross-Origin-Opener-Policy", "same-origin");
    gm_call_set_header(call, "Cache-Control", "no-cache");
}

/* Whether the request comes from where it may. */
static bool is_welcome(struct gm_server *s, struct gm_call *call)
{
    const struct gm_serve_opts *o = s->opts;
    struct gm_str host = gm_call_header(call, "Host");
    if (!gm_host_is_ours(host, o->hosts, o->n_hosts)) {
        gm_problem_answer(
            call, GM_PROBLEM_FORBIDDEN_HOST,
            "the Host header names neither an address nor localhost; a name is allowed "
            "by the server's --host",
            NULL);
        return false;
    }
    if (!gm_origin_is_same(gm_call_header(call, "Origin"), host)) {
        gm_problem_answer(call, GM_PROBLEM_FORBIDDEN_ORIGIN,
                          "the Origin header names another site than the Host header", NULL);
        return false;
    }
    return true;
}

static const struct gm_route *find_route(struct gm_call *call)
{
    const char *allow;
    const struct gm_route *r = gm_routes_find(call->method, call->path, &allow);
    if (r)
        return r;
    if (allow) {
        gm_call_set_header(call, "Allow", strcmp(allow, "GET") == 0 ? "GET, HEAD" : allow);
        gm_problem_answer(call, GM_PROBLEM_METHOD, "the Allow header says which method it takes",
                          NULL);
    } else {
        gm_problem_answer(call, GM_PROBLEM_NOT_FOUND, "/openapi.json lists what there is", NULL);
    }
    return NULL;
}

/* Whether it is clear where the request ends and whom it is for. */
static bool is_clear(struct gm_call *call)
{
    struct gm_framing framing = {0};
    gm_call_each_header(call, gm_framing_add, &framing);
    const char *fault = gm_framing_fault(&framing, call->version);
    if (!fault)
        return true;
    call->is_unclear = true;
    gm_problem_answer(call, GM_PROBLEM_BAD_REQUEST, fault, NULL);
    return false;
}

/* The body's size as announced, else the most that it may have, is set apart for it. */
static void make_room(struct gm_server *s, struct gm_call *call)
{
    char detail[160];
    long long n = 0;
    struct gm_str length = gm_call_header(call, "Content-Length");
    size_t max = s->opts->max_body_bytes;
    if (length.n && (!gm_str_to_int(length, &n) || n < 0 || (size_t)n > max)) {
        snprintf(detail, sizeof detail, "the body may have %zu bytes", max);
        gm_problem_answer(call, GM_PROBLEM_TOO_LARGE, detail, NULL);
        return;
    }
    size_t want = length.n ? (size_t)n : max;
    if (atomic_fetch_add(&s->held_bytes, want) + want > s->opts->max_held_bytes) {
        atomic_fetch_sub(&s->held_bytes, want);
        gm_problem_answer(call, GM_PROBLEM_BUSY,
                          "the bodies of other requests take all the memory there is for them",
                          NULL);
        return;
    }
    call->reserved_bytes = want;
    call->body.max = max;
}

void gm_gate_begin(void *server, struct gm_call *call)
{
    struct gm_server *s = server;
    char detail[160];
    atomic_fetch_add(&s->n_calls, 1);
    if (!is_clear(call))
        return;
    if (call->header_bytes > s->opts->max_header_bytes) {
        snprintf(detail, sizeof detail, "the headers may have %zu bytes",
                 s->opts->max_header_bytes);
        gm_problem_answer(call, GM_PROBLEM_HEADERS, detail, NULL);
        return;
    }
    if (!is_welcome(s, call))
        return;
    const struct gm_route *r = find_route(call);
    if (!r)
        return;
    call->route = r;
    if (s->token && !r->is_open && !gm_token_is(gm_call_header(call, "Authorization"), s->token)) {
        gm_problem_answer(call, GM_PROBLEM_UNAUTHORIZED,
                          "send the server's token in a header: Authorization: Bearer TOKEN", NULL);
        return;
    }
    if (r->has_body)
        make_room(s, call);
}

void gm_gate_done(void *server, const struct gm_call *call)
{
    struct gm_server *s = server;
    atomic_fetch_sub(&s->held_bytes, call->reserved_bytes);
    atomic_fetch_sub(&s->n_calls, 1);
    gm_metrics_request(&s->metrics, gm_routes_number(call->route), call->status,
                       1e-9 * (double)(gm_now_ns() - call->started_ns));
}
