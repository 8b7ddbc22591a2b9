/* client.c - the client's thread: what to send when. Holds the lock but for the wait. */
#include "base/progress.h"
#include "llm/llm_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double longest_wait_s = 0.2; /* an endpoint that is dead is noticed soon */

double gm_llm_cost(const struct gm_llm *llm, size_t prompt, size_t completion)
{
    return ((double)prompt * llm->opts.price_in + (double)completion * llm->opts.price_out) / 1e6;
}

double gm_ask_bound(const struct gm_llm *llm, const struct gm_ask *a)
{
    return gm_llm_cost(llm, a->bound_prompt, (size_t)a->tail.max_tokens);
}

/* ---- ends ---- */

void gm_ask_fail(struct gm_llm *llm, struct gm_ask *a, enum gm_status st, const char *what)
{
    a->reply.st = GM_FAIL(&a->reply.err, st, "%s", what);
    llm->stats.failed++;
    gm_ask_deliver(llm, a);
}

void gm_ask_stopped(struct gm_llm *llm, struct gm_ask *a)
{
    a->reply.st = llm->stop;
    a->reply.err = llm->stop_err;
    a->reply.stopped = true;
    gm_ask_deliver(llm, a);
}

void gm_client_stop(struct gm_llm *llm, enum gm_status st, const char *why)
{
    struct gm_ask *a;
    if (llm->stop == GM_OK)
        llm->stop = GM_FAIL(&llm->stop_err, st, "%s", why);
    while ((a = gm_ask_pop(&llm->inbox)) || (a = gm_ask_pop(&llm->delayed)))
        gm_ask_stopped(llm, a);
    for (size_t i = 0; i < llm->n_groups; i++)
        while ((a = gm_ask_pop(&llm->groups[i].waiting)))
            gm_ask_stopped(llm, a);
}

/* ---- sending ---- */

/* The tail as JSON; one is kept, as all requests of a stage have the same. */
static enum gm_status get_tail(struct gm_llm *llm, const struct gm_llm_tail *t, struct gm_str *out,
                               struct gm_error *err)
{
    const struct gm_llm_tail *k = &llm->tail;
    enum gm_status st = GM_OK;
    bool same = llm->tail_text.n && k->temperature == t->temperature && k->top_p == t->top_p &&
                k->max_tokens == t->max_tokens && k->seed == t->seed &&
                k->logprobs == t->logprobs && k->schema == t->schema && k->extra == t->extra &&
                k->without == t->without;
    if (!same) {
        gm_buf_reset(&llm->tail_text);
        st = gm_llm_write_tail(t, &llm->tail_text, err);
        gm_json_free((struct gm_json *)(uintptr_t)llm->tail.schema);
        gm_json_free((struct gm_json *)(uintptr_t)llm->tail.extra);
        llm->tail = *t;
        llm->tail.schema = t->schema ? gm_json_ref(t->schema) : NULL;
        llm->tail.extra = t->extra ? gm_json_ref(t->extra) : NULL;
    }
    *out = gm_buf_str(&llm->tail_text);
    return st;
}

enum gm_status gm_ask_finish_body(struct gm_llm *llm, struct gm_ask *a, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm_tail t = a->tail;
    struct gm_str tail;
    if (a->ep)
        t.without |= a->ep->refused;
    if (a->n_asks > 0) { /* another answer to the same question, not the same one again */
        t.seed = (t.seed < 0 ? 0 : t.seed) + (long long)a->n_asks;
        if (t.temperature >= 0 && t.temperature < 0.4) /* none is the server's own */
            t.temperature = 0.4;
    }
    a->sent = gm_llm_tail_sends(&t);
    a->body.n = a->head_n;
    GM_TRY(get_tail(llm, &t, &tail, err));
    GM_TRY(gm_buf_add_str(&a->body, tail, err));
done:
    return st;
}

void gm_ask_again(struct gm_llm *llm, struct gm_ask *a, double at)
{
    if (llm->stop != GM_OK) {
        gm_ask_stopped(llm, a);
        return;
    }
    a->ready_at = at;
    gm_ask_push(&llm->delayed, a);
}

static void send_one(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep, double now)
{
    struct gm_error err = {0};
    a->ep = ep;
    enum gm_status st = gm_ask_finish_body(llm, a, &err);
    const struct gm_http_request req = {
        .target = ep->target,
        .body = gm_buf_str(&a->body),
        .timeout_ms = (long)(llm->opts.timeout_s * 1000) + 1,
        .connect_timeout_ms = (long)(fmin(llm->opts.timeout_s, 10) * 1000) + 1,
        .max_reply = GM_REPLY_MAX,
        .user = a,
    };
    if (st == GM_OK)
        st = gm_http_start(llm->http, &req, &err);
    if (st != GM_OK) {
        a->ep = NULL;
        gm_ask_fail(llm, a, st, err.msg);
        return;
    }
    a->sent_at = now;
    if (a->first_at <= 0)
        a->first_at = now;
    ep->in_flight++;
    llm->turn++;
    llm->stats.in_flight++;
    llm->stats.sent++;
    llm->reserved += gm_ask_bound(llm, a);
    if (llm->opts.requests_per_min > 0)
        llm->next_request_at = fmax(now, llm->next_request_at) + 60 / llm->opts.requests_per_min;
    if (llm->opts.tokens_per_min > 0)
        llm->next_token_at =
            fmax(now, llm->next_token_at) + (double)a->est_prompt * 60 / llm->opts.tokens_per_min;
}

