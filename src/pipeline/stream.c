/* The scheduler: many posts through the stages, each stage as soon as a post is there.
 *
 *   caller's thread:  reads posts, runs the native stages in batches, hands out finished posts
 *   runner threads:   the stages that ask a language model (runners.c)
 *
 * One caller's thread for all native stages, because each uses the whole thread budget inside. */
#include "base/parallel.h"
#include "pipeline/ahead.h"
#include "pipeline/stream_internal.h"

#include <poll.h>
#include <time.h>

/* Posts in the ring when a language model is asked: at least, and a request in flight. */
enum { WINDOW_LLM = 256, WINDOW_A_REQUEST = 4 };
/* Milliseconds: without input for so long, a batch that is not full starts all the same; how often
 * somebody is asked whether to stop. */
enum { IDLE_MS = 5, ASK_MS = 100 };

/* ---- reading ---- */

static bool in_shard(const struct gm_stream *s, size_t pos)
{
    const struct gm_shard *shard = &s->p->shard;
    return shard->n <= 1 || (pos - 1) % shard->n == shard->i - 1;
}

static enum gm_status unreadable(struct gm_stream *s, const struct gm_error *why,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_run_output o = {.pos = s->n_read, .error = gm_str(why->msg)};
    if (!s->sink->unreadable) {
        if (err)
            *err = *why;
        return why->code;
    }
    if (!in_shard(s, o.pos))
        return GM_OK;
    if (s->p->run)
        GM_TRY(gm_run_output(s->p->run, &o, err));
    GM_TRY(s->sink->unreadable(s->sink->user, why, err));
done:
    return st;
}

/* An item whose post is set, at the end of the ring, goes on its way. */
static enum gm_status begin(struct gm_stream *s, struct gm_item *item, size_t pos,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    item->pos = pos;
    item->is_ready = item->is_out = false;
    gm_state_init(&item->state);
    s->n_items++; /* from here on it is cleared with the stream */
    s->n_images += item->post.image.n > 0;
    if (s->sink->prepare)
        GM_TRY(s->sink->prepare(s->sink->user, &item->post, err));
    GM_TRY(gm_item_start(s->p, item, err));
    GM_TRY(gm_window_go_on(s, item, err));
done:
    return st;
}

static enum gm_status work_while_idle(void *user, int fd, struct gm_error *err);

/* Take one post of the input; one of ours goes into the ring and on its way. AGAIN: the input has none
 * at the moment. */
static enum gm_status read_one(struct gm_stream *s, struct gm_error *err)
{
    struct gm_error why = {0};
    struct gm_item *item = gm_window_tail(s);
    bool has = false;
    enum gm_status st =
        s->source->next(s->source->user, &item->post, &has, work_while_idle, s, &why);
    if (st == GM_EAGAIN)
        return st;
    s->more = has;
    s->n_read += has;
    if (st != GM_OK && has)
        return unreadable(s, &why, err);
    if (st != GM_OK && err)
        *err = why;
    if (st != GM_OK || !has)
        return st;
    if (!in_shard(s, s->n_read)) {
        gm_post_clear(&item->post);
        return GM_OK;
    }
    return begin(s, item, s->n_read, err);
}

/* ---- working ---- */

static enum gm_status run_batch(struct gm_stream *s, size_t place, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stage *stage = &s->p->stages[place];
    struct gm_item *items[GM_BATCH_POSTS];
    struct gm_post *posts[GM_BATCH_POSTS];
    size_t n = 0, max = gm_window_batch(s, place);
    bool has_picture = false;
    pthread_mutex_lock(&s->lock);
    while (n < max && s->queues[place].n) {
        items[n] = gm_window_pop(s, place);
        posts[n] = &items[n]->post;
        has_picture = has_picture || posts[n]->image.n;
        n++;
    }
    pthread_mutex_unlock(&s->lock);
    if (has_picture) /* of one post at a time one picture is looked at */
        gm_ahead_start(s->p, place, s->is_alone ? 1 : gm_threads());
    s->p->at = stage->backend->stage;
    GM_TRY(gm_stage_ready(s->p, stage, false, err));
    GM_TRY(gm_stream_run_stage(s, stage, posts, n, err));
    GM_TRY(gm_items_store(s->p, items, n, err));
    for (size_t i = 0; i < n; i++)
        GM_TRY(gm_window_go_on(s, items[i], err));
done:
    s->p->at = NULL;
    return st;
}

