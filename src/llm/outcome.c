/* What each outcome of an HTTP request means: an answer, another try, a rest for everybody, the end.
 * On the client's thread, under the lock. */
#include "base/log.h"
#include "base/progress.h"
#include "llm/llm_internal.h"

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
    char text[512];
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

static void server_failed(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                          const char *why)
{
    char text[400];
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
    if (d->fault == GM_HTTP_TLS && ep->n_ok == 0) {
        snprintf(text, sizeof text, "%s: %s; SSL_CERT_FILE names other certificates to trust",
                 ep->name, d->what);
        gm_client_stop(llm, GM_ENET, text);
        gm_ask_stopped(llm, a);
        return;
    }
    server_failed(llm, a, ep, d->what);
}

/* 429, or another status with Retry-After. */
static void on_busy(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                    const struct gm_http_done *d)
{
    char text[300];
    double now = gm_clock_s();
    double wait_s = d->retry_after_s > 0 ? d->retry_after_s : backoff(llm, a->tries + 1);
    bool counts = gm_endpoint_cool(ep, a->sent_at, now, wait_s);
    snprintf(text, sizeof text, "%s: status %d, asks to wait %.3g s", ep->name, d->status, wait_s);
    /* Jitter, or all would start in the same instant; the endpoint's own cool-down does the rest.
     */
    try_again(llm, a, counts, wait_s + 0.1 * gm_rng_uniform(&llm->rng), text);
}

/* Whether the server refused an extra of the request that it can go without. */
static bool drop_extra(struct gm_ask *a, struct gm_endpoint *ep, const char *message)
{
    bool schema = strstr(message, "response_format") || strstr(message, "json_schema") ||
                  strstr(message, "grammar");
    bool logprobs = strstr(message, "logprobs") != NULL;
    if (a->tail.schema && !ep->no_schema && schema)
        return ep->no_schema = true;
    if (a->tail.logprobs && !ep->no_logprobs && logprobs)
        return ep->no_logprobs = true;
    return false;
}

/* Statuses that no repetition mends. */
static void on_refusal(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                       const struct gm_http_done *d)
{
    char message[200], text[512];
    gm_llm_server_message(gm_buf_str(&d->body), llm->key, message, sizeof message);
    if ((d->status == 400 || d->status == 422) && drop_extra(a, ep, message)) {
        GM_LOG(GM_LOG_INFO, "llm", "%s does without %s: %s", ep->name,
               strstr(message, "logprobs") ? "logprobs" : "response_format", message);
        gm_ask_again(llm, a, gm_clock_s());
        return;
    }
    bool everybody = d->status == 401 || d->status == 403 ||
                     (ep->n_ok == 0 && (d->status == 404 || d->status == 500 ||
                                        (d->status >= 300 && d->status < 400)));
    if (d->status == 401 || d->status == 403)
        snprintf(text, sizeof text, "%s: status %d, the key is refused; set OPENAI_API_KEY%s",
                 ep->name, d->status, llm->key ? " to the right one" : "");
    else if (d->status >= 300 && d->status < 400)
        snprintf(text, sizeof text,
                 "%s: status %d, a redirect, which is not followed; give the address itself",
                 ep->name, d->status);
    else
        snprintf(text, sizeof text, "%s: status %d: %s", ep->name, d->status, message);
    if (everybody) {
        gm_client_stop(llm, GM_EARG, text);
        gm_ask_stopped(llm, a);
    } else {
        gm_ask_fail(llm, a, GM_EARG, text);
    }
}

static bool is_retried(const struct gm_http_done *d)
{
    int s = d->status;
    /* llama.cpp says 500 where it means 400: a picture for a model without eyes. */
    if (s == 500 && gm_str_find(gm_buf_str(&d->body), GM_STR("input is not supported"), 0) != SIZE_MAX)
        return false;
    return s == 408 || s == 409 || s == 425 || s == 429 || s >= 500;
}

static void on_success(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                       struct gm_http_done *d)
{
    struct gm_llm_answer answer;
    struct gm_error err = {0};
    if (gm_llm_read_answer(&answer, gm_buf_str(&d->body), &err) != GM_OK) {
        llm->stats.cost += gm_ask_bound(llm, a);
        server_failed(llm, a, ep, err.msg);
        return;
    }
    gm_endpoint_ok(ep, &llm->breaker);
    gm_answer_take(llm, a, &answer, gm_buf_str(&d->body));
    gm_json_free(answer.envelope);
}

void gm_client_done(struct gm_llm *llm, struct gm_http_done *d)
{
    char text[300], message[160];
    struct gm_ask *a = d->user;
    struct gm_endpoint *ep = a->ep;
    a->ep = NULL;
    ep->in_flight--;
    llm->stats.in_flight--;
    llm->reserved -= gm_ask_bound(llm, a);
    if (llm->stats.in_flight == 0)
        llm->reserved = 0; /* no rounding left over */
    if (d->fault != GM_HTTP_OK) {
        on_fault(llm, a, ep, d);
    } else if (d->status == 429 || (is_retried(d) && d->retry_after_s > 0)) {
        on_busy(llm, a, ep, d);
    } else if (is_retried(d)) {
        gm_llm_server_message(gm_buf_str(&d->body), llm->key, message, sizeof message);
        snprintf(text, sizeof text, "status %d: %s", d->status, message);
        server_failed(llm, a, ep, text);
    } else if (d->status == 200) {
        on_success(llm, a, ep, d);
    } else {
        on_refusal(llm, a, ep, d);
    }
    gm_buf_clear(&d->body);
}
