/* client.c - the client's thread: what to send when, and what each outcome means. Holds the lock
 * but for the wait. */
#include "llm/llm_internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/progress.h"
#include "llm/json_repair.h"
#include "llm/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const size_t max_reply_bytes = (size_t)8 << 20;
static const double longest_wait_s = 0.2; /* so that gm_llm_drain, a mere flag, is seen soon */

static double cost_of(const struct gm_llm *llm, size_t prompt, size_t completion)
{
    return ((double)prompt * llm->opts.price_in + (double)completion * llm->opts.price_out) / 1e6;
}

static double bound_of(const struct gm_llm *llm, const struct gm_ask *a)
{
    return cost_of(llm, a->bound_prompt, (size_t)a->tail.max_tokens);
}

/* ---- ends ---- */

static void end_with(struct gm_llm *llm, struct gm_ask *a, enum gm_status st, const char *what)
{
    a->reply.st = GM_FAIL(&a->reply.err, st, "%s", what);
    llm->stats.failed++;
    gm_ask_deliver(llm, a);
}

static void end_stopped(struct gm_llm *llm, struct gm_ask *a)
{
    a->reply.st = llm->stop;
    a->reply.err = llm->stop_err;
    a->reply.stopped = true;
    gm_ask_deliver(llm, a);
}

/* Everything that isn't in flight ends; the first reason stays. */
static void stop_all(struct gm_llm *llm, enum gm_status st, const char *why)
{
    struct gm_ask *a;
    if (llm->stop == GM_OK)
        llm->stop = GM_FAIL(&llm->stop_err, st, "%s", why);
    while ((a = gm_ask_pop(&llm->inbox)) || (a = gm_ask_pop(&llm->waiting)) ||
           (a = gm_ask_pop(&llm->delayed)))
        end_stopped(llm, a);
}

/* ---- sending ---- */

static enum gm_status finish_body(struct gm_ask *a, struct gm_error *err)
{
    struct gm_llm_tail t = a->tail;
    if (a->ep && a->ep->no_schema)
        t.schema = NULL;
    if (a->ep && a->ep->no_logprobs)
        t.logprobs = false;
    if (a->n_asks > 0) { /* another answer to the same question, not the same one again */
        t.seed = (t.seed < 0 ? 0 : t.seed) + (long long)a->n_asks;
        t.temperature = t.temperature < 0.4 ? 0.4 : t.temperature;
    }
    a->body.n = a->head_n;
    return gm_llm_write_tail(&t, &a->body, err);
}

/* The wait before try number `tries` + 1: doubling, between half and all of it by chance. */
static double backoff(struct gm_llm *llm, size_t tries)
{
    double s = llm->opts.backoff_s * pow(2, (double)(tries > 20 ? 20 : tries - (tries > 0)));
    if (s > llm->opts.backoff_max_s)
        s = llm->opts.backoff_max_s;
    return s * (0.5 + 0.5 * gm_rng_uniform(&llm->rng));
}

static void send_again(struct gm_llm *llm, struct gm_ask *a, double at)
{
    if (llm->stop != GM_OK) {
        end_stopped(llm, a);
        return;
    }
    a->ready_at = at;
    gm_ask_push(&llm->delayed, a);
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
        end_with(llm, a, GM_ENET, text);
    } else if (at - a->first_at > llm->opts.deadline_s) {
        snprintf(text, sizeof text, "no answer within the deadline of %g s; the last try: %s",
                 llm->opts.deadline_s, why);
        end_with(llm, a, GM_ENET, text);
    } else {
        llm->stats.retries++;
        llm->stats.retried_tokens += a->est_prompt;
        send_again(llm, a, at);
    }
}

static void send_one(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep, double now)
{
    struct gm_error err = {0};
    a->ep = ep;
    enum gm_status st = finish_body(a, &err);
    const struct gm_http_request req = {
        .target = ep->target,
        .body = gm_buf_str(&a->body),
        .timeout_ms = (long)(llm->opts.timeout_s * 1000) + 1,
        .connect_timeout_ms = (long)(fmin(llm->opts.timeout_s, 10) * 1000) + 1,
        .max_reply = max_reply_bytes,
        .user = a,
    };
    if (st == GM_OK)
        st = gm_http_start(llm->http, &req, &err);
    if (st != GM_OK) {
        a->ep = NULL;
        end_with(llm, a, st, err.msg);
        return;
    }
    a->sent_at = now;
    if (a->first_at <= 0)
        a->first_at = now;
    ep->in_flight++;
    llm->turn++;
    llm->stats.in_flight++;
    llm->stats.sent++;
    llm->reserved += bound_of(llm, a);
    if (llm->opts.requests_per_min > 0)
        llm->next_request_at = fmax(now, llm->next_request_at) + 60 / llm->opts.requests_per_min;
    if (llm->opts.tokens_per_min > 0)
        llm->next_token_at = fmax(now, llm->next_token_at) +
                             (double)a->est_prompt * 60 / llm->opts.tokens_per_min;
}

