/* The life of a request, from gm_llm_submit to the reply. Each step from one place to the next is a
 * function of this file, which checks that the request comes from where it may; client.c says when a
 * step is taken, outcome.c and answer.c why. All under the lock.
 *
 *     gm_ask_enter
 *          |
 *          v
 *      SUBMITTED ------------- in the cache, dry run ------------------------.
 *          | gm_ask_queue                                                    |
 *          v                                                                 |
 *       QUEUED                                                               |
 *          | gm_ask_take, gm_ask_sent                                        |
 *          v                                                                 |
 *      IN_FLIGHT <-- gm_ask_take, gm_ask_sent -- AGAIN                       |
 *          | gm_ask_back                           ^                         |
 *          v                                       |                         |
 *        BACK --- gm_ask_again: a try failed, or --'                         |
 *          |      the answer did not fit                                     |
 *          | gm_ask_answered                                                 |
 *          v                                                                 v
 *      ANSWERED, until its answer is in the cache's file --- gm_ask_deliver -> DONE, in its box
 *
 * gm_ask_fail (an error of its own) and gm_ask_stopped (the client has stopped) end it from any of
 * these but DONE. Without a cache, and of a fresh request, there is no ANSWERED. One whose caller has gone is freed where it
 * would be delivered. */
#include "base/alloc.h"
#include "llm/llm_internal.h"

#include <assert.h>
#include <math.h>

/* ---- queues ---- */

static void push(struct gm_ask_queue *q, struct gm_ask *a)
{
    a->next = NULL;
    if (q->last)
        q->last->next = a;
    else
        q->first = a;
    q->last = a;
}

struct gm_ask *gm_ask_pop(struct gm_ask_queue *q)
{
    struct gm_ask *a = q->first;
    if (!a)
        return NULL;
    q->first = a->next;
    if (!q->first)
        q->last = NULL;
    a->next = NULL;
    return a;
}

static void remove_from(struct gm_ask_queue *q, struct gm_ask *a)
{
    struct gm_ask *before = NULL;
    for (struct gm_ask *x = q->first; x != a; x = x->next)
        before = x;
    if (before)
        before->next = a->next;
    else
        q->first = a->next;
    if (q->last == a)
        q->last = before;
    a->next = NULL;
}

static void link_to_all(struct gm_llm *llm, struct gm_ask *a)
{
    a->all_next = llm->all;
    if (llm->all)
        llm->all->all_prev = a;
    llm->all = a;
}

static void unlink_from_all(struct gm_llm *llm, struct gm_ask *a)
{
    if (a->all_prev)
        a->all_prev->all_next = a->all_next;
    else
        llm->all = a->all_next;
    if (a->all_next)
        a->all_next->all_prev = a->all_prev;
    a->all_prev = a->all_next = NULL;
}

void gm_llm_reply_clear(struct gm_llm_reply *r)
{
    gm_buf_clear(&r->text);
    gm_json_free(r->value);
    gm_json_free(r->logprobs);
    r->value = r->logprobs = NULL;
}

void gm_ask_free(struct gm_ask *a)
{
    if (!a)
        return;
    if (a->holds_json) {
        gm_json_free((struct gm_json *)(uintptr_t)a->tail.schema);
        gm_json_free((struct gm_json *)(uintptr_t)a->tail.extra);
    }
    gm_buf_clear(&a->body);
    gm_llm_reply_clear(&a->reply);
    gm_free(a);
}

/* ---- what it costs ---- */

double gm_llm_cost(const struct gm_llm *llm, size_t prompt, size_t completion)
{
    return ((double)prompt * llm->opts.price_in + (double)completion * llm->opts.price_out) / 1e6;
}

double gm_ask_bound(const struct gm_llm *llm, const struct gm_ask *a)
{
    return gm_llm_cost(llm, a->bound_prompt, (size_t)a->tail.max_tokens);
}

/* ---- its life ---- */

#define FROM(state) (1U << GM_ASK_##state)

static void move(struct gm_ask *a, unsigned from, enum gm_ask_state to)
{
    assert(from >> a->state & 1);
    (void)from;
    a->state = to;
}

void gm_ask_enter(struct gm_llm *llm, struct gm_ask *a, struct gm_llm_mailbox *box)
{
    a->box = box;
    a->state = GM_ASK_SUBMITTED;
    a->reply.id = ++llm->last_id;
    llm->stats.submitted++;
    box->n_open++;
    link_to_all(llm, a);
    push(&llm->inbox, a);
}

