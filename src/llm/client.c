/* client.c - the client's thread: what to send when. Holds the lock but for the wait, and
 * for what it says and whom it wakes. */
#include "base/host.h"
#include "base/progress.h"
#include "llm/llm_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double longest_wait_s = 0.2; /* an endpoint that is dead is noticed soon */

/* ---- sending ---- */

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
    gm_ask_sent(llm, a, ep, now);
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
        gm_asks_stop(llm, GM_ECANCEL, text);
    }
    return false;
}

/* Send one request to a group's servers, if one may be sent; else *next is at the latest when one may. */
static bool send_next(struct gm_llm *llm, size_t group, double now, double *next)
{
    struct gm_server_group *g = &llm->groups[group];
    struct gm_ask *a = gm_ask_next(llm, group, now, next);
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
    gm_ask_take(llm, a);
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
            gm_ask_queue(llm, a);
    }
}

static bool is_wanted(const struct gm_llm *llm, size_t group)
{
    double next = INFINITY;
    return gm_ask_next(llm, group, INFINITY, &next) != NULL;
}

/* The endpoint of a group that is why the run can't go on; NULL = it can. */
static const struct gm_endpoint *to_blame(const struct gm_llm *llm, double now)
{
    for (size_t i = 0; i < llm->n_groups; i++) {
        const struct gm_server_group *g = &llm->groups[i];
        const struct gm_endpoint *e = gm_endpoints_dead(g->ep, g->n_ep, &llm->breaker, now);
        if (e && (e->cool_until <= now || is_wanted(llm, i)))
            return e;
    }
    return NULL;
}

static void check_dead(struct gm_llm *llm, double now)
{
    char text[700];
    const struct gm_endpoint *e = llm->stop == GM_OK ? to_blame(llm, now) : NULL;
    const char *again = gm_option("run the same command again");
    if (!e)
        return;
    if (e->cool_until > now)
        snprintf(text, sizeof text,
                 "%s: %s; it asks to wait %.0f s, longer than the %.0f s of a request; %s later",
                 e->name, e->why, e->cool_until - now, llm->opts.deadline_s, again);
    else
        snprintf(text, sizeof text,
                 e->answers
                     ? "%s: nothing but errors for %.0f s, the last: %s; mend the server and %s"
                     : "%s: no answer for %.0f s (%s); start the server and %s",
                 e->name, now - e->failing_since, e->why, again);
    gm_asks_stop(llm, GM_ENET, text);
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
            gm_asks_stop(llm, GM_ECANCEL, "stopped on request");
        check_dead(llm, now);
        llm->wake_sent = false;
        take_in(llm);
        if (llm->stop != GM_OK)
            gm_asks_stop(llm, llm->stop, ""); /* what was submitted since */
        double next = send_ready(llm, now);
        next = fmin(next, gm_answers_deliver(llm, gm_clock_s()));
        next = drain_at > now ? fmin(next, drain_at) : next;
        gm_client_say(llm); /* before who asked goes on */
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
    gm_client_say(llm);
    pthread_mutex_unlock(&llm->lock);
    return NULL;
}