/* Whether the most that `a` may cost still fits. When it doesn't but something is in flight, what
 * that really cost is waited for. */
static bool fits_budget(struct gm_llm *llm, const struct gm_ask *a)
{
    char text[160];
    double b = llm->opts.budget;
    if (b <= 0 || llm->stats.cost + llm->reserved + bound_of(llm, a) <= b)
        return true;
    if (llm->stats.in_flight == 0) {
        snprintf(text, sizeof text,
                 "the budget of %g would be passed (spent %.6g; the next request may cost %.6g)", b,
                 llm->stats.cost, bound_of(llm, a));
        stop_all(llm, GM_ECANCEL, text);
    }
    return false;
}

/* The ask of `delayed` that is due first, and what is before it in the list. */
static struct gm_ask *due_first(const struct gm_llm *llm, struct gm_ask **before)
{
    struct gm_ask *best = NULL, *prev = NULL;
    for (struct gm_ask *a = llm->delayed.first; a; prev = a, a = a->next)
        if (!best || a->ready_at < best->ready_at) {
            best = a;
            *before = prev;
        }
    return best;
}

static void remove_delayed(struct gm_llm *llm, struct gm_ask *a, struct gm_ask *before)
{
    if (before)
        before->next = a->next;
    else
        llm->delayed.first = a->next;
    if (llm->delayed.last == a)
        llm->delayed.last = before;
    a->next = NULL;
}

/* Send what may be sent now; returns when something more may be, at the latest longest_wait_s from
 * now. */
static double send_ready(struct gm_llm *llm, double now)
{
    double next = now + longest_wait_s;
    while (llm->stop == GM_OK && llm->stats.in_flight < llm->opts.in_flight) {
        struct gm_ask *before = NULL, *again = due_first(llm, &before);
        bool is_due = again && again->ready_at <= now;
        struct gm_ask *a = is_due ? again : llm->waiting.first;
        if (again && !is_due)
            next = fmin(next, again->ready_at);
        if (!a)
            break;
        struct gm_endpoint *ep =
            gm_endpoint_choose(llm->ep, llm->n_ep, llm->turn, &llm->breaker, now);
        if (!ep) {
            double at = gm_endpoint_next(llm->ep, llm->n_ep, now);
            next = at > now ? fmin(next, at) : next; /* at == now: a probe is under way */
            break;
        }
        double paced = fmax(llm->next_request_at, llm->next_token_at);
        if (paced > now) {
            next = fmin(next, paced);
            break;
        }
        if (!fits_budget(llm, a))
            break;
        if (is_due)
            remove_delayed(llm, a, before);
        else
            (void)gm_ask_pop(&llm->waiting);
        if (a->box)
            send_one(llm, a, ep, now);
        else
            gm_ask_deliver(llm, a);
    }
    return next;
}

/* ---- answers ---- */

