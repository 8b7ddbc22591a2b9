/* The model of the public API: the options, and what its sessions share. */
#include "api/api_internal.h"
#include "base/alloc.h"
#include "base/parallel.h"
#include "base/shared.h"
#include "base/stop.h"
#include "llm/secret.h"

#include <string.h>

void gm_api_enter(struct gm_api_call *c, const struct gmner_model *m, size_t threads,
                  const atomic_bool *cancelled)
{
    *c = (struct gm_api_call){gm_host_get(), gm_stop_watched(), gm_threads()};
    gm_host_set(&m->host);
    gm_stop_watch(cancelled);
    gm_threads_set(threads);
}

void gm_api_leave(const struct gm_api_call *c)
{
    gm_host_set(c->host);
    gm_stop_watch(c->flag);
    gm_threads_set(c->threads);
}

void gmner_opts_init(struct gmner_opts *opts, size_t size)
{
    if (!opts || size < sizeof opts->struct_size)
        return;
    memset(opts, 0, size);
    opts->struct_size = size;
}

/* *to = a copy that lives with the model; NULL stays NULL. */
static enum gm_status keep(struct gmner_model *m, const char **to, const char *text,
                           struct gm_error *err)
{
    *to = text ? gm_arena_str(&m->arena, gm_str(text)).p : NULL;
    return *to || !text ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status check(const struct gmner_opts *o, struct gm_error *err)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"post_seconds", o->post_seconds},
                   {"llm_price_in", o->llm_price_in},
                   {"llm_price_out", o->llm_price_out},
                   {"llm_budget", o->llm_budget},
                   {"llm_requests_per_min", o->llm_requests_per_min},
                   {"llm_tokens_per_min", o->llm_tokens_per_min}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!(numbers[i].value >= 0 && numbers[i].value <= 1e15))
            return GM_FAIL(err, GM_EARG, "option %s is %g; it must be 0 or more", numbers[i].name,
                           numbers[i].value);
    if (o->threads > 1024 || o->sessions > 1024)
        return GM_FAIL(err, GM_EARG, "options threads and sessions are at most 1024");
    if (o->log_level < 0 || o->log_level > GMNER_LOG_DEBUG)
        return GM_FAIL(err, GM_EARG, "option log_level is %d; it must be 0 to %d", o->log_level,
                       (int)GMNER_LOG_DEBUG);
    return GM_OK;
}

static enum gm_status set_llm(struct gmner_model *m, const struct gmner_opts *o,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_llm_servers servers = {NULL, 0};
    struct gm_llm_opts *l = &m->llm;
    *l = gm_llm_opts_default();
    if (o->llm_endpoint) {
        st = gm_llm_endpoints_read(&servers, gm_str(o->llm_endpoint), &m->arena, err);
        if (st != GM_OK) {
            gm_error_prefix(err, "option llm_endpoint");
            goto done;
        }
    }
    l->endpoints = servers.endpoints;
    l->n_endpoints = servers.n;
    if (o->llm_key) {
        GM_TRY(gm_secret_copy(&m->key, gm_str(o->llm_key), "option llm_key", err));
        l->key = m->key;
    }
    GM_TRY(keep(m, &l->model, o->llm_model, err));
    GM_TRY(keep(m, &l->key_file, o->llm_key_file, err));
    GM_TRY(keep(m, &l->llama_server, o->llm_server, err));
    if (o->llm_in_flight)
        l->in_flight = o->llm_in_flight;
    l->price_in = o->llm_price_in;
    l->price_out = o->llm_price_out;
    l->budget = o->llm_budget;
    l->requests_per_min = o->llm_requests_per_min;
    l->tokens_per_min = o->llm_tokens_per_min;
done:
    return st;
}

static enum gm_status set_pipeline(struct gmner_model *m, const struct gmner_opts *o,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_pipeline_opts *p = &m->pipeline;
    GM_TRY(keep(m, &p->recipe, o->recipe, err));
    GM_TRY(keep(m, &p->settings, o->settings, err));
    GM_TRY(keep(m, &p->tagger, o->tagger, err));
    GM_TRY(keep(m, &p->precision, o->precision, err));
    GM_TRY(keep(m, &p->cache, o->llm_cache, err));
    GM_TRY(keep(m, &m->run, o->run, err));
    p->max_words = o->max_words;
    p->post_seconds = o->post_seconds;
    p->llm = &m->llm;
    p->client = &m->client;
done:
    return st;
}