void gm_ask_queue(struct gm_llm *llm, struct gm_ask *a)
{
    move(a, FROM(SUBMITTED), GM_ASK_QUEUED);
    push(&llm->groups[a->group].waiting, a);
}

struct gm_ask *gm_ask_next(const struct gm_llm *llm, size_t group, double now, double *next)
{
    struct gm_ask *again = NULL;
    for (struct gm_ask *a = llm->delayed.first; a; a = a->next)
        if (a->group == group && (!again || a->ready_at < again->ready_at))
            again = a;
    if (again && again->ready_at <= now)
        return again;
    if (again)
        *next = fmin(*next, again->ready_at);
    return llm->groups[group].waiting.first;
}

void gm_ask_take(struct gm_llm *llm, struct gm_ask *a)
{
    remove_from(a->state == GM_ASK_AGAIN ? &llm->delayed : &llm->groups[a->group].waiting, a);
}

void gm_ask_sent(struct gm_llm *llm, struct gm_ask *a, struct gm_endpoint *ep, double now)
{
    move(a, FROM(QUEUED) | FROM(AGAIN), GM_ASK_IN_FLIGHT);
    a->ep = ep;
    a->sent_at = now;
    if (a->first_at <= 0)
        a->first_at = now;
    ep->in_flight++;
    llm->turn++;
    llm->stats.in_flight++;
    llm->stats.sent++;
    llm->reserved += gm_ask_bound(llm, a);
}

struct gm_endpoint *gm_ask_back(struct gm_llm *llm, struct gm_ask *a)
{
    struct gm_endpoint *ep = a->ep;
    move(a, FROM(IN_FLIGHT), GM_ASK_BACK);
    a->ep = NULL;
    ep->in_flight--;
    llm->stats.in_flight--;
    llm->reserved -= gm_ask_bound(llm, a);
    if (llm->stats.in_flight == 0)
        llm->reserved = 0; /* no rounding left over */
    return ep;
}

void gm_ask_again(struct gm_llm *llm, struct gm_ask *a, double at)
{
    if (llm->stop != GM_OK) {
        gm_ask_stopped(llm, a);
        return;
    }
    move(a, FROM(BACK), GM_ASK_AGAIN);
    a->ready_at = at;
    push(&llm->delayed, a);
}

void gm_asks_wait(struct gm_llm *llm, size_t group, double wait_s)
{
    for (struct gm_ask *a = llm->delayed.first; a; a = a->next)
        if (a->group == group)
            a->first_at += wait_s;
}

void gm_ask_answered(struct gm_llm *llm, struct gm_ask *a)
{
    move(a, FROM(BACK), GM_ASK_ANSWERED);
    push(&llm->arrived, a);
}

void gm_ask_deliver(struct gm_llm *llm, struct gm_ask *a)
{
    move(a, ~FROM(DONE), GM_ASK_DONE);
    unlink_from_all(llm, a);
    if (!a->box) {
        gm_ask_free(a);
        return;
    }
    a->box->n_open--;
    gm_buf_clear(&a->body);
    push(&a->box->done, a);
    if (!a->box->is_woken) {
        a->box->is_woken = true;
        a->box->next_wake = llm->to_wake;
        llm->to_wake = a->box;
    }
}

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

/* ---- all of them ---- */

void gm_asks_stop(struct gm_llm *llm, enum gm_status st, const char *why)
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

/* What was borrowed of the caller may go with it. An answer that its check would not take may come
 * into the cache: who takes it from there checks it again. */
static void leave_caller(struct gm_ask *a)
{
    a->box = NULL;
    a->check = NULL;
    a->reply.user = NULL;
    a->tail.schema = a->tail.schema ? gm_json_ref(a->tail.schema) : NULL;
    a->tail.extra = a->tail.extra ? gm_json_ref(a->tail.extra) : NULL;
    a->holds_json = true;
}

void gm_asks_orphan(struct gm_llm *llm, struct gm_llm_mailbox *box)
{
    struct gm_ask *a;
    while ((a = gm_ask_pop(&box->done)))
        gm_ask_free(a);
    for (a = llm->all; a && box->n_open; a = a->all_next)
        if (a->box == box) {
            leave_caller(a);
            box->n_open--;
        }
}

void gm_asks_free(struct gm_llm *llm)
{
    while (llm->all) {
        struct gm_ask *a = llm->all;
        unlink_from_all(llm, a);
        gm_ask_free(a);
    }
}