/* The value of an answer that can be used, or the reason why it can't. */
static enum gm_status read_value(const struct gm_ask *a, struct gm_str text, struct gm_json **out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_json_care care;
    const char *reason;
    struct gm_json *v = NULL;
    *out = NULL;
    if (a->tail.schema) {
        GM_TRY(gm_json_read_tolerant(&v, text, &care, err));
        GM_TRY(gm_schema_check(a->tail.schema, v, err));
    } else if (!gm_str_trim(text).n) {
        st = GM_FAIL(err, GM_EFORMAT, "an empty answer");
        goto done;
    } else if (!(v = gm_json_new_str(gm_str_trim(text)))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    if (a->check && (reason = a->check(a->reply.user, v))) {
        st = GM_FAIL(err, GM_EFORMAT, "%s", reason);
        goto done;
    }
    *out = v;
    v = NULL;
done:
    gm_json_free(v);
    return st;
}

/* Put a good answer into the reply. */
static enum gm_status take_answer(struct gm_ask *a, const struct gm_llm_answer *answer,
                                  struct gm_json *value, struct gm_error *err)
{
    struct gm_llm_reply *r = &a->reply;
    gm_buf_init(&r->text, answer->text.n + 1);
    enum gm_status st = gm_buf_add_str(&r->text, answer->text, err);
    r->value = value;
    r->logprobs = answer->logprobs ? gm_json_ref(answer->logprobs) : NULL;
    return st;
}

static void keep(struct gm_llm *llm, const struct gm_ask *a, struct gm_str body)
{
    struct gm_error err = {0};
    if (!llm->opts.cache.put ||
        llm->opts.cache.put(llm->opts.cache.user, a->key, body, &err) == GM_OK || llm->warned_cache)
        return;
    llm->warned_cache = true;
    GM_LOG(GM_LOG_WARN, "llm", "answers cannot be cached: %s", err.msg);
}

static void count_usage(struct gm_llm *llm, struct gm_ask *a, const struct gm_llm_answer *answer)
{
    const struct gm_llm_usage *u = &answer->usage;
    struct gm_llm_stats *s = &llm->stats;
    a->reply.usage.prompt += u->prompt;
    a->reply.usage.completion += u->completion;
    a->reply.usage.cached += u->cached;
    s->prompt_tokens += u->prompt;
    s->completion_tokens += u->completion;
    s->cached_tokens += u->cached;
    s->cost += answer->has_usage ? cost_of(llm, u->prompt, u->completion) : bound_of(llm, a);
    if (llm->opts.tokens_per_min > 0 && answer->has_usage)
        llm->next_token_at += ((double)u->prompt + (double)u->completion - (double)a->est_prompt) *
                              60 / llm->opts.tokens_per_min;
}

/* A whole chat completion came: use it, or ask again. */
static void on_answer(struct gm_llm *llm, struct gm_ask *a, const struct gm_llm_answer *answer,
                      struct gm_str body)
{
    struct gm_error err = {0};
    struct gm_json *value;
    a->n_asks++;
    a->reply.n_asks = a->n_asks;
    enum gm_status st = read_value(a, answer->text, &value, &err);
    if (st == GM_OK && (st = take_answer(a, answer, value, &err)) == GM_OK) {
        keep(llm, a, body);
        llm->stats.answered++;
        gm_ask_deliver(llm, a);
        return;
    }
    if (st == GM_EFORMAT) {
        llm->stats.invalid++;
        llm->stats.retried_tokens += answer->usage.prompt + answer->usage.completion;
    }
    if (st == GM_EFORMAT && a->n_asks < llm->opts.max_asks) {
        llm->stats.reasks++;
        send_again(llm, a, gm_clock_s());
        return;
    }
    end_with(llm, a, st, err.msg);
}

/* ---- outcomes ---- */

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
        llm->stats.cost += bound_of(llm, a); /* the server may have done the work, and bill it */
    if (d->fault == GM_HTTP_TLS && ep->n_ok == 0) {
        snprintf(text, sizeof text, "%s: %s", ep->name, d->what);
        stop_all(llm, GM_ENET, text);
        end_stopped(llm, a);
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
        send_again(llm, a, gm_clock_s());
        return;
    }
    bool everybody = d->status == 401 || d->status == 403 ||
                     (ep->n_ok == 0 && (d->status == 404 || (d->status >= 300 && d->status < 400)));
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
        stop_all(llm, GM_EARG, text);
        end_stopped(llm, a);
    } else {
        end_with(llm, a, GM_EARG, text);
    }
}

