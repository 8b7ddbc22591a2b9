#include "llm/llm.h"

#include "base/alloc.h"
#include "base/progress.h"
#include "llm/llm_internal.h"
#include "llm/secret.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const size_t max_body_bytes = (size_t)256 << 20;
static const double server_wait_s = 300; /* a large GGUF file is read from a slow disk */

struct gm_llm_opts gm_llm_opts_default(void)
{
    return (struct gm_llm_opts){
        .in_flight = 16,
        .timeout_s = 120,
        .deadline_s = 900,
        .max_tries = 6,
        .max_asks = 3,
        .backoff_s = 0.5,
        .backoff_max_s = 60,
        .breaker_fails = 8,
        .breaker_rest_s = 2,
        .dead_s = 60,
        .seed = 1,
    };
}

/* ---- asks and boxes ---- */

void gm_ask_push(struct gm_ask_queue *q, struct gm_ask *a)
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

static void ask_link(struct gm_llm *llm, struct gm_ask *a)
{
    a->all_next = llm->all;
    if (llm->all)
        llm->all->all_prev = a;
    llm->all = a;
}

void gm_ask_unlink(struct gm_llm *llm, struct gm_ask *a)
{
    if (a->all_prev)
        a->all_prev->all_next = a->all_next;
    else
        llm->all = a->all_next;
    if (a->all_next)
        a->all_next->all_prev = a->all_prev;
    a->all_prev = a->all_next = NULL;
}

void gm_ask_free(struct gm_ask *a)
{
    if (!a)
        return;
    gm_buf_clear(&a->body);
    gm_llm_reply_clear(&a->reply);
    gm_free(a);
}

static void box_destroy(struct gm_llm_box *box)
{
    pthread_cond_destroy(&box->arrived);
    gm_free(box);
}

void gm_ask_deliver(struct gm_llm *llm, struct gm_ask *a)
{
    gm_ask_unlink(llm, a);
    if (!a->box) {
        gm_ask_free(a);
        return;
    }
    gm_buf_clear(&a->body);
    gm_ask_push(&a->box->done, a);
    if (!a->box->is_woken) {
        a->box->is_woken = true;
        a->box->next_wake = llm->to_wake;
        llm->to_wake = a->box;
    }
}

void gm_wake_boxes(struct gm_llm *llm)
{
    struct gm_llm_box *list = llm->to_wake, *next;
    llm->to_wake = NULL;
    if (!list)
        return;
    pthread_mutex_unlock(&llm->lock);
    for (struct gm_llm_box *b = list; b; b = b->next_wake)
        pthread_cond_signal(&b->arrived);
    pthread_mutex_lock(&llm->lock);
    for (struct gm_llm_box *b = list; b; b = next) {
        next = b->next_wake;
        b->is_woken = false;
        if (b->is_gone)
            box_destroy(b);
    }
}

enum gm_status gm_llm_box_new(struct gm_llm_box **out, struct gm_llm *llm, struct gm_error *err)
{
    pthread_condattr_t attr;
    *out = NULL;
    struct gm_llm_box *box = gm_alloc(1, sizeof *box);
    if (!box)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    box->llm = llm;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&box->arrived, &attr);
    pthread_condattr_destroy(&attr);
    *out = box;
    return GM_OK;
}

void gm_llm_box_free(struct gm_llm_box *box)
{
    struct gm_ask *a;
    if (!box)
        return;
    struct gm_llm *llm = box->llm;
    pthread_mutex_lock(&llm->lock);
    while ((a = gm_ask_pop(&box->done)))
        gm_ask_free(a);
    for (a = llm->all; a; a = a->all_next)
        if (a->box == box)
            a->box = NULL;
    if (box->is_woken)
        box->is_gone = true; /* the client's thread is about to signal it, and frees it then */
    else
        box_destroy(box);
    pthread_mutex_unlock(&llm->lock);
}

void gm_llm_reply_clear(struct gm_llm_reply *r)
{
    gm_buf_clear(&r->text);
    gm_json_free(r->value);
    gm_json_free(r->logprobs);
    r->value = r->logprobs = NULL;
}

