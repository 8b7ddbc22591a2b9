/* Starting the server, its time, and its end. */
#include "serve/serve.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"
#include "llm/secret.h"
#include "serve/clock.h"
#include "serve/guard.h"
#include "serve/multipart.h"
#include "serve/server.h"

#include <stdio.h>
#include <string.h>

enum { TICK_MS = 50, PEM_MAX = 1 << 20, HTTP_THREADS = 2 };

/* What answers need to reach their clients when all are ready. */
static const double last_seconds = 2;

/* Where it listens, and what that takes. */
struct place {
    const char *address;
    unsigned short port;
    struct gm_buf cert, key;
};

static enum gm_status read_place(const struct gm_serve_opts *o, struct gm_arena *a,
                                 struct place *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_split_listen(o->listen, a, &out->address, &out->port, err));
    if (!o->tls_cert != !o->tls_key)
        return GM_FAIL(err, GM_EARG, "--tls-cert and --tls-key go together");
    if (!gm_address_is_loopback(out->address) && !o->token_file)
        return GM_FAIL(
            err, GM_EARG,
            "%s can be reached from other machines: give --token-file, whose token every "
            "request must have, or listen on 127.0.0.1",
            o->listen);
    if (!gm_address_is_loopback(out->address) && !o->tls_cert)
        GM_LOG(
            GM_LOG_WARN, "serve",
            "without --tls-cert and --tls-key the token and all posts go over the network in clear "
            "text; put a proxy with TLS before it, or give both");
    if (o->tls_cert) {
        GM_TRY(gm_file_read(o->tls_cert, &out->cert, err));
        GM_TRY(gm_file_read(o->tls_key, &out->key, err));
    }
done:
    return st;
}

static void answer(void *server, struct gm_call *call)
{
    const struct gm_route *r = call->route;
    r->answer(server, call, r);
}

static void handle(void *server, struct gm_call *call)
{
    struct gm_server *s = server;
    const struct gm_route *r = call->route;
    struct gm_aside *aside = s->lanes[r->lane];
    call->is_json = gm_header_is(gm_call_header(call, "Content-Type"), "application/json");
    if (!aside)
        answer(s, call);
    else if (!gm_aside_put(aside, call))
        gm_problem_answer(call, s->is_stopping ? GM_PROBLEM_UNAVAILABLE : GM_PROBLEM_BUSY,
                          s->is_stopping ? "the server finishes what it has"
                                         : "too many requests of this kind wait already",
                          NULL);
}

/* The recipes are read at once, so that what is wrong with them is told at the start; models load later. */
static enum gm_status start_workers(struct gm_server *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_serve_opts *o = s->opts;
    for (size_t i = 0; i < o->n_recipes; i++) {
        struct gm_served *of = &s->served[i];
        struct gm_pipeline *try = NULL;
        GM_TRY(gm_recipe_load(&of->recipe, o->recipes[i], err));
        for (size_t j = 0; j < i; j++)
            if (strcmp(s->served[j].recipe->name, of->recipe->name) == 0)
                return GM_FAIL(err, GM_EARG, "two recipes are called \"%s\"", of->recipe->name);
        of->opts = o->pipeline;
        of->opts.recipe = o->recipes[i];
        GM_TRY(gm_pipeline_open(&try, &of->opts, err));
        gm_pipeline_free(try);
        GM_TRY(gm_worker_start(&of->worker, &of->opts, o->max_queue, &s->metrics, err));
    }
done:
    return st;
}

static enum gm_status open_files(struct gm_server *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_serve_opts *o = s->opts;
    for (size_t i = 0; i < GM_SERVE_BROWSED; i++)
        if (o->browse[i])
            GM_TRY(gm_browse_open(&s->browsed[i], o->browse[i], o->gold,
                                  i == 0 ? o->browse[1] : NULL, err));
done:
    return st;
}

static enum gm_status start_lanes(struct gm_server *s, struct gm_error *err)
{
    static const size_t threads[GM_N_LANES] = {
        [GM_LANE_DISK] = 1, [GM_LANE_PICTURES] = 2, [GM_LANE_EXPORTS] = 1};
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < GM_N_LANES; i++)
        if (threads[i])
            GM_TRY(gm_aside_start(&s->lanes[i], threads[i], s->opts->request_s, answer, s, err));
done:
    return st;
}

static enum gm_status start_httpd(struct gm_server *s, const struct place *p, struct gm_error *err)
{
    const struct gm_serve_opts *o = s->opts;
    const struct gm_httpd_opts ho = {
        .address = p->address,
        .port = p->port,
        .tls_cert = p->cert.p,
        .tls_key = p->key.p,
        .threads = HTTP_THREADS,
        .max_connections = o->max_connections,
        .max_header_bytes = o->max_header_bytes,
        .header_s = o->header_s,
        .body_s = o->body_s,
        .user = s,
        .begin = gm_gate_begin,
        .handle = handle,
        .done = gm_gate_done,
        .headers = gm_gate_headers,
    };
    return gm_httpd_start(&s->httpd, &ho, err);
}

