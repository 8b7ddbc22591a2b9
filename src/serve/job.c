#include "serve/job.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { RECORD_MAX = 1 << 28 };

enum gm_status gm_job_new(struct gm_job **out, struct gm_call *call, size_t n, struct gm_error *err)
{
    struct gm_job *job = gm_alloc(1, sizeof *job);
    struct gm_job_post *posts = gm_alloc(n, sizeof *posts);
    *out = job;
    if (!job || !posts) {
        gm_free(job);
        gm_free(posts);
        *out = NULL;
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    job->posts = posts;
    job->n = n;
    for (size_t i = 0; i < n; i++) {
        gm_post_init(&posts[i].post);
        gm_buf_init(&posts[i].record, RECORD_MAX);
    }
    gm_call_hold(call);
    job->call = call;
    return GM_OK;
}

void gm_job_free(struct gm_job *job)
{
    if (!job)
        return;
    for (size_t i = 0; i < job->n; i++) {
        gm_post_clear(&job->posts[i].post);
        gm_buf_clear(&job->posts[i].record);
        gm_free(job->posts[i].detail);
    }
    gm_free(job->posts);
    gm_call_release(job->call);
    gm_free(job);
}

/* ---- results ---- */

/* Whose fault an error of a post is. What the sender of the post can mend is told as it is; the rest names
 * files and addresses of the server, and goes to its log. */
static enum gm_problem blame(struct gm_post *post)
{
    struct gm_str code = post->error.code;
    if (gm_str_eq_c(code, gm_status_name(GM_EFORMAT)))
        return GM_PROBLEM_POST;
    if (gm_str_eq_c(code, gm_status_name(GM_EAGAIN)))
        return GM_PROBLEM_TIMEOUT;
    GM_LOG(GM_LOG_WARN, "serve", "stage %.*s: %.*s", GM_STR_ARG(post->error.stage),
           GM_STR_ARG(post->error.message));
    bool is_net = gm_str_eq_c(code, gm_status_name(GM_ENET));
    post->error.message = is_net ? GM_STR("the model's server gave no answer that could be used")
                                 : GM_STR("the server could not do it; its log says why");
    return is_net ? GM_PROBLEM_BACKEND : GM_PROBLEM_INTERNAL;
}

static enum gm_status write_times(const struct gm_job_post *p, struct gm_buf *out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    out->n--; /* the record's last bracket */
    GM_TRY(gm_buf_add_c(out, ", \"timings\": [", err));
    for (size_t i = 0; i < p->n_times; i++) {
        const struct gm_job_time *t = &p->times[i];
        GM_TRY(gm_buf_printf(out, err, "%s{\"stage\": \"%s\", \"posts\": %zu, \"ms\": ",
                             i ? ", " : "", t->stage, t->n_posts));
        GM_TRY(gm_buf_add_number(out, t->seconds * 1e3, 3, err));
        GM_TRY(gm_buf_add_c(out, "}", err));
    }
    GM_TRY(gm_buf_add_c(out, "]}", err));
done:
    return st;
}

/* What is kept of a post that is ready. */
static enum gm_status keep(const struct gm_job *job, struct gm_job_post *p, struct gm_post *post,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (post->error.stage.n) {
        p->problem = blame(post);
        size_t n = post->error.stage.n + post->error.message.n + 3;
        if (!(p->detail = gm_alloc(n, 1)))
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        snprintf(p->detail, n, "%.*s: %.*s", GM_STR_ARG(post->error.stage),
                 GM_STR_ARG(post->error.message));
    }
    post->image = GM_STR("");
    if (post->source) {
        gm_json_remove(post->source, "image");
        gm_json_remove(post->source, "timings"); /* of an earlier request */
    }
    GM_TRY(gm_post_to_json(post, &p->record, err));
    if (job->has_times)
        GM_TRY(write_times(p, &p->record, err));
done:
    return st;
}

/* ---- answers ---- */

static enum gm_status list_records(const struct gm_job *job, struct gm_buf *out,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "{\"posts\": [", err));
    for (size_t i = 0; i < job->n; i++) {
        GM_TRY(gm_buf_add_c(out, i ? ", " : "", err));
        GM_TRY(gm_buf_add_str(out, gm_buf_str(&job->posts[i].record), err));
    }
    GM_TRY(gm_buf_add_c(out, "]}", err));
done:
    return st;
}

/* A post alone that failed: a problem, with what was found all the same. */
static void answer_failed(struct gm_job *job)
{
    const struct gm_job_post *p = &job->posts[0];
    struct gm_buf more;
    gm_buf_init(&more, RECORD_MAX);
    bool ok = gm_buf_add_c(&more, ", \"post\": ", NULL) == GM_OK &&
              gm_buf_add_str(&more, gm_buf_str(&p->record), NULL) == GM_OK;
    gm_problem_answer(job->call, p->problem, p->detail, ok ? &more : NULL);
    gm_buf_clear(&more);
}

/* All results are there. */
static void answer_all(struct gm_job *job)
{
    struct gm_buf body;
    job->is_over = true;
    if (job->is_one && job->posts[0].detail) {
        answer_failed(job);
        return;
    }
    gm_buf_init(&body, SIZE_MAX - 1);
    if (job->is_one) {
        body = job->posts[0].record;
        job->posts[0].record = (struct gm_buf){0};
    } else if (list_records(job, &body, NULL) != GM_OK) {
        gm_buf_clear(&body);
        gm_problem_answer(job->call, GM_PROBLEM_INTERNAL, "out of memory for the answer", NULL);
        return;
    }
    gm_call_answer(job->call, 200, "application/json", &body);
}

/* The results that come next in the request's order. */
static enum gm_status send_ready(struct gm_job *job, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (; job->n_sent < job->n && job->posts[job->n_sent].is_done; job->n_sent++) {
        struct gm_buf *line = &job->posts[job->n_sent].record;
        GM_TRY(gm_buf_add_c(line, "\n", err));
        gm_call_push(job->call, gm_buf_str(line));
        gm_buf_clear(line);
    }
    if (job->n_sent == job->n) {
        job->is_over = true;
        gm_call_end(job->call);
    }
done:
    return st;
}

void gm_job_put(struct gm_job *job, size_t i, struct gm_post *post)
{
    enum gm_status st = GM_OK;
    struct gm_job_post *p = &job->posts[i];
    job->n_done++;
    if (job->is_over)
        return;
    st = keep(job, p, post, NULL);
    p->is_done = true;
    if (st == GM_OK && job->is_stream)
        st = send_ready(job, NULL);
    else if (st == GM_OK && job->n_done == job->n)
        answer_all(job);
    if (st != GM_OK)
        gm_job_fail(job, GM_PROBLEM_INTERNAL, "out of memory for the answer");
}

void gm_job_fail(struct gm_job *job, enum gm_problem p, const char *detail)
{
    struct gm_buf line;
    if (job->is_over)
        return;
    job->is_over = true;
    if (!job->is_stream) {
        gm_problem_answer(job->call, p, detail, NULL);
        return;
    }
    /* the status has gone out: the problem is the stream's last line */
    gm_buf_init(&line, 1 << 16);
    if (gm_problem_write(&line, p, detail, NULL, NULL) == GM_OK &&
        gm_buf_add_c(&line, "\n", NULL) == GM_OK)
        gm_call_push(job->call, gm_buf_str(&line));
    gm_buf_clear(&line);
    gm_call_end(job->call);
}