/* What messages call the program's options here; "" = nothing that a host could do. */
static const char *option(const char *flag)
{
    static const char *const names[][2] = {
        {"--precision", "option precision"},
        {"--endpoint URL", "option llm_endpoint"},
        {"--endpoint URL (or FILE.gguf), or set OPENAI_BASE_URL", "option llm_endpoint"},
        {"--endpoint URL or FILE.gguf, or set OPENAI_BASE_URL", "option llm_endpoint"},
        {"--key-file", "the file of option llm_key_file"},
        {"--llama-server", "option llm_server"},
        {"--price IN,OUT a million tokens", "options llm_price_in and llm_price_out"},
        {"--in-flight", "option llm_in_flight"},
        {"--max-words", "option max_words"},
        {"--max-pixels", "option max_pixels"},
        {"--run", "option run"},
        {"run the same command again", "call again"},
        {"--clip FILE", "the setting clip"},
        {"`gmner train --task ner`", "training"},
        {"`gmner train --task ner --encoder`", "training"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], flag) == 0)
            return names[i][1];
    return ""; /* advice on how to call the program */
}

static void pass_on(void *user, enum gm_log_level level, const char *line)
{
    const struct gmner_model *m = user;
    m->log(m->log_user, (int)level + GMNER_LOG_ERROR, line);
}

static enum gm_status set_host(struct gmner_model *m, const struct gmner_opts *o,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_host *h = &m->host;
    m->threads = o->threads ? o->threads : gm_threads();
    size_t cores = gm_cores();
    h->sessions = o->sessions ? o->sessions : cores > m->threads ? cores / m->threads : 1;
    m->log = o->log;
    m->log_user = o->log_user;
    h->log = o->log ? pass_on : NULL;
    h->option = option;
    h->max_pixels = o->max_pixels;
    h->log_user = m;
    h->log_level =
        (enum gm_log_level)((o->log_level ? o->log_level : GMNER_LOG_INFO) - GMNER_LOG_ERROR);
    GM_TRY(keep(m, &h->home, o->home, err));
    GM_TRY(keep(m, &h->models, o->models, err));
    GM_TRY(gm_shared_new(&h->shared, err));
done:
    return st;
}

void gm_api_model_drop(struct gmner_model *m)
{
    struct gm_api_call call;
    if (!m || atomic_fetch_sub(&m->n_users, 1) != 1)
        return;
    gm_api_enter(&call, m, 0, NULL);
    gm_shared_free(m->host.shared);
    gm_api_leave(&call);
    gm_secret_free(m->key);
    gm_arena_clear(&m->arena);
    gm_free(m);
}

void gmner_close(struct gmner_model *model) { gm_api_model_drop(model); }

/* What can be known without the models' files: the recipe, its settings, a server. */
static enum gm_status try_out(const struct gmner_model *m, struct gm_error *err)
{
    struct gm_api_call call;
    struct gm_pipeline *p = NULL;
    gm_api_enter(&call, m, 0, NULL);
    enum gm_status st = gm_pipeline_open(&p, &m->pipeline, err);
    gm_pipeline_free(p);
    gm_api_leave(&call);
    return st;
}

int gmner_open(const struct gmner_opts *opts, struct gmner_model **model, struct gmner_error *error)
{
    enum gm_status st = GM_OK;
    struct gm_error e = {0}, *err = &e;
    struct gmner_opts o = {0};
    struct gmner_model *m = NULL;
    if (!model)
        return gm_api_fail(error, GMNER_EARG, "gmner_open: model is NULL");
    *model = NULL;
    if (opts)
        GM_TRY(gm_api_copy(&o, sizeof o, opts, "gmner_opts", err));
    GM_TRY(check(&o, err));
    if (!(m = gm_alloc(1, sizeof *m))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    gm_arena_init(&m->arena, 0);
    atomic_store(&m->n_users, 1);
    GM_TRY(set_host(m, &o, err));
    GM_TRY(set_llm(m, &o, err));
    GM_TRY(set_pipeline(m, &o, err));
    GM_TRY(try_out(m, err));
    *model = m;
    m = NULL;
done:
    gm_api_model_drop(m);
    return gm_api_done(st, &e, error);
}

int gmner_model_usage(const struct gmner_model *model, struct gmner_usage *usage,
                      struct gmner_error *error)
{
    struct gm_error e = {0};
    struct gm_llm_stats s = {0};
    if (!model)
        return gm_api_fail(error, GMNER_EARG, "gmner_model_usage: model is NULL");
    if (!usage || usage->struct_size < 2 * sizeof usage->struct_size)
        return gm_api_fail(error, GMNER_EARG, "gmner_model_usage: usage has no struct_size");
    struct gm_llm *llm = atomic_load(&model->client);
    if (llm)
        gm_llm_stats(llm, &s);
    const struct gmner_usage now = {.struct_size = usage->struct_size,
                                    .requests = s.submitted,
                                    .answered = s.answered,
                                    .cached = s.cached,
                                    .failed = s.failed,
                                    .prompt_tokens = s.prompt_tokens,
                                    .completion_tokens = s.completion_tokens,
                                    .cost = s.cost};
    memcpy(usage, &now, now.struct_size < sizeof now ? now.struct_size : sizeof now);
    return gm_api_done(GM_OK, &e, error);
}
