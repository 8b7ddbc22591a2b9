/* What each outcome of an HTTP request means: an answer, another try, a rest for everybody, the end.
 * On the client's thread, under the lock. */
#include "base/host.h"
#include "base/progress.h"
#include "llm/llm_internal.h"
#include "llm/server_error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The wait before try number `tries` + 1: doubling, between half and all of it by chance. */
static double backoff(struct gm_llm *llm, size_t tries)
{
    double s = llm->opts.backoff_s * pow(2, (double)(tries > 20 ? 20 : tries - (tries > 0)));
    if (s > llm->opts.backoff_max_s)
        s = llm->opts.backoff_max_s;
    return s * (0.5 + 0.5 * gm_rng_uniform(&llm->rng));
}

/* A try failed: again after `wait_s`, or the end. counts = it uses up one of the tries. */
static void try_again(struct gm_llm *llm, struct gm_ask *a, bool counts, double wait_s,
                      const char *why)
{
    char text[1000];
    double at = gm_clock_s() + wait_s;
    a->tries += counts;
    if (a->tries >= llm->opts.max_tries) {
        snprintf(text, sizeof text, "gave up after %zu tries; the last: %s", a->tries, why);
        gm_ask_fail(llm, a, GM_ENET, text);
    } else if (at - a->first_at > llm->opts.deadline_s) {
        snprintf(text, sizeof text, "no answer within the deadline of %g s; the last try: %s",
                 llm->opts.deadline_s, why);
        gm_ask_fail(llm, a, GM_ENET, text);
    } else {
        llm->stats.retries++;
        llm->stats.retried_tokens += a->est_prompt;
        gm_ask_again(llm, a, at);
    }
}

/* answers = it sent a reply, if a bad one: then it is not down. */
static void server_failed(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                          bool answers, const char *why)
{
    char text[700];
    ep->answers = answers;
    snprintf(text, sizeof text, "%s: %s", ep->name, why);
    bool was_healthy = gm_endpoint_failed(ep, &llm->breaker, gm_clock_s(), why);
    try_again(llm, a, was_healthy, backoff(llm, a->tries + 1), text);
}

static void on_fault(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                     const struct gm_http_done *d)
{
    char text[400];
    if (d->sent && (d->fault != GM_HTTP_CONNECT && d->fault != GM_HTTP_TLS))
        llm->stats.cost += gm_ask_bound(llm, a); /* the server may have done it, and bill it */
    if (d->fault == GM_HTTP_DROPPED) { /* not the endpoint's fault, and only after a stop */
        gm_ask_stopped(llm, a);
        return;
    }
    if (d->fault == GM_HTTP_TLS && ep->n_ok == 0) {
        snprintf(text, sizeof text, "%s: %s; SSL_CERT_FILE names other certificates to trust",
                 ep->name, d->what);
        gm_asks_stop(llm, GM_ENET, text);
        gm_ask_stopped(llm, a);
        return;
    }
    server_failed(llm, a, ep, false, d->what);
}

/* What no other request will mend ends the run, with the server's own words. */
static void stop_run(struct gm_llm *llm, struct gm_ask *a, const char *text)
{
    gm_asks_stop(llm, GM_EARG, text);
    gm_ask_stopped(llm, a);
}

/* Said when it is more than what was said before: a server with a limit a minute asks for a wait a minute. */
static void tell_wait(struct gm_llm *llm, struct gm_endpoint *ep, double wait_s)
{
    if (wait_s < 5 || wait_s < 2 * ep->told_s)
        return;
    ep->told_s = wait_s;
    gm_client_warn(llm, "%s asks to wait %.0f s: %.300s", ep->name, wait_s, ep->why);
}

/* A wait that the server asks for: until the first of the group's servers may be asked, this one or another. */
static double wait_asked_for(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                             double now, double was)
{
    const struct gm_server_group *g = &llm->groups[a->group];
    double until = gm_endpoint_next(g->ep, g->n_ep, now);
    gm_asks_wait(llm, a->group, until - was);
    a->first_at += until - now;
    tell_wait(llm, ep, ep->cool_until - now);
    return until - now;
}

/* 429, or another status with Retry-After. */
static void on_busy(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                    const struct gm_server_error *e, double retry_after_s)
{
    char text[700];
    double now = gm_clock_s();
    const struct gm_server_group *g = &llm->groups[a->group];
    double was = gm_endpoint_next(g->ep, g->n_ep, now);
    bool asks = retry_after_s > 0;
    double wait_s = asks ? retry_after_s : backoff(llm, a->tries + 1);
    bool counts = gm_endpoint_cool(ep, a->sent_at, now, wait_s);
    int n = snprintf(text, sizeof text, "%s: status %d: %.400s", ep->name, e->status, e->text);
    if (asks && n > 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, " (asks to wait %.3g s)", wait_s);
    if (asks) {
        snprintf(ep->why, sizeof ep->why, "status %d: %.300s", e->status, e->text);
        wait_s = wait_asked_for(llm, a, ep, now, was);
    }
    /* Jitter, or all would start in the same instant; the endpoint's own cool-down does the rest.
     */
    try_again(llm, a, counts, wait_s + 0.1 * gm_rng_uniform(&llm->rng), text);
}