/* What the caller's thread does next. */
enum job { RUN_BATCH, READ, WAIT, END };

/* can_read: else the reader itself waits for input, and batches start as they are. */
static enum job choose(struct gm_stream *s, bool can_read, size_t *place, size_t *n_done)
{
    const size_t none = s->p->n_stages;
    enum job job = RUN_BATCH;
    size_t images_max = s->has_llm ? s->window : GM_BATCH_IMAGES;
    pthread_mutex_lock(&s->lock);
    *n_done = s->n_done;
    *place = gm_window_pick(s, false, true);
    if (*place == none) {
        if (can_read && s->more && s->n_items < s->window && s->n_images < images_max)
            job = READ;
        else if ((*place = gm_window_pick(s, false, false)) == none)
            job = s->n_running || gm_window_pick(s, true, false) != none ? WAIT : END;
    }
    if (s->st != GM_OK)
        job = END;
    pthread_mutex_unlock(&s->lock);
    return job;
}

/* Until a runner has news, or `ms` are over: somebody may want to stop. News come in bursts: those of
 * a moment are dealt with together, and nobody waits for it while the ring has posts. */
static void wait_news(struct gm_stream *s, int ms)
{
    const struct timespec gather = {0, 2000000};
    pthread_mutex_lock(&s->lock);
    bool idle = s->st == GM_OK && s->n_running &&
                gm_window_pick(s, false, false) == s->p->n_stages &&
                !(s->n_items && s->items[s->head].is_ready);
    if (idle)
        gm_window_wait(s, ms);
    pthread_mutex_unlock(&s->lock);
    if (idle)
        nanosleep(&gather, NULL);
}

static int idle_ms(const struct gm_stream *s) { return s->source ? s->source->idle_ms : IDLE_MS; }

/* Hand out what is ready, and do one job, which is then in *job. */
static enum gm_status turn(struct gm_stream *s, bool can_read, enum job *job, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t place, n_done;
    GM_TRY(gm_window_emit(s, err));
    if (s->sink->should_stop && s->sink->should_stop(s->sink->user)) {
        st = GM_FAIL(err, GM_ECANCEL, "stopped on request");
        goto done;
    }
    *job = choose(s, can_read, &place, &n_done);
    if (s->sink->tick)
        s->sink->tick(s->sink->user, n_done);
    if (*job == RUN_BATCH)
        GM_TRY(run_batch(s, place, err));
    else if (*job == READ)
        st = read_one(s, err);
    else if (*job == WAIT)
        wait_news(s, can_read ? ASK_MS : idle_ms(s));
done:
    return st;
}

static bool has_input(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0; /* also at the end, and when the read will say what is wrong */
}

/* The reader waits for input (gm_wait_fn), within read_one, whose item is in no queue yet: the posts
 * that are here go all the way meanwhile, so that who waits for their answers before writing the next
 * one gets them. Input that comes fast is not noticed here, and fills batches. */
static enum gm_status work_while_idle(void *user, int fd, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stream *s = user;
    enum job job = RUN_BATCH;
    while (!has_input(fd, job == END ? ASK_MS : job == WAIT ? 0 : idle_ms(s))) {
        GM_TRY(turn(s, false, &job, err));
        GM_TRY(gm_runners_failed(s, err));
        if (job != RUN_BATCH && s->has_news && s->sink->flush)
            GM_TRY(s->sink->flush(s->sink->user, err));
        s->has_news = s->has_news && job == RUN_BATCH;
    }
done:
    return st;
}

/* The source has no post at the moment: those that are here go on meanwhile. */
static enum gm_status work_meanwhile(struct gm_stream *s, struct gm_error *err)
{
    const struct timespec moment = {0, 1000000};
    enum job job = END;
    enum gm_status st = turn(s, false, &job, err);
    if (st == GM_OK && job != RUN_BATCH)
        nanosleep(&moment, NULL);
    return st;
}