/* Whether the most that `a` may cost still fits. When it doesn't but something is in flight, what
 * that really cost is waited for. */
static bool fits_budget(struct gm_llm *llm, const struct gm_ask *a)
{
    char text[160];
    double b = llm->opts.budget;
    if (b <= 0 || llm->stats.cost + llm->reserved + gm_ask_bound(llm, a) <= b)
        return true;
    if (llm->stats.in_flight == 0) {
        snprintf(text, sizeof text,
                 "the budget of %g would be passed (spent %.6g; the next request may cost %.6g)", b,
                 llm->stats.cost, gm_ask_bound(llm, a));
        gm_client_stop(llm, GM_ECANCEL, text);
    }
    return false;
}

/* The group's ask of `delayed` that is due first, and what is before it in the list. */
static struct gm_ask *due_first(const struct gm_llm *llm, size_t group, struct gm_ask **before)
{
    struct gm_ask *best = NULL, *prev = NULL;
    for (struct gm_ask *a = llm->delayed.first; a; prev = a, a = a->next)
        if (a->group == group && (!best || a->ready_at < best->ready_at)) {
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

/* Send one request to a group's servers, if one may be sent; else *next is at the latest when one may. */
static bool send_next(struct gm_llm *llm, size_t group, double now, double *next)
{
    struct gm_server_group *g = &llm->groups[group];
    struct gm_ask *before = NULL, *again = due_first(llm, group, &before);
    bool is_due = again && again->ready_at <= now;
    struct gm_ask *a = is_due ? again : g->waiting.first;
    if (again && !is_due)
        *next = fmin(*next, again->ready_at);
    if (!a)
        return false;
    struct gm_endpoint *ep = gm_endpoint_choose(g->ep, g->n_ep, llm->turn, &llm->breaker, now);
    if (!ep) {
        double at = gm_endpoint_next(g->ep, g->n_ep, now);
        *next = at > now ? fmin(*next, at) : *next; /* at == now: a probe is under way */
        return false;
    }
    double paced = fmax(llm->next_request_at, llm->next_token_at);
    if (paced > now) {
        *next = fmin(*next, paced);
        return false;
    }
    if (!fits_budget(llm, a))
        return false;
    if (is_due)
        remove_delayed(llm, a, before);
    else
        (void)gm_ask_pop(&g->waiting);
    if (a->box)
        send_one(llm, a, ep, now);
    else
        gm_ask_deliver(llm, a);
    return true;
}

/* Send what may be sent now, the groups by turns, so that none waits for another's servers; returns when
 * something more may be, at the latest longest_wait_s from now. */
static double send_ready(struct gm_llm *llm, double now)
{
    double next = now + longest_wait_s;
    for (bool sent = true; sent;) {
        sent = false;
        for (size_t i = 0; i < llm->n_groups; i++)
            if (llm->stop == GM_OK && llm->stats.in_flight < llm->opts.in_flight)
                sent = send_next(llm, i, now, &next) || sent;
    }
    return next;
}

/* ---- what was just submitted ---- */

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
        else if (gm_answer_cached(llm, a))
            continue;
        else if (llm->opts.dry_run)
            count_dry(llm, a);
        else
            gm_ask_push(&llm->groups[a->group].waiting, a);
    }
}

static void check_dead(struct gm_llm *llm, double now)
{
    char text[700];
    const struct gm_endpoint *e = NULL;
    for (size_t i = 0; i < llm->n_groups && !e; i++)
        e = gm_endpoints_dead(llm->groups[i].ep, llm->groups[i].n_ep, &llm->breaker, now);
    if (!e || llm->stop != GM_OK)
        return;
    snprintf(text, sizeof text,
             e->answers
                 ? "%s: nothing but errors for %.0f s, the last: %s; mend the server and run "
                   "the same command again"
                 : "%s: no answer for %.0f s (%s); start the server and run the same "
                   "command again",
             e->name, now - e->failing_since, e->why);
    gm_client_stop(llm, GM_ENET, text);
}

void *gm_client_thread(void *arg)
{
    struct gm_llm *llm = arg;
    struct gm_http_done d;
    pthread_mutex_lock(&llm->lock);
    while (!llm->quit) {
        double now = gm_clock_s();
        double drain_at = atomic_load(&llm->drain_at);
        if (drain_at > 0)
            gm_client_stop(llm, GM_ECANCEL, "stopped on request");
        check_dead(llm, now);
        llm->wake_sent = false;
        take_in(llm);
        if (llm->stop != GM_OK)
            gm_client_stop(llm, llm->stop, ""); /* what was submitted since */
        double next = send_ready(llm, now);
        next = fmin(next, gm_answers_deliver(llm, gm_clock_s()));
        next = drain_at > now ? fmin(next, drain_at) : next;
        gm_wake_boxes(llm);
        if (llm->inbox.first)
            next = 0; /* submitted while the lock was free */
        double wait_ms = (next - gm_clock_s()) * 1000;
        pthread_mutex_unlock(&llm->lock);
        gm_http_wait(llm->http, wait_ms > 0 ? (int)ceil(wait_ms) : 0);
        if (drain_at > 0 && gm_clock_s() >= drain_at)
            gm_http_drop(llm->http);
        pthread_mutex_lock(&llm->lock);
        while (gm_http_next(llm->http, &d))
            gm_client_done(llm, &d);
    }
    gm_answers_deliver(llm, INFINITY);
    pthread_mutex_unlock(&llm->lock);
    return NULL;
}