static bool is_retried(int status)
{
    return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

static void on_success(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep,
                       struct gm_http_done *d)
{
    struct gm_llm_answer answer;
    struct gm_error err = {0};
    if (gm_llm_read_answer(&answer, gm_buf_str(&d->body), &err) != GM_OK) {
        llm->stats.cost += bound_of(llm, a);
        server_failed(llm, a, ep, err.msg);
        return;
    }
    gm_endpoint_ok(ep, &llm->breaker);
    count_usage(llm, a, &answer);
    on_answer(llm, a, &answer, gm_buf_str(&d->body));
    gm_json_free(answer.envelope);
}

static void on_done(struct gm_llm *llm, struct gm_http_done *d)
{
    char text[300], message[160];
    struct gm_ask *a = d->user;
    struct gm_endpoint *ep = a->ep;
    a->ep = NULL;
    ep->in_flight--;
    llm->stats.in_flight--;
    llm->reserved -= bound_of(llm, a);
    if (llm->stats.in_flight == 0)
        llm->reserved = 0; /* no rounding left over */
    if (d->fault != GM_HTTP_OK) {
        on_fault(llm, a, ep, d);
    } else if (d->status == 429 || (is_retried(d->status) && d->retry_after_s > 0)) {
        on_busy(llm, a, ep, d);
    } else if (is_retried(d->status)) {
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

/* ---- what was just submitted ---- */

/* Whether the answer was in the cache; it is delivered then. */
static bool find_cached(struct gm_llm *llm, struct gm_ask *a)
{
    struct gm_llm_answer answer = {0};
    struct gm_json *value = NULL;
    struct gm_error err;
    struct gm_buf body;
    bool found = false;
    const struct gm_llm_cache *cache = &llm->opts.cache;
    if (!cache->get || finish_body(a, &err) != GM_OK)
        return false;
    gm_sha256(gm_buf_str(&a->body), a->key);
    gm_buf_init(&body, max_reply_bytes);
    if (cache->get(cache->user, a->key, &body, &found, &err) != GM_OK)
        found = false;
    found = found && gm_llm_read_answer(&answer, gm_buf_str(&body), &err) == GM_OK &&
            read_value(a, answer.text, &value, &err) == GM_OK &&
            take_answer(a, &answer, value, &err) == GM_OK;
    gm_json_free(answer.envelope);
    gm_buf_clear(&body);
    if (found) {
        a->reply.cached = true;
        llm->stats.cached++;
        gm_ask_deliver(llm, a);
    }
    return found;
}

static void count_dry(struct gm_llm *llm, struct gm_ask *a)
{
    llm->stats.dry_requests++;
    llm->stats.dry_prompt_tokens += a->est_prompt;
    llm->stats.dry_completion_tokens += (size_t)a->tail.max_tokens;
    a->reply.st = GM_FAIL(&a->reply.err, GM_ECANCEL, "dry run: not asked");
    a->reply.stopped = true;
    gm_ask_deliver(llm, a);
}

static void take_in(struct gm_llm *llm)
{
    struct gm_ask *a;
    while ((a = gm_ask_pop(&llm->inbox))) {
        if (!a->box)
            gm_ask_deliver(llm, a);
        else if (find_cached(llm, a))
            continue;
        else if (llm->opts.dry_run)
            count_dry(llm, a);
        else
            gm_ask_push(&llm->waiting, a);
    }
}

static void check_dead(struct gm_llm *llm, double now)
{
    char text[500];
    const struct gm_endpoint *e = gm_endpoints_dead(llm->ep, llm->n_ep, &llm->breaker, now);
    if (!e || llm->stop != GM_OK)
        return;
    snprintf(text, sizeof text,
             "%s: no answer for %.0f s (%s); start the server and run the same command again",
             e->name, now - e->failing_since, e->why);
    stop_all(llm, GM_ENET, text);
}

void *gm_client_thread(void *arg)
{
    struct gm_llm *llm = arg;
    struct gm_http_done d;
    pthread_mutex_lock(&llm->lock);
    while (!llm->quit) {
        double now = gm_clock_s();
        if (atomic_load(&llm->draining))
            stop_all(llm, GM_ECANCEL, "stopped on request");
        check_dead(llm, now);
        llm->wake_sent = false;
        take_in(llm);
        if (llm->stop != GM_OK)
            stop_all(llm, llm->stop, ""); /* what was submitted since */
        double next = send_ready(llm, now);
        gm_wake_boxes(llm);
        if (llm->inbox.first)
            next = 0; /* submitted while the lock was free */
        double wait_ms = (next - gm_clock_s()) * 1000;
        pthread_mutex_unlock(&llm->lock);
        gm_http_wait(llm->http, wait_ms > 0 ? (int)ceil(wait_ms) : 0);
        pthread_mutex_lock(&llm->lock);
        while (gm_http_next(llm->http, &d))
            on_done(llm, &d);
        gm_wake_boxes(llm);
    }
    pthread_mutex_unlock(&llm->lock);
    return NULL;
}
