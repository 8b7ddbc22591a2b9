/* POST /v1/predict: a call becomes a job in a recipe's queue. */
#include "serve/clock.h"
#include "serve/predict_request.h"
#include "serve/query.h"
#include "serve/server.h"

#include <stdio.h>
#include <strings.h>

struct wish {
    struct gm_served *of;
    bool is_stream, has_times;
};

static enum gm_status read_flag(const struct gm_query *q, const char *name, bool *out,
                                struct gm_error *err)
{
    struct gm_str v = gm_query_get(q, name);
    if (!v.p)
        return GM_OK;
    *out = gm_str_eq_c(v, "true");
    if (!*out && !gm_str_eq_c(v, "false"))
        return GM_FAIL(err, GM_EARG, "the parameter %s is true or false", name);
    return GM_OK;
}

static enum gm_status find_recipe(struct gm_server *s, const struct gm_query *q,
                                  struct gm_served **out, enum gm_problem *problem,
                                  struct gm_error *err)
{
    struct gm_str name = gm_query_get(q, "recipe");
    *out = s->served;
    if (!name.p)
        return GM_OK;
    for (size_t i = 0; i < s->opts->n_recipes; i++)
        if (gm_str_eq_c(name, s->served[i].recipe->name)) {
            *out = &s->served[i];
            return GM_OK;
        }
    *problem = GM_PROBLEM_NOT_FOUND;
    return GM_FAIL(err, GM_EARG,
                   "no recipe of this name is served; GET /v1/recipes lists those that are");
}

/* Whether lines are wanted rather than one document. */
static bool accepts_lines(struct gm_str accept)
{
    static const char *const types[] = {"application/jsonl", "application/x-ndjson",
                                        "application/json-lines"};
    struct gm_str type, rest, with;
    while (accept.n) {
        gm_str_cut(accept, ',', &with, &accept);
        gm_str_cut(with, ';', &type, &rest);
        type = gm_str_trim(type);
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (type.n == gm_str(types[i]).n && strncasecmp(type.p, types[i], type.n) == 0)
                return true;
    }
    return false;
}

static enum gm_status read_wish(struct gm_server *s, struct gm_call *call, struct wish *w,
                                enum gm_problem *problem, struct gm_error *err)
{
    static const char *const known[] = {"recipe", "stream", "timings", NULL};
    enum gm_status st = GM_OK;
    struct gm_query q;
    w->is_stream = accepts_lines(gm_call_header(call, "Accept"));
    w->has_times = false;
    GM_TRY(gm_query_parse(&q, call->query, &call->arena, err));
    for (size_t i = 0; i < q.n; i++)
        if (!gm_str_is_one_of(q.params[i].name, known))
            return GM_FAIL(err, GM_EARG,
                           "there is no parameter \"%.*s\"; there are recipe, stream and "
                           "timings",
                           GM_STR_ARG(q.params[i].name));
    GM_TRY(find_recipe(s, &q, &w->of, problem, err));
    GM_TRY(read_flag(&q, "stream", &w->is_stream, err));
    GM_TRY(read_flag(&q, "timings", &w->has_times, err));
done:
    return st;
}

static void submit(struct gm_server *s, const struct wish *w, struct gm_job *job)
{
    char detail[160];
    job->is_stream = w->is_stream;
    job->has_times = w->has_times;
    job->end_ns = gm_now_ns() + (long long)(s->opts->request_s * 1e9);
    if (gm_worker_submit(w->of->worker, job))
        return;
    snprintf(detail, sizeof detail, "%zu posts may wait; send these again in a moment",
             s->opts->max_queue);
    if (s->is_stopping)
        gm_problem_answer(job->call, GM_PROBLEM_UNAVAILABLE, "the server takes no new posts", NULL);
    else
        gm_problem_answer(job->call, GM_PROBLEM_QUEUE_FULL, detail, NULL);
    gm_job_free(job);
}

void gm_answer_predict(struct gm_server *s, struct gm_call *call, const struct gm_route *route)
{
    struct gm_error e = {0};
    enum gm_problem problem = GM_PROBLEM_BAD_REQUEST;
    struct wish w;
    struct gm_job *job;
    char detail[160];
    (void)route;
    if (call->is_too_long) {
        snprintf(detail, sizeof detail, "the body may have %zu bytes", s->opts->max_body_bytes);
        gm_problem_answer(call, GM_PROBLEM_TOO_LARGE, detail, NULL);
        return;
    }
    if (s->is_stopping) {
        gm_problem_answer(call, GM_PROBLEM_UNAVAILABLE, "the server takes no new posts", NULL);
        return;
    }
    enum gm_status st = read_wish(s, call, &w, &problem, &e);
    if (st == GM_OK)
        st = gm_predict_read(&job, call, gm_call_header(call, "Content-Type"), s->opts->max_posts,
                             &problem, &e);
    if (st != GM_OK) {
        gm_problem_answer(call, problem, e.msg, NULL);
        return;
    }
    gm_buf_clear(&call->body);
    submit(s, &w, job);
}
