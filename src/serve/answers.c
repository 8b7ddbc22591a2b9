/* What there is beside predictions: the page's files, the recipes, and how the server is. */
#include "base/json.h"
#include "image/image.h"
#include "serve/assets.h"
#include "serve/clock.h"
#include "serve/server.h"

#include <stdio.h>
#include <string.h>

enum { BODY_MAX = 1 << 24 };

static void answer_text(struct gm_call *call, int status, const char *type, const char *text)
{
    struct gm_buf body;
    gm_buf_init(&body, BODY_MAX);
    (void)!gm_buf_add_c(&body, text, NULL);
    gm_call_answer(call, status, type, &body);
}

void gm_answer_health(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    (void)s, (void)route;
    answer_text(call, 200, "application/json", "{\"status\": \"alive\"}");
}

void gm_answer_ready(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    (void)route;
    if (s->is_stopping)
        gm_problem_answer(call, GM_PROBLEM_UNAVAILABLE, "the server finishes what it has", NULL);
    else
        answer_text(call, 200, "application/json", "{\"status\": \"ready\"}");
}

void gm_answer_asset(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    struct gm_buf body;
    const struct gm_asset *a = NULL;
    (void)s, (void)route;
    for (size_t i = 0; (a = gm_assets_at(i)) && !gm_str_eq_c(call->path, a->path);)
        i++;
    a = a ? a : gm_assets_at(0); /* /r/ID is the page */
    gm_buf_init(&body, BODY_MAX);
    gm_call_set_header(call, "ETag", a->etag);
    if (gm_str_eq_c(gm_call_header(call, "If-None-Match"), a->etag))
        gm_call_answer(call, 304, NULL, &body);
    else if (gm_buf_add(&body, a->p, a->n, NULL) == GM_OK)
        gm_call_answer(call, 200, a->type, &body);
    else
        gm_problem_answer(call, GM_PROBLEM_BUSY, "out of memory", NULL);
}

/* ---- recipes ---- */

static enum gm_status write_recipe(const struct gm_server *s, const struct gm_served *r,
                                   struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "{\"name\": ", err));
    GM_TRY(gm_json_write_str(gm_str(r->recipe->name), out, err));
    GM_TRY(gm_buf_add_c(out, ", \"description\": ", err));
    GM_TRY(gm_json_write_str(gm_str(r->recipe->description), out, err));
    GM_TRY(gm_buf_printf(out, err, ", \"default\": %s, \"stages\": [",
                         r == s->served ? "true" : "false"));
    for (size_t i = 0; i < r->recipe->n_stages; i++) {
        const struct gm_backend *b = r->recipe->stages[i].backend;
        GM_TRY(gm_buf_printf(out, err, "%s{\"stage\": \"%s\", \"backend\": \"%s\"}", i ? ", " : "",
                             b->stage, b->name));
    }
    GM_TRY(gm_buf_add_c(out, "]}", err));
done:
    return st;
}

static enum gm_status write_recipes(const struct gm_server *s, struct gm_buf *out,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_serve_opts *o = s->opts;
    GM_TRY(gm_buf_add_c(out, "{\"recipes\": [", err));
    for (size_t i = 0; i < o->n_recipes; i++) {
        GM_TRY(gm_buf_add_c(out, i ? ", " : "", err));
        GM_TRY(write_recipe(s, &s->served[i], out, err));
    }
    GM_TRY(gm_buf_printf(out, err,
                         "], \"limits\": {\"body_bytes\": %zu, \"posts\": %zu, \"queue\": %zu, "
                         "\"pixels\": %llu, \"seconds\": ",
                         o->max_body_bytes, o->max_posts, o->max_queue,
                         (unsigned long long)gm_image_max_pixels()));
    GM_TRY(gm_buf_add_number(out, o->request_s, 3, err));
    GM_TRY(gm_buf_add_c(out, "}}", err));
done:
    return st;
}

void gm_answer_recipes(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    struct gm_buf body;
    (void)route;
    gm_buf_init(&body, BODY_MAX);
    if (write_recipes(s, &body, NULL) == GM_OK) {
        gm_call_answer(call, 200, "application/json", &body);
        return;
    }
    gm_buf_clear(&body);
    gm_problem_answer(call, GM_PROBLEM_BUSY, "out of memory", NULL);
}

/* ---- metrics ---- */

/* One number of every recipe. */
struct row {
    const char *name, *kind, *help;
    size_t offset; /* in struct gm_worker_stats; of a size_t */
};

static enum gm_status write_row(const struct row *row, const struct gm_server *s,
                                const struct gm_worker_stats *stats, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char labels[256];
    for (size_t i = 0; i < s->opts->n_recipes; i++) {
        size_t value;
        memcpy(&value, (const char *)&stats[i] + row->offset, sizeof value);
        snprintf(labels, sizeof labels, "{recipe=\"%.200s\"}", s->served[i].recipe->name);
        GM_TRY(gm_metrics_value(out, row->name, row->kind, i ? NULL : row->help, labels,
                                (double)value, err));
    }
done:
    return st;
}

#define LLM(field) offsetof(struct gm_worker_stats, llm) + offsetof(struct gm_llm_stats, field)

static const struct row rows[] = {
    {"gmner_queue_posts", "gauge", "Posts that wait for the pipeline.",
     offsetof(struct gm_worker_stats, n_waiting)},
    {"gmner_pipeline_posts", "gauge", "Posts that are in the pipeline.",
     offsetof(struct gm_worker_stats, n_working)},
    {"gmner_llm_requests_total", "counter", "Requests to language models.", LLM(submitted)},
    {"gmner_llm_cache_hits_total", "counter", "Those answered by the cache.", LLM(cached)},
    {"gmner_llm_failed_total", "counter", "Those that failed.", LLM(failed)},
    {"gmner_llm_sent_total", "counter", "HTTP requests sent for them.", LLM(sent)},
    {"gmner_llm_prompt_tokens_total", "counter", "Tokens sent.", LLM(prompt_tokens)},
    {"gmner_llm_completion_tokens_total", "counter", "Tokens received.", LLM(completion_tokens)},
};

static enum gm_status write_metrics(struct gm_server *s, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_worker_stats stats[GM_SERVE_RECIPES];
    for (size_t i = 0; i < s->opts->n_recipes; i++)
        gm_worker_stats(s->served[i].worker, &stats[i]);
    GM_TRY(gm_metrics_write(&s->metrics, out, err));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        GM_TRY(write_row(&rows[i], s, stats, out, err));
    GM_TRY(gm_metrics_value(out, "gmner_connections", "gauge", "Open connections.", "",
                            (double)gm_httpd_connections(s->httpd), err));
    GM_TRY(gm_metrics_value(out, "gmner_body_bytes", "gauge", "Memory set apart for bodies.", "",
                            (double)s->held_bytes, err));
    GM_TRY(gm_metrics_value(out, "gmner_uptime_seconds", "gauge", "Since the start.", "",
                            1e-9 * (double)(gm_now_ns() - s->started_ns), err));
done:
    return st;
}

void gm_answer_metrics(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    struct gm_buf body;
    (void)route;
    gm_buf_init(&body, BODY_MAX);
    if (write_metrics(s, &body, NULL) == GM_OK) {
        gm_call_answer(call, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
        return;
    }
    gm_buf_clear(&body);
    gm_problem_answer(call, GM_PROBLEM_BUSY, "out of memory", NULL);
}