enum gm_status gm_llm_submit(struct gm_llm_box *box, const struct gm_llm_request *req, uint64_t *id,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm *llm = box->llm;
    struct gm_ask *a = gm_alloc(1, sizeof *a);
    if (!a)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    gm_buf_init(&a->body, max_body_bytes);
    GM_TRY(gm_llm_write_head(req->model ? req->model : llm->model, req->messages, req->n_messages,
                             &a->body, err));
    a->head_n = a->body.n;
    a->box = box;
    a->tail = (struct gm_llm_tail){.temperature = req->temperature,
                                   .top_p = req->top_p,
                                   .max_tokens = req->max_tokens > 0 ? req->max_tokens : 512,
                                   .seed = req->seed,
                                   .logprobs = req->logprobs,
                                   .schema = req->schema};
    a->check = req->check;
    a->est_prompt = gm_llm_estimate(req->messages, req->n_messages, false);
    a->bound_prompt = gm_llm_estimate(req->messages, req->n_messages, true);
    a->reply.user = req->user;
    pthread_mutex_lock(&llm->lock);
    a->reply.id = *id = ++llm->last_id;
    llm->stats.submitted++;
    ask_link(llm, a);
    gm_ask_push(&llm->inbox, a);
    bool wake = !llm->wake_sent;
    llm->wake_sent = true;
    pthread_mutex_unlock(&llm->lock);
    if (wake)
        gm_http_wake(llm->http);
    a = NULL;
done:
    gm_ask_free(a);
    return st;
}

bool gm_llm_poll(struct gm_llm_box *box, int timeout_ms, struct gm_llm_reply *out)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&box->llm->lock);
    int rc = timeout_ms > 0 ? 0 : 1;
    while (!box->done.first && rc == 0)
        rc = pthread_cond_timedwait(&box->arrived, &box->llm->lock, &until);
    struct gm_ask *a = gm_ask_pop(&box->done);
    pthread_mutex_unlock(&box->llm->lock);
    if (!a)
        return false;
    *out = a->reply;
    gm_buf_init(&a->reply.text, 0); /* what it holds went to *out */
    a->reply.value = a->reply.logprobs = NULL;
    gm_ask_free(a);
    return true;
}

/* ---- the client ---- */

/* "http://host/v1" -> "http://host/v1/chat/completions". */
static enum gm_status endpoint_init(struct gm_llm *llm, struct gm_endpoint *e, const char *base,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf url;
    struct gm_str b = gm_str(base);
    gm_buf_init(&url, 4096);
    while (b.n && b.p[b.n - 1] == '/')
        b.n--;
    bool whole = gm_str_ends(b, GM_STR("/chat/completions"));
    GM_TRY(gm_buf_printf(&url, err, "%.*s%s", GM_STR_ARG(b), whole ? "" : "/chat/completions"));
    GM_TRY(gm_http_target_new(&e->target, url.p, llm->key, err));
    e->rest_s = llm->breaker.rest_s;
    if (!(e->name = gm_strdup(base)))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&url);
    return st;
}

static enum gm_status open_endpoints(struct gm_llm *llm, const struct gm_llm_opts *o,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (o->n_endpoints == 0)
        return GM_FAIL(err, GM_EARG,
                       "no endpoint: give --endpoint URL (or FILE.gguf), or set OPENAI_BASE_URL");
    llm->ep = gm_alloc(o->n_endpoints, sizeof *llm->ep);
    llm->servers = gm_alloc(o->n_endpoints, sizeof *llm->servers);
    if (!llm->ep || !llm->servers)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < o->n_endpoints; i++) {
        const char *url = o->endpoints[i];
        llm->n_ep = i + 1;
        if (gm_str_ends(gm_str(url), GM_STR(".gguf")) && !o->dry_run) {
            size_t slots = (o->in_flight + o->n_endpoints - 1) / o->n_endpoints;
            GM_TRY(gm_local_server_start(&llm->servers[i], o->llama_server, url, slots,
                                         server_wait_s, err));
            url = gm_local_server_url(llm->servers[i]);
        } else if (o->dry_run) {
            url = "http://127.0.0.1"; /* nothing is sent */
        }
        GM_TRY(endpoint_init(llm, &llm->ep[i], url, err));
    }
done:
    return st;
}

static enum gm_status start_thread(struct gm_llm *llm, struct gm_error *err)
{
    sigset_t all, old;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    llm->has_thread = pthread_create(&llm->thread, NULL, gm_client_thread, llm) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return llm->has_thread ? GM_OK : GM_FAIL(err, GM_EIO, "cannot start a thread");
}

