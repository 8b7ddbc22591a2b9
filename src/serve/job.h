/* job.h - the posts of one request, their results, and the answer made of them.
 *
 * A job belongs to the thread that reads the request until it is given to a worker (worker.h), and is then
 * changed under that worker's lock. */
#ifndef GM_SERVE_JOB_H
#define GM_SERVE_JOB_H

#include "record/record.h"
#include "serve/problem.h"

enum { GM_JOB_STAGES = 16 };

/* The work of one stage on one post: in a batch of so many posts. */
struct gm_job_time {
    const char *stage;
    size_t n_posts;
    double seconds;
};

struct gm_job_post {
    struct gm_post post;  /* until the pipeline has it */
    struct gm_buf record; /* the result, a line of JSON */
    bool is_done;
    enum gm_problem problem; /* of a post that carries an error */
    char *detail;            /* and what it is; NULL = it has none */
    struct gm_job_time times[GM_JOB_STAGES];
    size_t n_times;
};

struct gm_job {
    struct gm_call *call; /* held */
    struct gm_job_post *posts;
    size_t n, n_taken, n_done; /* posts in all; the pipeline has or had; have a result */
    size_t n_sent;             /* results of a stream that were sent, in the order of the request */
    size_t n_out;              /* posts that the pipeline has now */
    bool is_one;               /* one post and not a list of them */
    bool is_stream, has_times;
    bool is_over; /* answered: results that come now are for nobody */
    long long end_ns;
    struct gm_job *next, *next_waiting;
};

/* gm_job_new - for so many posts, each empty; holds the call. *out is yours. Errors: NOMEM. */
enum gm_status gm_job_new(struct gm_job **out, struct gm_call *call, size_t n,
                          struct gm_error *err) GM_NODISCARD;
void gm_job_free(struct gm_job *job); /* NULL-safe */

/* gm_job_put - post i is ready: keep what is told of it, and answer what can be. The picture is not sent
 * back, and what a message could tell of the server's inside is left out of it. */
void gm_job_put(struct gm_job *job, size_t i, struct gm_post *post);

/* gm_job_fail - answer what is left with a problem, where it is not over. */
void gm_job_fail(struct gm_job *job, enum gm_problem p, const char *detail);

#endif