static const char *param_name(unsigned p)
{
    switch (p) {
    case GM_LLM_P_SCHEMA: return "response_format";
    case GM_LLM_P_LOGPROBS: return "logprobs";
    case GM_LLM_P_TEMPERATURE: return "temperature";
    case GM_LLM_P_TOP_P: return "top_p";
    case GM_LLM_P_SEED: return "seed";
    case GM_LLM_P_MAX_TOKENS: return "max_tokens (max_completion_tokens in its place)";
    default: return "max_completion_tokens";
    }
}

/* Whether the server refused a parameter that the request can go without; it is sent again then.
 * What counts is what THIS request was sent with: others of the same moment are refused, too, after
 * the first refusal has been understood. */
static bool goes_without(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                         const struct gm_server_error *e)
{
    unsigned p = gm_server_error_param(e, a->sent);
    if (!p)
        return false;
    if (!(ep->refused & p))
        gm_client_warn(llm, "%s does without %s: %.300s", ep->name, param_name(p), e->text);
    ep->refused |= p;
    gm_ask_again(llm, a, gm_clock_s());
    return true;
}

/* Statuses that no repetition mends. */
static void on_refusal(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                       const struct gm_server_error *e)
{
    char text[1200];
    int s = e->status;
    const char *more = "", *file = "";
    bool redirect = s >= 300 && s < 400, missing = s == 404 || s == 405;
    if (s == 401 || s == 403)
        more = ep->key ? "; if the key is refused, set OPENAI_API_KEY to the right one"
               : ep < llm->groups[0].ep + llm->groups[0].n_ep
                   ? "; set OPENAI_API_KEY"
                   : "; give its key in a line \"URL KEY\" of ";
    else if (redirect)
        more = "; a redirect, which is not followed: give the address itself";
    if ((s == 401 || s == 403) && !ep->key && ep >= llm->groups[0].ep + llm->groups[0].n_ep)
        file = gm_option("--key-file");
    int n =
        snprintf(text, sizeof text, "%s: status %d: %.600s%s%s", ep->name, s, e->text, more, file);
    if (missing && ep->n_ok == 0 && n > 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, "; asked was %s%s",
                 gm_http_target_address(ep->target),
                 strstr(gm_http_target_address(ep->target), "/v1/")
                     ? ""
                     : "; most servers want an endpoint that ends in /v1");
    if (s == 401 || s == 403 || (ep->n_ok == 0 && (missing || s == 500 || redirect)))
        stop_run(llm, a, text);
    else
        gm_ask_fail(llm, a, GM_EARG, text);
}

static bool is_retried(const struct gm_server_error *e)
{
    int s = e->status;
    /* llama.cpp says 500 where it means 400: a picture for a model without eyes. */
    if (s == 500 && strstr(e->text, "input is not supported"))
        return false;
    return s == 408 || s == 409 || s == 425 || s == 429 || s >= 500;
}

/* An error, with its own status or within a 200. */
static void on_error(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                     const struct gm_server_error *e, double retry_after_s)
{
    char text[600];
    snprintf(text, sizeof text, "%s: status %d: %.400s", ep->name, e->status, e->text);
    if ((gm_server_error_is_quota(e) && retry_after_s <= 0) || gm_server_error_is_model(e)) {
        stop_run(llm, a, text);
    } else if (a->can_do_without_pictures && gm_server_error_is_pictures(e)) {
        a->reply.no_pictures = true;
        gm_ask_fail(llm, a, GM_EARG, text);
    } else if ((a->reply.most_pictures = gm_server_error_most_pictures(e))) {
        gm_ask_fail(llm, a, GM_EARG, text);
    } else if (goes_without(llm, a, ep, e)) {
        return;
    } else if (e->status == 429 || (is_retried(e) && retry_after_s > 0)) {
        on_busy(llm, a, ep, e, retry_after_s);
    } else if (is_retried(e)) {
        snprintf(text, sizeof text, "status %d: %.400s", e->status, e->text);
        server_failed(llm, a, ep, true, text);
    } else {
        on_refusal(llm, a, ep, e);
    }
}

static void on_success(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                       struct gm_http_done *d)
{
    struct gm_llm_answer answer;
    struct gm_server_error e;
    struct gm_error err = {0};
    char text[600];
    if (gm_llm_read_answer(&answer, gm_buf_str(&d->body), &err) == GM_OK) {
        gm_endpoint_ok(ep, &llm->breaker);
        gm_answer_take(llm, a, &answer, gm_buf_str(&d->body));
        gm_json_free(answer.envelope);
        return;
    }
    gm_server_error_read(&e, d->status, gm_buf_str(&d->body), &llm->secrets);
    if (e.is_error) {
        on_error(llm, a, ep, &e, d->retry_after_s);
        return;
    }
    llm->stats.cost += gm_ask_bound(llm, a);
    snprintf(text, sizeof text, "%s: %.200s", err.msg, e.text);
    server_failed(llm, a, ep, true, text);
}

void gm_client_done(struct gm_llm *llm, struct gm_http_done *d)
{
    struct gm_server_error e;
    struct gm_ask *a = d->user;
    struct gm_endpoint *ep = gm_ask_back(llm, a);
    if (d->fault != GM_HTTP_OK) {
        on_fault(llm, a, ep, d);
    } else if (d->status == 200) {
        on_success(llm, a, ep, d);
    } else {
        gm_server_error_read(&e, d->status, gm_buf_str(&d->body), &llm->secrets);
        on_error(llm, a, ep, &e, d->retry_after_s);
    }
    gm_buf_clear(&d->body);
}