static enum gm_status check_opts(const struct gm_llm_opts *o, struct gm_error *err)
{
    if (o->in_flight < 1 || o->in_flight > 4096)
        return GM_FAIL(err, GM_EARG, "requests in flight must be from 1 to 4096");
    if (o->budget > 0 && o->price_in <= 0 && o->price_out <= 0)
        return GM_FAIL(err, GM_EARG, "a budget needs the prices: --price IN,OUT a million tokens");
    if (o->max_tries < 1 || o->max_asks < 1 || o->breaker_fails < 1 || !(o->timeout_s > 0))
        return GM_FAIL(err, GM_EARG, "tries, asks and the time-out of a request must be over 0");
    return GM_OK;
}

enum gm_status gm_llm_new(struct gm_llm **out, const struct gm_llm_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_llm *llm = gm_alloc(1, sizeof *llm);
    if (!llm)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    llm->opts = *opts;
    llm->breaker = (struct gm_breaker){opts->breaker_fails, opts->breaker_rest_s, opts->dead_s};
    gm_rng_init(&llm->rng, opts->seed);
    llm->has_lock = pthread_mutex_init(&llm->lock, NULL) == 0;
    GM_TRY(check_opts(opts, err));
    if (!(llm->model = gm_strdup(opts->model ? opts->model : "default")) || !llm->has_lock) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(gm_secret_read(&llm->key, opts->key_file, err));
    GM_TRY(open_endpoints(llm, opts, err));
    GM_TRY(gm_http_new(&llm->http, opts->in_flight, err));
    GM_TRY(start_thread(llm, err));
    *out = llm;
    llm = NULL;
done:
    gm_llm_free(llm);
    return st;
}

void gm_llm_free(struct gm_llm *llm)
{
    if (!llm)
        return;
    if (llm->has_thread) {
        pthread_mutex_lock(&llm->lock);
        llm->quit = true;
        pthread_mutex_unlock(&llm->lock);
        gm_http_wake(llm->http);
        pthread_join(llm->thread, NULL);
    }
    gm_http_free(llm->http); /* before the bodies that it may be sending */
    while (llm->all) {
        struct gm_ask *a = llm->all;
        gm_ask_unlink(llm, a);
        gm_ask_free(a);
    }
    for (size_t i = 0; i < llm->n_ep; i++) {
        gm_local_server_stop(llm->servers[i]);
        gm_http_target_free(llm->ep[i].target);
        gm_free(llm->ep[i].name);
    }
    gm_free(llm->servers);
    gm_free(llm->ep);
    gm_free(llm->model);
    gm_secret_free(llm->key);
    if (llm->has_lock)
        pthread_mutex_destroy(&llm->lock);
    gm_free(llm);
}

size_t gm_llm_in_flight(const struct gm_llm *llm) { return llm->opts.in_flight; }

bool gm_llm_is_dry(const struct gm_llm *llm) { return llm->opts.dry_run; }

void gm_llm_drain(struct gm_llm *llm) { atomic_store(&llm->draining, 1); }

/* ---- numbers ---- */

void gm_llm_stats(struct gm_llm *llm, struct gm_llm_stats *out)
{
    pthread_mutex_lock(&llm->lock);
    *out = llm->stats;
    out->waiting = 0;
    for (const struct gm_ask *a = llm->all; a; a = a->all_next)
        out->waiting += a->ep == NULL;
    pthread_mutex_unlock(&llm->lock);
}

void gm_llm_reject(struct gm_llm *llm, const char *stage, const char *reason)
{
    size_t i = 0;
    pthread_mutex_lock(&llm->lock);
    while (i < llm->n_rejects && (strcmp(llm->rejects[i].stage, stage) != 0 ||
                                  strcmp(llm->rejects[i].reason, reason) != 0))
        i++;
    if (i == llm->n_rejects && i < GM_REJECTS_MAX)
        llm->rejects[llm->n_rejects++] = (struct gm_reject){stage, reason, 0};
    if (i < llm->n_rejects)
        llm->rejects[i].n++;
    pthread_mutex_unlock(&llm->lock);
}

bool gm_llm_rejected(struct gm_llm *llm, size_t i, const char **stage, const char **reason,
                     size_t *n)
{
    pthread_mutex_lock(&llm->lock);
    bool has = i < llm->n_rejects;
    if (has) {
        *stage = llm->rejects[i].stage;
        *reason = llm->rejects[i].reason;
        *n = llm->rejects[i].n;
    }
    pthread_mutex_unlock(&llm->lock);
    return has;
}
