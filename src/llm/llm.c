#include "llm/llm.h"

#include "base/alloc.h"
#include "base/host.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "llm/llm_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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

/* ---- the client ---- */

static enum gm_status start_thread(struct gm_llm *llm, struct gm_error *err)
{
    enum gm_status st = gm_thread_start(&llm->thread, 1, gm_client_thread, llm, err);
    llm->has_thread = st == GM_OK;
    return st;
}

static enum gm_status check_opts(const struct gm_llm_opts *o, struct gm_error *err)
{
    if (o->in_flight < 1 || o->in_flight > 4096)
        return GM_FAIL(err, GM_EARG, "requests in flight must be from 1 to 4096");
    if (o->budget > 0 && o->price_in <= 0 && o->price_out <= 0)
        return GM_FAIL(err, GM_EARG, "a budget needs the prices: %s",
                       gm_option("--price IN,OUT a million tokens"));
    if (o->max_tries < 1 || o->max_asks < 1 || o->breaker_fails < 1 || !(o->timeout_s > 0))
        return GM_FAIL(err, GM_EARG, "tries, asks and the time-out of a request must be over 0");
    return GM_OK;
}

enum gm_status gm_llm_new(struct gm_llm **out, const struct gm_llm_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char *key;
    *out = NULL;
    struct gm_llm *llm = gm_alloc(1, sizeof *llm);
    if (!llm)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    llm->opts = *opts;
    llm->breaker = (struct gm_breaker){opts->breaker_fails, opts->breaker_rest_s, opts->dead_s,
                                       opts->deadline_s};
    gm_rng_init(&llm->rng, opts->seed);
    gm_buf_init(&llm->tail_text, (size_t)1 << 24);
    gm_buf_init(&llm->warnings, (size_t)1 << 16);
    llm->has_lock = pthread_mutex_init(&llm->lock, NULL) == 0;
    GM_TRY(check_opts(opts, err));
    if (!(llm->model = gm_strdup(opts->model ? opts->model : "default")) || !llm->has_lock) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    llm->has_model = opts->model != NULL;
    GM_TRY(opts->key ? gm_secret_copy(&key, gm_str(opts->key), "the key", err)
                     : gm_secret_read(&key, opts->key_file, NULL, err));
    llm->key = key;
    GM_TRY(gm_secrets_add(&llm->secrets, key, err));
    GM_TRY(gm_server_groups_open(llm, opts, err));
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
    gm_asks_free(llm);
    gm_server_groups_close(llm);
    gm_buf_clear(&llm->tail_text);
    gm_buf_clear(&llm->warnings);
    gm_json_free((struct gm_json *)(uintptr_t)llm->tail.schema);
    gm_json_free((struct gm_json *)(uintptr_t)llm->tail.extra);
    gm_free(llm->model);
    gm_secrets_clear(&llm->secrets);
    if (llm->has_lock)
        pthread_mutex_destroy(&llm->lock);
    gm_free(llm);
}

size_t gm_llm_in_flight(const struct gm_llm *llm) { return llm->opts.in_flight; }

bool gm_llm_is_dry(const struct gm_llm *llm) { return llm->opts.dry_run; }

void gm_llm_drain(struct gm_llm *llm, double grace_s)
{
    double at = gm_clock_s() + grace_s, was = atomic_load(&llm->drain_at);
    while ((was <= 0 || at < was) && !atomic_compare_exchange_weak(&llm->drain_at, &was, at)) {
    }
    gm_http_wake(llm->http);
}

void gm_llm_go_on(struct gm_llm *llm)
{
    pthread_mutex_lock(&llm->lock);
    bool gave_up = llm->stop == GM_ENET || llm->stop == GM_EARG;
    for (size_t i = 0; i < llm->n_ep && gave_up; i++)
        gm_endpoint_mend(&llm->ep[i], &llm->breaker);
    if (gave_up)
        llm->stop = GM_OK;
    pthread_mutex_unlock(&llm->lock);
}

/* ---- numbers ---- */

void gm_llm_stats(struct gm_llm *llm, struct gm_llm_stats *out)
{
    pthread_mutex_lock(&llm->lock);
    *out = llm->stats;
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
