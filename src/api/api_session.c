/* Sessions of the public API: one call at a time through a pipeline of their own. */
#include "api/api_internal.h"
#include "base/alloc.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "base/utf8.h"

enum { IDLE_MS = 5 }; /* without a post for so long, a stream's batch that is not full starts */

struct gmner_session {
    struct gmner_model *model;
    struct gm_pipeline *pipeline; /* NULL once it is closed */
    size_t threads;
    atomic_bool is_busy, cancelled;
};

/* ---- a call ---- */

/* 0, and the session is the caller's until `leave`; else what is wrong, said. */
static int enter(struct gmner_session *s, struct gm_api_call *call, const char *what,
                 struct gmner_error *error)
{
    if (!s)
        return gm_api_fail(error, GMNER_EARG, "%s: session is NULL", what);
    if (atomic_exchange(&s->is_busy, true))
        return gm_api_fail(error, GMNER_EBUSY,
                           "%s: the session is in another call; give each thread its own", what);
    if (!s->pipeline) {
        atomic_store(&s->is_busy, false);
        return gm_api_fail(error, GMNER_ECLOSED, "%s: the session is closed", what);
    }
    atomic_store(&s->cancelled, false);
    gm_api_enter(call, s->model, s->threads, &s->cancelled);
    return GMNER_OK;
}

static int leave(struct gmner_session *s, const struct gm_api_call *call, enum gm_status st,
                 const struct gm_error *e, struct gmner_error *error)
{
    gm_api_leave(call);
    atomic_store(&s->is_busy, false);
    return gm_api_done(st, e, error);
}

/* ---- its life ---- */

int gmner_session_new(struct gmner_model *model, struct gmner_session **session,
                      struct gmner_error *error)
{
    enum gm_status st = GM_OK;
    struct gm_error e = {0}, *err = &e;
    struct gm_api_call call;
    if (!model || !session)
        return gm_api_fail(error, GMNER_EARG, "gmner_session_new: %s is NULL",
                           model ? "session" : "model");
    *session = NULL;
    struct gmner_session *s = gm_alloc(1, sizeof *s);
    if (!s)
        return gm_api_fail(error, GMNER_ENOMEM, "out of memory");
    atomic_fetch_add(&model->n_users, 1);
    s->model = model;
    gm_api_enter(&call, model, model->threads, NULL);
    gm_threads_begin();
    s->threads = gm_threads();
    st = gm_pipeline_open(&s->pipeline, &model->pipeline, err);
    gm_api_leave(&call);
    if (st == GM_OK)
        *session = s;
    else
        gmner_session_free(s);
    return gm_api_done(st, &e, error);
}

int gmner_session_close(struct gmner_session *session, struct gmner_error *error)
{
    struct gm_api_call call;
    struct gm_error e = {0};
    int rc = enter(session, &call, "gmner_session_close", error);
    if (rc != GMNER_OK)
        return rc == GMNER_ECLOSED ? gm_api_done(GM_OK, &e, error) : rc;
    gm_pipeline_free(session->pipeline);
    session->pipeline = NULL;
    return leave(session, &call, GM_OK, &e, error);
}

void gmner_session_free(struct gmner_session *session)
{
    if (!session)
        return;
    (void)gmner_session_close(session, NULL);
    gm_api_model_drop(session->model);
    gm_free(session);
}

void gmner_cancel(struct gmner_session *session)
{
    if (session)
        atomic_store(&session->cancelled, true);
}

/* ---- predict ---- */

/* Posts on their way in and out. */
struct batch {
    const struct gmner_post *posts;
    size_t n, n_taken;
    struct gmner_result *result;
};

/* The caller's structures may be of another size than ours. */
static const struct gmner_post *post_at(const struct gmner_post *posts, size_t i)
{
    return (const struct gmner_post *)(const void *)((const char *)posts + i * posts->struct_size);
}

static enum gm_status next_of_batch(void *user, struct gm_post *post, bool *has, gm_wait_fn *wait,
                                    void *wait_user, struct gm_error *err)
{
    struct batch *b = user;
    (void)wait;
    (void)wait_user;
    *has = b->n_taken < b->n;
    if (!*has)
        return GM_OK;
    enum gm_status st = gm_api_post(post, post_at(b->posts, b->n_taken), b->n_taken + 1, err);
    *has = st == GM_OK;
    b->n_taken++;
    return st;
}

static enum gm_status put_into_result(void *user, struct gm_post *post, struct gm_error *err)
{
    struct batch *b = user;
    return gm_api_result_add(b->result, post, err);
}

static bool is_cancelled(void *user)
{
    (void)user;
    return gm_stop_asked();
}