static void tell_address(const struct gm_server *s, const struct place *p)
{
    char url[128];
    bool is_v6 = strchr(p->address, ':') != NULL;
    snprintf(url, sizeof url, "%s://%s%s%s:%u/", p->cert.n ? "https" : "http", is_v6 ? "[" : "",
             p->address, is_v6 ? "]" : "", gm_httpd_port(s->httpd));
    if (s->opts->listening)
        s->opts->listening(s->opts->user, url);
}

/* One step of the time: what is late is closed or answered. */
static void tick(struct gm_server *s)
{
    const struct timespec pause = {0, TICK_MS * 1000000L};
    nanosleep(&pause, NULL);
    gm_httpd_tick(s->httpd);
    for (size_t i = 0; i < s->opts->n_recipes; i++)
        gm_worker_tick(s->served[i].worker);
    for (size_t i = 0; i < GM_N_LANES; i++)
        gm_aside_tick(s->lanes[i]);
}

/* Whether posts or other requests wait or are worked on. */
static bool has_work(struct gm_server *s)
{
    struct gm_worker_stats stats;
    size_t n = 0;
    for (size_t i = 0; i < s->opts->n_recipes; i++) {
        gm_worker_stats(s->served[i].worker, &stats);
        n += stats.n_waiting + stats.n_working;
    }
    for (size_t i = 0; i < GM_N_LANES; i++)
        n += gm_aside_count(s->lanes[i]);
    return n > 0;
}

/* What is queued is finished, while /readyz says that nothing new is taken; then what is left is told so,
 * and the answers get a moment to reach their clients. */
static void drain(struct gm_server *s)
{
    const struct gm_serve_opts *o = s->opts;
    long long end = gm_now_ns() + (long long)(o->drain_s * 1e9);
    s->is_stopping = true;
    GM_LOG(GM_LOG_INFO, "serve",
           "stopping: what is queued has %g s; a second signal ends it at once", o->drain_s);
    for (size_t i = 0; i < o->n_recipes; i++)
        gm_worker_close(s->served[i].worker);
    for (size_t i = 0; i < GM_N_LANES; i++)
        gm_aside_close(s->lanes[i]);
    while (has_work(s) && gm_now_ns() < end)
        tick(s);
    gm_stop_now();
    for (size_t i = 0; i < o->n_recipes; i++)
        gm_worker_stop(s->served[i].worker);
    for (size_t i = 0; i < GM_N_LANES; i++)
        gm_aside_stop(s->lanes[i]);
    end = gm_now_ns() + (long long)(last_seconds * 1e9);
    while (s->n_calls && gm_now_ns() < end) {
        const struct timespec pause = {0, TICK_MS * 1000000L};
        nanosleep(&pause, NULL);
        gm_httpd_tick(s->httpd);
    }
}

static void free_server(struct gm_server *s)
{
    for (size_t i = 0; i < s->opts->n_recipes; i++)
        gm_worker_stop(s->served[i].worker);
    for (size_t i = 0; i < GM_N_LANES; i++)
        gm_aside_stop(s->lanes[i]);
    gm_httpd_stop(s->httpd); /* every call has its answer now */
    for (size_t i = 0; i < s->opts->n_recipes; i++) {
        gm_worker_free(s->served[i].worker);
        gm_recipe_free(s->served[i].recipe);
    }
    for (size_t i = 0; i < GM_SERVE_BROWSED; i++)
        gm_browse_free(s->browsed[i]);
    for (size_t i = 0; i < GM_N_LANES; i++)
        gm_aside_free(s->lanes[i]);
    gm_secret_free(s->token);
    gm_free(s);
}

enum gm_status gm_serve(const struct gm_serve_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct place p = {0};
    gm_arena_init(&a, 0);
    gm_buf_init(&p.cert, PEM_MAX);
    gm_buf_init(&p.key, PEM_MAX);
    struct gm_server *s = gm_alloc(1, sizeof *s);
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->opts = opts;
    s->started_ns = gm_now_ns();
    for (size_t i = 0; gm_routes_at(i); i++)
        s->metrics.routes[i] = gm_routes_at(i)->path;
    s->metrics.routes[gm_routes_number(NULL)] = "other";
    GM_TRY(read_place(opts, &a, &p, err));
    if (opts->token_file)
        GM_TRY(gm_secret_read(&s->token, opts->token_file, NULL, err));
    GM_TRY(open_files(s, err));
    GM_TRY(start_workers(s, err));
    gm_stop_catch_gently();
    GM_TRY(start_lanes(s, err));
    GM_TRY(start_httpd(s, &p, err));
    tell_address(s, &p);
    while (!gm_stop_signal())
        tick(s);
    drain(s);
done:
    free_server(s);
    if (p.key.p)
        gm_wipe(p.key.p, p.key.n);
    gm_buf_clear(&p.key);
    gm_buf_clear(&p.cert);
    gm_arena_clear(&a);
    return st;
}
