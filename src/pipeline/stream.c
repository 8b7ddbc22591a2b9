/* The scheduler: many posts through the stages, each stage as soon as a post is there.
 *
 *   caller's thread:  reads posts, runs the native stages in batches, hands out finished posts
 *   runner threads:   the stages that ask a language model, a post each, so that --in-flight
 *                     requests are under way while the native stages work
 *
 * One caller's thread for all native stages, because each uses the whole thread budget inside.
 * Posts live in a ring of a fixed size in input order; one that is ready waits there for those
 * before it, so memory is that of the ring whatever the input's length. */
#include "base/alloc.h"
#include "base/parallel.h"
#include "base/stop.h"
#include "pipeline/item.h"
#include "stages/pixels.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>

enum { BATCH_POSTS = 128, BATCH_IMAGES = 16, STAGES_MAX = 16 };
/* Posts in the ring when a language model is asked: at least, and a request in flight. */
enum { WINDOW_LLM = 256, WINDOW_A_REQUEST = 4 };
/* Milliseconds: without input for so long, a batch that is not full starts all the same; how often
 * somebody is asked whether to stop. */
enum { IDLE_MS = 5, ASK_MS = 100 };

struct queue {
    struct gm_item *first, *last;
    size_t n;
};

struct stream {
    struct gm_pipeline *p;
    struct gm_reader *reader;
    const struct gm_stream_sink *sink;
    struct gm_item *items; /* the ring */
    size_t window, head, n_items, n_images;
    size_t n_done; /* under the lock */
    bool more;     /* the input has more */
    bool has_news; /* posts were handed out since the sink was last told to flush */
    bool has_llm;
    pthread_t *runners;
    size_t n_runners;
    /* Under the lock: */
    pthread_mutex_t lock;
    pthread_cond_t work, news; /* for runners, for the caller's thread */
    struct queue queues[STAGES_MAX];
    size_t n_running; /* posts that runners have */
    bool quit;
    enum gm_status st; /* of the first runner that failed */
    struct gm_error err;
};

static void push(struct stream *s, struct gm_item *item)
{
    struct queue *q = &s->queues[item->place];
    item->next = NULL;
    if (q->last)
        q->last->next = item;
    else
        q->first = item;
    q->last = item;
    q->n++;
}

static struct gm_item *pop(struct queue *q)
{
    struct gm_item *item = q->first;
    q->first = item->next;
    if (!q->first)
        q->last = NULL;
    q->n--;
    return item;
}

/* Send a post to the next stage that must run, or mark it ready. A decoded picture is not kept while
 * the post waits for a language model, or for those before it. */
static enum gm_status go_on(struct stream *s, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = gm_item_advance(s->p, item, err);
    if (st != GM_OK)
        return st;
    bool ready = item->place == s->p->n_stages;
    bool asks = !ready && s->p->stages[item->place].backend->llm;
    if (asks)
        GM_TRY(gm_stage_ready(s->p, &s->p->stages[item->place], err));
    if (s->has_llm && (ready || asks))
        gm_post_drop_pixels(&item->post);
    pthread_mutex_lock(&s->lock);
    if (ready)
        item->is_ready = true;
    else
        push(s, item);
    s->n_done += ready;
    if (asks)
        pthread_cond_signal(&s->work);
    pthread_cond_signal(&s->news);
    pthread_mutex_unlock(&s->lock);
done:
    return st;
}

static size_t batch_size(const struct stream *s, size_t place)
{
    return s->p->stages[place].backend->needs_image ? BATCH_IMAGES : BATCH_POSTS;
}

/* The last stage of this kind that has a full batch, or anything at all; n_stages = none. Later
 * stages first: they bring posts to an end. */
static size_t pick(const struct stream *s, bool llm, bool full)
{
    for (size_t i = s->p->n_stages; i-- > 0;)
        if ((s->p->stages[i].backend->llm != NULL) == llm &&
            s->queues[i].n >= (full ? batch_size(s, i) : 1))
            return i;
    return s->p->n_stages;
}

/* The stage over n posts, none of which may take it longer than the limit: where a batch does, each of
 * its posts gets the time for itself, and fails when it is not enough. */