static enum gm_status predict(struct gmner_session *s, const struct gmner_post *posts, size_t n,
                              struct gmner_result **result, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct batch b = {.posts = posts, .n = n};
    const struct gm_post_source source = {&b, next_of_batch, 0, n};
    const struct gm_stream_sink sink = {
        .user = &b, .post = put_into_result, .should_stop = is_cancelled};
    GM_TRY(gm_api_result_new(&b.result, n, err));
    if (n)
        GM_TRY(gm_pipeline_serve(s->pipeline, &source, &sink, err));
    *result = b.result;
    b.result = NULL;
done:
    gmner_result_free(b.result);
    return st;
}

int gmner_predict(struct gmner_session *session, const struct gmner_post *posts, size_t n,
                  struct gmner_result **result, struct gmner_error *error)
{
    struct gm_api_call call;
    struct gm_error e = {0};
    struct gmner_post first;
    if (result)
        *result = NULL;
    if (!result || (!posts && n))
        return gm_api_fail(error, GMNER_EARG, "gmner_predict: %s is NULL",
                           result ? "posts" : "result");
    enum gm_status st = n ? gm_api_copy(&first, sizeof first, posts, "gmner_post", &e) : GM_OK;
    if (st != GM_OK)
        return gm_api_done(st, &e, error);
    int rc = enter(session, &call, "gmner_predict", error);
    if (rc != GMNER_OK)
        return rc;
    st = predict(session, posts, n, result, &e);
    return leave(session, &call, st, &e, error);
}

/* ---- posts as JSON text ---- */

/* The posts of a text, which lie in it one behind the other. */
struct texts {
    struct gmner_post *v;
    size_t n, cap;
};

static enum gm_status add_text(struct texts *t, struct gm_str json, struct gm_error *err)
{
    enum gm_status st = GM_GROW(t->v, t->n, t->cap, err);
    if (st == GM_OK)
        t->v[t->n++] =
            (struct gmner_post){.struct_size = sizeof *t->v, .json = json.p, .json_len = json.n};
    return st;
}

/* Whether a text is one object, be it on several lines; *why (may be NULL) says why not. Errors: NOMEM. */
static enum gm_status is_object(struct gm_str text, bool *is, struct gm_error *why)
{
    struct gm_json *j = NULL;
    struct gm_buf b;
    gm_buf_init(&b, SIZE_MAX - 1);
    enum gm_status st = gm_utf8_repair(text, &b, why);
    if (st == GM_OK)
        st = gm_json_parse_lenient(&j, gm_buf_str(&b), why);
    *is = gm_json_kind(j) == GM_JSON_OBJECT;
    if (st == GM_OK && !*is)
        (void)GM_FAIL(why, GM_EFORMAT, "expected an object, found %s",
                      gm_json_kind_name(gm_json_kind(j)));
    gm_json_free(j);
    gm_buf_clear(&b);
    return st == GM_ENOMEM ? st : GM_OK;
}

static enum gm_status split_lines(struct texts *t, struct gm_str text, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_error why = {0};
    struct gm_str line;
    size_t n = 0, first = 0;
    bool is_any = false;
    while (text.n) {
        gm_str_cut(text, '\n', &line, &text);
        n++;
        if (!gm_str_trim(line).n)
            continue;
        GM_TRY(add_text(t, line, err));
        if (!is_any)
            GM_TRY(is_object(line, &is_any, first ? NULL : &why));
        first = first ? first : n;
    }
    if (t->n && !is_any)
        st = GM_FAIL(err, GM_EFORMAT,
                     "the text is no JSON object, array or lines of objects; line %zu: %s", first,
                     why.msg);
done:
    return st;
}