/* Turns until nothing is left to do. */
static enum gm_status work(struct gm_stream *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (enum job job = READ; job != END;) {
        st = turn(s, true, &job, err);
        if (st == GM_EAGAIN)
            st = work_meanwhile(s, err);
        GM_TRY(st);
    }
    GM_TRY(gm_window_emit(s, err));
    st = gm_runners_failed(s, err);
done:
    return st;
}

static enum gm_status stream_init(struct gm_stream *s, struct gm_pipeline *p, size_t window,
                                  const struct gm_stream_sink *sink, struct gm_error *err)
{
    *s = (struct gm_stream){.p = p, .sink = sink, .has_llm = p->llm_opts != NULL};
    gm_pipeline_go_on(p);
    enum gm_status st = gm_window_init(s, window, err);
    return st == GM_OK && s->has_llm ? gm_runners_start(s, err) : st;
}

/* ---- one post ---- */

static enum gm_status take_back(void *user, struct gm_post *post, struct gm_error *err)
{
    (void)err;
    *(struct gm_post *)user = *post;
    gm_post_init(post);
    return GM_OK;
}

enum gm_status gm_pipeline_run(struct gm_pipeline *p, struct gm_post *post, struct gm_error *err)
{
    struct gm_stream s;
    const struct gm_stream_sink sink = {.user = post, .post = take_back};
    enum gm_status st = stream_init(&s, p, 1, &sink, err);
    s.is_alone = true;
    if (st == GM_OK) {
        s.items[0].post = *post;
        st = begin(&s, &s.items[0], 1, err);
    }
    if (st == GM_OK)
        st = work(&s, err);
    gm_runners_stop(&s, st != GM_ECANCEL);
    if (s.n_items) /* it did not come to its end, and stays the caller's */
        (void)take_back(post, &s.items[0].post, NULL);
    gm_window_clear(&s);
    return st;
}

/* ---- many ---- */

static size_t window_of(const struct gm_pipeline *p, size_t most)
{
    size_t asked = p->llm_opts ? WINDOW_A_REQUEST * p->llm_opts->in_flight : 0;
    size_t least = p->llm_opts ? WINDOW_LLM : GM_BATCH_POSTS;
    size_t window = asked > least ? asked : least;
    return most && most < window ? most : window;
}

/* The reader is told who works while it waits; NULL = the posts come from elsewhere. */
static enum gm_status flow(struct gm_pipeline *p, const struct gm_post_source *source,
                           struct gm_reader *reader, const struct gm_stream_sink *sink,
                           struct gm_error *err)
{
    struct gm_stream s;
    enum gm_status st = stream_init(&s, p, window_of(p, source->most), sink, err);
    s.source = source;
    s.more = true;
    if (reader)
        gm_reader_on_wait(reader, work_while_idle, &s);
    if (st == GM_OK)
        st = work(&s, err);
    if (reader)
        gm_reader_on_wait(reader, NULL, NULL);
    gm_runners_stop(&s, st != GM_ECANCEL);
    gm_window_clear(&s);
    if (p->run) {
        const char *how = st == GM_OK ? "complete" : st == GM_ECANCEL ? "stopped" : "failed";
        enum gm_status end = gm_run_end(p->run, how, s.n_read, st == GM_OK ? err : NULL);
        st = st == GM_OK ? end : st;
    }
    return st;
}

enum gm_status gm_pipeline_serve(struct gm_pipeline *p, const struct gm_post_source *source,
                                 const struct gm_stream_sink *sink, struct gm_error *err)
{
    return flow(p, source, NULL, sink, err);
}

/* A reader that waits for input calls who works meanwhile by itself. */
static enum gm_status next_of_reader(void *user, struct gm_post *post, bool *has, gm_wait_fn *wait,
                                     void *wait_user, struct gm_error *err)
{
    (void)wait;
    (void)wait_user;
    return gm_reader_next(user, post, has, err);
}

enum gm_status gm_pipeline_stream(struct gm_pipeline *p, struct gm_reader *reader,
                                  const struct gm_stream_sink *sink, struct gm_error *err)
{
    const struct gm_post_source source = {reader, next_of_reader, IDLE_MS, 0};
    return flow(p, &source, reader, sink, err);
}
