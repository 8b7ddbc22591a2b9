#include "cli/llm_options.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum gm_status read_price(const char *text, struct gm_llm_opts *out, struct gm_error *err)
{
    struct gm_str in, answer;
    if (!gm_str_cut(gm_str(text), ',', &in, &answer) || !gm_str_to_double(in, &out->price_in) ||
        !gm_str_to_double(answer, &out->price_out) || out->price_in < 0 || out->price_out < 0)
        return GM_FAIL(err, GM_EARG,
                       "--price: \"%s\" is not IN,OUT: two prices of a million tokens, as 0.5,1.5",
                       text);
    return GM_OK;
}

enum gm_status gm_llm_cli_read(const struct gm_llm_cli *c, struct gm_arena *a,
                               struct gm_llm_opts *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *from_env = getenv("OPENAI_BASE_URL");
    const char *nowhere = c->dry_run ? "http://127.0.0.1/v1" : NULL; /* nothing is sent */
    const char *endpoint = c->endpoint ? c->endpoint : from_env && from_env[0] ? from_env : nowhere;
    struct gm_llm_servers servers = {NULL, 0};
    *out = gm_llm_opts_default();
    out->model = c->model;
    out->key_file = c->key_file;
    out->llama_server = c->llama_server;
    out->in_flight = (size_t)c->in_flight;
    out->budget = c->budget;
    out->requests_per_min = c->requests_per_min;
    out->tokens_per_min = c->tokens_per_min;
    out->dry_run = c->dry_run;
    if (endpoint && (st = gm_llm_endpoints_read(&servers, gm_str(endpoint), a, err)) != GM_OK) {
        gm_error_prefix(err, "--endpoint");
        goto done;
    }
    out->endpoints = servers.endpoints;
    out->n_endpoints = servers.n;
    if (c->price)
        GM_TRY(read_price(c->price, out, err));
    if (c->budget > 0 && !c->price)
        st = GM_FAIL(err, GM_EARG, "--budget goes with --price IN,OUT");
done:
    return st;
}

size_t gm_llm_cli_progress(struct gm_llm *llm, const struct gm_llm_opts *opts,
                           struct gm_log_field out[GM_LLM_PROGRESS_MAX])
{
    struct gm_llm_stats s;
    size_t n = 0;
    gm_llm_stats(llm, &s);
    out[n++] = (struct gm_log_field){"tokens", (double)(s.prompt_tokens + s.completion_tokens)};
    if (opts->price_in > 0 || opts->price_out > 0)
        out[n++] = (struct gm_log_field){"cost", s.cost};
    out[n++] = (struct gm_log_field){"retries", (double)(s.retries + s.reasks)};
    out[n++] = (struct gm_log_field){"in_flight", (double)s.in_flight};
    return n;
}

void gm_llm_cli_summary(struct gm_llm *llm, const struct gm_llm_opts *opts)
{
    struct gm_llm_stats s;
    const char *stage, *reason;
    size_t n;
    gm_llm_stats(llm, &s);
    const struct gm_log_field fields[] = {
        {"requests", (double)s.submitted},
        {"answered", (double)s.answered},
        {"cached", (double)s.cached},
        {"failed", (double)s.failed},
        {"sent", (double)s.sent},
        {"retries", (double)s.retries},
        {"reasks", (double)s.reasks},
        {"invalid", (double)s.invalid},
        {"prompt_tokens", (double)s.prompt_tokens},
        {"completion_tokens", (double)s.completion_tokens},
        {"cached_tokens", (double)s.cached_tokens},
        {"retried_tokens", (double)s.retried_tokens},
        {"cost", s.cost}, /* last: only where prices were given */
    };
    bool priced = opts->price_in > 0 || opts->price_out > 0;
    gm_log_fields(GM_LOG_INFO, "llm", "asked", fields, sizeof fields / sizeof *fields - !priced);
    for (size_t i = 0; gm_llm_rejected(llm, i, &stage, &reason, &n); i++)
        GM_LOG(GM_LOG_INFO, "llm", "answers that could not be used: stage=%s reason=%s n=%zu",
               stage, reason, n);
}

enum gm_status gm_llm_cli_dry(struct gm_llm *llm, const struct gm_llm_opts *opts,
                              struct gm_buf *out, struct gm_error *err)
{
    struct gm_llm_stats s = {0};
    if (llm)
        gm_llm_stats(llm, &s);
    double in = (double)s.dry_prompt_tokens, answer = (double)s.dry_completion_tokens;
    enum gm_status st =
        gm_buf_printf(out, err, "requests %zu\nprompt tokens %zu\nanswer tokens, at most %zu\n",
                      s.dry_requests, s.dry_prompt_tokens, s.dry_completion_tokens);
    if (st == GM_OK && (opts->price_in > 0 || opts->price_out > 0))
        st = gm_buf_printf(out, err, "cost, at most %.4f\n",
                           1e-6 * (in * opts->price_in + answer * opts->price_out));
    return st;
}