/* The elements of an array, each written anew. */
static enum gm_status split_array(struct texts *t, struct gm_str text, struct gm_arena *a,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    struct gm_buf b;
    gm_buf_init(&b, SIZE_MAX - 1);
    GM_TRY(gm_utf8_repair(text, &b, err));
    GM_TRY(gm_json_parse_lenient(&j, gm_buf_str(&b), err));
    bool is_any = false;
    for (size_t i = 0; i < gm_json_count(j); i++) {
        is_any = is_any || gm_json_kind(gm_json_at(j, i)) == GM_JSON_OBJECT;
        gm_buf_reset(&b);
        GM_TRY(gm_json_write(gm_json_at(j, i), false, &b, err));
        struct gm_str one = gm_arena_str(a, gm_buf_str(&b));
        GM_TRY(one.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
        GM_TRY(add_text(t, one, err));
    }
    if (t->n && !is_any)
        st = GM_FAIL(err, GM_EFORMAT, "none of the array's %zu elements is a JSON object", t->n);
done:
    gm_json_free(j);
    gm_buf_clear(&b);
    return st;
}

static enum gm_status split(struct texts *t, struct gm_str text, struct gm_arena *a,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str rest = gm_str_trim(text), line;
    bool has_lines, is_post = false, is_whole = false;
    if (gm_str_starts(rest, GM_STR("[")))
        return split_array(t, rest, a, err);
    has_lines = gm_str_cut(rest, '\n', &line, &(struct gm_str){NULL, 0});
    if (has_lines)
        GM_TRY(is_object(line, &is_post, NULL));
    if (has_lines && !is_post)
        GM_TRY(is_object(rest, &is_whole, NULL));
    st = is_whole ? add_text(t, rest, err) : split_lines(t, rest, err);
done:
    return st;
}

int gmner_predict_json(struct gmner_session *session, const char *text, size_t len,
                       struct gmner_result **result, struct gmner_error *error)
{
    enum gm_status st = GM_OK;
    struct gm_error e = {0};
    struct gm_arena a;
    struct texts t = {NULL, 0, 0};
    if (result)
        *result = NULL;
    if (!result || (!text && len))
        return gm_api_fail(error, GMNER_EARG, "gmner_predict_json: %s is NULL",
                           result ? "text" : "result");
    gm_arena_init(&a, 0);
    st = split(&t, (struct gm_str){text, len}, &a, &e);
    int rc =
        st == GM_OK ? gmner_predict(session, t.v, t.n, result, error) : gm_api_done(st, &e, error);
    gm_arena_clear(&a);
    gm_free(t.v);
    return rc;
}

/* ---- streams ---- */

struct flow {
    struct gmner_stream stream;
    size_t n_taken;
};

static enum gm_status stopped_by_host(struct gm_error *err)
{
    return GM_FAIL(err, GM_ECANCEL, "stopped on request");
}

static enum gm_status next_of_flow(void *user, struct gm_post *post, bool *has, gm_wait_fn *wait,
                                   void *wait_user, struct gm_error *err)
{
    struct flow *f = user;
    struct gmner_post p = {.struct_size = sizeof p};
    (void)wait;
    (void)wait_user;
    int got = f->stream.next(f->stream.user, &p);
    *has = false;
    if (got == GMNER_NEXT_LATER)
        return GM_EAGAIN;
    if (got == GMNER_NEXT_END)
        return GM_OK;
    if (got != GMNER_NEXT_POST)
        return stopped_by_host(err);
    enum gm_status st = gm_api_post(post, &p, ++f->n_taken, err);
    *has = st == GM_OK;
    return st;
}

static enum gm_status put_of_flow(void *user, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct flow *f = user;
    struct gmner_result *r = NULL;
    GM_TRY(gm_api_result_new(&r, 1, err));
    GM_TRY(gm_api_result_add(r, post, err));
    if (f->stream.put(f->stream.user, r) != 0)
        st = stopped_by_host(err);
    r = NULL; /* the host's */
done:
    gmner_result_free(r);
    return st;
}

static bool stop_of_flow(void *user)
{
    const struct flow *f = user;
    return gm_stop_asked() || (f->stream.stop && f->stream.stop(f->stream.user));
}

/* The run folder is open as long as the stream, in a pipeline of its own; the weights are shared. */
static enum gm_status run_flow(struct gmner_session *s, struct flow *f, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_pipeline *with_run = NULL;
    struct gm_pipeline_opts opts = s->model->pipeline;
    const struct gm_post_source source = {f, next_of_flow, IDLE_MS, 0};
    const struct gm_stream_sink sink = {
        .user = f, .post = put_of_flow, .should_stop = stop_of_flow};
    opts.run = s->model->run;
    if (opts.run)
        GM_TRY(gm_pipeline_open(&with_run, &opts, err));
    GM_TRY(gm_pipeline_serve(with_run ? with_run : s->pipeline, &source, &sink, err));
done:
    gm_pipeline_free(with_run);
    return st;
}

int gmner_stream_run(struct gmner_session *session, const struct gmner_stream *stream,
                     struct gmner_error *error)
{
    struct gm_api_call call;
    struct gm_error e = {0};
    struct flow f = {.n_taken = 0};
    enum gm_status st = gm_api_copy(&f.stream, sizeof f.stream, stream, "gmner_stream", &e);
    if (st != GM_OK)
        return gm_api_done(st, &e, error);
    if (!f.stream.next || !f.stream.put)
        return gm_api_fail(error, GMNER_EARG, "gmner_stream_run: %s is NULL",
                           f.stream.next ? "put" : "next");
    int rc = enter(session, &call, "gmner_stream_run", error);
    if (rc != GMNER_OK)
        return rc;
    st = run_flow(session, &f, &e);
    return leave(session, &call, st, &e, error);
}