static enum gm_status run_stage(struct stream *s, struct gm_stage *stage, struct gm_post **posts,
                                size_t n, struct gm_error *err)
{
    struct gm_error e = {0};
    gm_limit_begin(s->p->post_seconds);
    enum gm_status st = stage->backend->run(stage->self, posts, n, &e);
    const struct gm_limit limit = gm_limit_get();
    gm_limit_end();
    if (st == GM_EAGAIN && gm_limit_is_over(&limit)) {
        st = GM_OK;
        if (n == 1)
            gm_post_fail(posts[0], stage->backend->stage, &e);
        for (size_t i = 0; n > 1 && i < n && st == GM_OK; i++)
            st = run_stage(s, stage, &posts[i], 1, err);
        return st;
    }
    if (st != GM_OK && err) {
        *err = e;
        gm_error_prefix(err, "stage %s", stage->backend->stage);
    }
    return st;
}

/* ---- runners ---- */

static enum gm_status ask(struct stream *s, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stage *stage = &s->p->stages[item->place];
    struct gm_post *post = &item->post;
    GM_TRY(run_stage(s, stage, &post, 1, err));
    GM_TRY(gm_items_store(s->p, &item, 1, err));
    GM_TRY(go_on(s, item, err));
done:
    return st;
}

static void *run_asks(void *arg)
{
    struct stream *s = arg;
    const size_t none = s->p->n_stages;
    pthread_mutex_lock(&s->lock);
    while (!s->quit) {
        struct gm_error e = {0};
        size_t place = pick(s, true, false);
        if (place == none) {
            pthread_cond_wait(&s->work, &s->lock);
            continue;
        }
        struct gm_item *item = pop(&s->queues[place]);
        s->n_running++;
        pthread_mutex_unlock(&s->lock);
        enum gm_status st = ask(s, item, &e);
        pthread_mutex_lock(&s->lock);
        s->n_running--;
        if (st != GM_OK && s->st == GM_OK) {
            s->st = st;
            s->err = e;
        }
        pthread_cond_signal(&s->news);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static enum gm_status start_runners(struct stream *s, struct gm_error *err)
{
    /* More than requests: while some read and store an answer, the others' requests wait in the
     * client, so that a slot of the server is never idle. */
    size_t n = s->p->llm_opts->in_flight + s->p->llm_opts->in_flight / 2 + 1;
    n = n < s->window ? n : s->window;
    s->runners = gm_alloc(n, sizeof *s->runners);
    if (!s->runners)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (enum gm_status st = GM_OK; s->n_runners < n; s->n_runners++)
        if ((st = gm_thread_start(&s->runners[s->n_runners], 1, run_asks, s, err)) != GM_OK) {
            gm_error_prefix(err, "%zu threads are too many; give a smaller --in-flight", n);
            return st;
        }
    return GM_OK;
}

/* What is under way is finished and stored; nothing new is begun. */
static void stop_runners(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->quit = true;
    pthread_cond_broadcast(&s->work);
    bool busy = s->n_running > 0;
    pthread_mutex_unlock(&s->lock);
    if (busy && s->p->llm)
        gm_llm_drain(s->p->llm);
    for (size_t i = 0; i < s->n_runners; i++)
        pthread_join(s->runners[i], NULL);
    gm_free(s->runners);
}

/* ---- reading ---- */

static bool in_shard(const struct stream *s, size_t pos)
{
    const struct gm_shard *shard = &s->p->shard;
    return shard->n <= 1 || (pos - 1) % shard->n == shard->i - 1;
}

static enum gm_status unreadable(struct stream *s, const struct gm_error *why, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_run_output o = {.pos = gm_reader_count(s->reader), .error = gm_str(why->msg)};
    if (!in_shard(s, o.pos))
        return GM_OK;
    if (s->p->run)
        GM_TRY(gm_run_output(s->p->run, &o, err));
    GM_TRY(s->sink->unreadable(s->sink->user, why, err));
done:
    return st;
}

/* An item whose post is set, at the end of the ring, goes on its way. */
static enum gm_status begin(struct stream *s, struct gm_item *item, size_t pos,
                            struct gm_error *err)
{
    enum gm_status st = GM_OK;
    item->pos = pos;
    item->is_ready = false;
    gm_state_init(&item->state);
    s->n_items++; /* from here on it is cleared with the stream */
    s->n_images += item->post.image.n > 0;
    if (s->sink->prepare)
        GM_TRY(s->sink->prepare(s->sink->user, &item->post, err));
    GM_TRY(gm_item_start(s->p, item, err));
    GM_TRY(go_on(s, item, err));
done:
    return st;
}

/* Read one line of the input; a post of ours goes into the ring and on its way. */
static enum gm_status read_one(struct stream *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_error why = {0};
    struct gm_item *item = &s->items[(s->head + s->n_items) % s->window];
    st = gm_reader_next(s->reader, &item->post, &s->more, &why);
    if (st != GM_OK && s->more)
        return unreadable(s, &why, err);
    if (st != GM_OK && err)
        *err = why;
    if (st != GM_OK || !s->more)
        return st;
    if (!in_shard(s, gm_reader_count(s->reader))) {
        gm_post_clear(&item->post);
        return GM_OK;
    }
    return begin(s, item, gm_reader_count(s->reader), err);
}

/* ---- working ---- */

static enum gm_status run_batch(struct stream *s, size_t place, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stage *stage = &s->p->stages[place];
    struct gm_item *items[BATCH_POSTS];
    struct gm_post *posts[BATCH_POSTS];
    size_t n = 0, max = batch_size(s, place);
    pthread_mutex_lock(&s->lock);
    while (n < max && s->queues[place].n) {
        items[n] = pop(&s->queues[place]);
        posts[n] = &items[n]->post;
        n++;
    }
    pthread_mutex_unlock(&s->lock);
    GM_TRY(gm_stage_ready(s->p, stage, err));
    GM_TRY(run_stage(s, stage, posts, n, err));
    GM_TRY(gm_items_store(s->p, items, n, err));
    for (size_t i = 0; i < n; i++)
        GM_TRY(go_on(s, items[i], err));
done:
    return st;
}

/* Hand out the posts that are ready and have none before them. */
static enum gm_status emit(struct stream *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    while (s->n_items) {
        struct gm_item *item = &s->items[s->head];
        pthread_mutex_lock(&s->lock);
        bool ready = item->is_ready;
        pthread_mutex_unlock(&s->lock);
        if (!ready)
            break;
        bool has_image = item->post.image.n > 0;
        GM_TRY(gm_item_output(s->p, item, err));
        GM_TRY(s->sink->post(s->sink->user, &item->post, err));
        s->has_news = true;
        gm_item_clear(item);
        s->n_images -= has_image;
        s->head = (s->head + 1) % s->window;
        s->n_items--;
    }
done:
    return st;
}

/* What the caller's thread does next. */
enum job { RUN_BATCH, READ, WAIT, END };

/* can_read: else the reader itself waits for input, and batches start as they are. */
static enum job choose(struct stream *s, bool can_read, size_t *place, size_t *n_done)
{
    const size_t none = s->p->n_stages;
    enum job job = RUN_BATCH;
    size_t images_max = s->has_llm ? s->window : BATCH_IMAGES;
    pthread_mutex_lock(&s->lock);
    *n_done = s->n_done;
    *place = pick(s, false, true);
    if (*place == none) {
        if (can_read && s->more && s->n_items < s->window && s->n_images < images_max)
            job = READ;
        else if ((*place = pick(s, false, false)) == none)
            job = s->n_running || pick(s, true, false) != none ? WAIT : END;
    }
    if (s->st != GM_OK)
        job = END;
    pthread_mutex_unlock(&s->lock);
    return job;
}

/* Until a runner has news, or `ms` are over: somebody may want to stop. News come in bursts: those of
 * a moment are dealt with together, and nobody waits for it while the ring has posts. */
static void wait_news(struct stream *s, int ms)
{
    const struct timespec gather = {0, 2000000};
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&s->lock);
    bool idle = s->st == GM_OK && s->n_running && pick(s, false, false) == s->p->n_stages &&
                !(s->n_items && s->items[s->head].is_ready);
    if (idle)
        pthread_cond_timedwait(&s->news, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
    if (idle)
        nanosleep(&gather, NULL);
}

/* Hand out what is ready, and do one job, which is then in *job. */
static enum gm_status turn(struct stream *s, bool can_read, enum job *job, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t place, n_done;
    GM_TRY(emit(s, err));
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
        GM_TRY(read_one(s, err));
    else if (*job == WAIT)
        wait_news(s, can_read ? ASK_MS : IDLE_MS);
done:
    return st;
}

static bool has_input(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0; /* also at the end, and when the read will say what is wrong */
}

/* The first runner's failure. */
static enum gm_status runner_failed(struct stream *s, struct gm_error *err)
{
    pthread_mutex_lock(&s->lock);
    enum gm_status st = s->st;
    if (st != GM_OK && err)
        *err = s->err;
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* The reader waits for input (gm_wait_fn), within read_one, whose item is in no queue yet: the posts
 * that are here go all the way meanwhile, so that who waits for their answers before writing the next
 * one gets them. Input that comes fast is not noticed here, and fills batches. */
static enum gm_status work_while_idle(void *user, int fd, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct stream *s = user;
    enum job job = RUN_BATCH;
    while (!has_input(fd, job == END ? ASK_MS : job == WAIT ? 0 : IDLE_MS)) {
        GM_TRY(turn(s, false, &job, err));
        GM_TRY(runner_failed(s, err));
        if (job != RUN_BATCH && s->has_news && s->sink->flush)
            GM_TRY(s->sink->flush(s->sink->user, err));
        s->has_news = s->has_news && job == RUN_BATCH;
    }
done:
    return st;
}

/* Turns until nothing is left to do. */
static enum gm_status work(struct stream *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (enum job job = READ; job != END;)
        GM_TRY(turn(s, true, &job, err));
    GM_TRY(emit(s, err));
    st = runner_failed(s, err);
done:
    return st;
}

static enum gm_status stream_init(struct stream *s, struct gm_pipeline *p, size_t window,
                                  const struct gm_stream_sink *sink, struct gm_error *err)
{
    *s = (struct stream){.p = p, .sink = sink, .window = window, .has_llm = p->llm_opts != NULL};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->news, NULL);
    s->items = gm_alloc(s->window, sizeof *s->items);
    if (!s->items)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return s->has_llm ? start_runners(s, err) : GM_OK;
}

static void stream_clear(struct stream *s)
{
    for (size_t i = 0; i < s->n_items; i++)
        gm_item_clear(&s->items[(s->head + i) % s->window]);
    gm_free(s->items);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->news);
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
    struct stream s;
    const struct gm_stream_sink sink = {.user = post, .post = take_back};
    enum gm_status st = stream_init(&s, p, 1, &sink, err);
    if (st == GM_OK) {
        s.items[0].post = *post;
        st = begin(&s, &s.items[0], 1, err);
    }
    if (st == GM_OK)
        st = work(&s, err);
    stop_runners(&s);
    if (s.n_items) /* it did not come to its end, and stays the caller's */
        (void)take_back(post, &s.items[0].post, NULL);
    stream_clear(&s);
    return st;
}

/* ---- many ---- */

static size_t window_of(const struct gm_pipeline *p)
{
    if (!p->llm_opts)
        return BATCH_POSTS;
    size_t asked = WINDOW_A_REQUEST * p->llm_opts->in_flight;
    return asked > WINDOW_LLM ? asked : WINDOW_LLM;
}

enum gm_status gm_pipeline_stream(struct gm_pipeline *p, struct gm_reader *reader,
                                  const struct gm_stream_sink *sink, struct gm_error *err)
{
    struct stream s;
    enum gm_status st = stream_init(&s, p, window_of(p), sink, err);
    s.reader = reader;
    s.more = true;
    gm_reader_on_wait(reader, work_while_idle, &s);
    if (st == GM_OK)
        st = work(&s, err);
    gm_reader_on_wait(reader, NULL, NULL);
    stop_runners(&s);
    stream_clear(&s);
    if (p->run) {
        const char *how = st == GM_OK ? "complete" : st == GM_ECANCEL ? "stopped" : "failed";
        enum gm_status end =
            gm_run_end(p->run, how, gm_reader_count(reader), st == GM_OK ? err : NULL);
        st = st == GM_OK ? end : st;
    }
    return st;
}
