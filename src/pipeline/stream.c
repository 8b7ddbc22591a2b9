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
#include "pipeline/item.h"

#include <pthread.h>
#include <string.h>

enum { BATCH_POSTS = 64, BATCH_IMAGES = 16, STAGES_MAX = 16 };

struct queue {
    struct gm_item *first, *last;
    size_t n;
};

struct stream {
    struct gm_pipeline *p;
    struct gm_reader *reader;
    const struct gm_stream_sink *sink;
    struct gm_item *items; /* the ring */
    size_t window, head, n_items, n_images, n_done;
    struct queue queues[STAGES_MAX];
    bool more; /* the input has more */
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

/* Send a post to the next stage that must run, or mark it ready. */
static enum gm_status go_on(struct stream *s, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = gm_item_advance(s->p, item, err);
    if (st != GM_OK)
        return st;
    if (item->place < s->p->n_stages)
        push(s, item);
    else
        item->is_ready = true;
    s->n_done += item->is_ready;
    return GM_OK;
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
    const struct gm_run_output o = {.pos = gm_reader_count(s->reader),
                                    .error = gm_str(why->msg)};
    if (!in_shard(s, o.pos))
        return GM_OK;
    if (s->p->run)
        GM_TRY(gm_run_output(s->p->run, &o, err));
    GM_TRY(s->sink->unreadable(s->sink->user, why, err));
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
    item->pos = gm_reader_count(s->reader);
    if (!in_shard(s, item->pos)) {
        gm_post_clear(&item->post);
        return GM_OK;
    }
    item->is_ready = false;
    gm_state_init(&item->state);
    s->n_items++; /* from here on stream_clear sees it */
    s->n_images += item->post.image.n > 0;
    if (s->sink->prepare)
        GM_TRY(s->sink->prepare(s->sink->user, &item->post, err));
    GM_TRY(gm_item_start(s->p, item, err));
    GM_TRY(go_on(s, item, err));
done:
    return st;
}

/* ---- working ---- */

static size_t batch_size(const struct stream *s, size_t place)
{
    return s->p->stages[place].backend->needs_image ? BATCH_IMAGES : BATCH_POSTS;
}

static enum gm_status run_batch(struct stream *s, size_t place, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_stage *stage = &s->p->stages[place];
    struct gm_item *items[BATCH_POSTS];
    struct gm_post *posts[BATCH_POSTS];
    size_t n = 0, max = batch_size(s, place);
    while (n < max && s->queues[place].n) {
        items[n] = pop(&s->queues[place]);
        posts[n] = &items[n]->post;
        n++;
    }
    GM_TRY(gm_stage_ready(s->p, stage, err));
    st = stage->backend->run(stage->self, posts, n, err);
    if (st != GM_OK) {
        gm_error_prefix(err, "stage %s", stage->backend->stage);
        goto done;
    }
    GM_TRY(gm_items_store(s->p, items, n, err));
    for (size_t i = 0; i < n; i++)
        GM_TRY(go_on(s, items[i], err));
done:
    return st;
}

/* The last stage that has `at_least` a full batch, or anything at all; n_stages = none. Later
 * stages first: they bring posts to an end. */
static size_t pick(const struct stream *s, bool full)
{
    for (size_t i = s->p->n_stages; i-- > 0;)
        if (s->queues[i].n >= (full ? batch_size(s, i) : 1))
            return i;
    return s->p->n_stages;
}

/* Hand out the posts that are ready and have none before them. */
static enum gm_status emit(struct stream *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    while (s->n_items && s->items[s->head].is_ready) {
        struct gm_item *item = &s->items[s->head];
        bool has_image = item->post.image.n > 0;
        GM_TRY(gm_item_output(s->p, item, err));
        GM_TRY(s->sink->post(s->sink->user, &item->post, err));
        gm_item_clear(item);
        s->n_images -= has_image;
        s->head = (s->head + 1) % s->window;
        s->n_items--;
    }
done:
    return st;
}

static enum gm_status work(struct stream *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const size_t none = s->p->n_stages;
    for (;;) {
        GM_TRY(emit(s, err));
        if (s->sink->tick)
            s->sink->tick(s->sink->user, s->n_done);
        if (s->sink->should_stop && s->sink->should_stop(s->sink->user)) {
            st = GM_FAIL(err, GM_ECANCEL, "stopped on request");
            goto done;
        }
        size_t place = pick(s, true);
        if (place != none)
            GM_TRY(run_batch(s, place, err));
        else if (s->more && s->n_items < s->window && s->n_images < BATCH_IMAGES)
            GM_TRY(read_one(s, err));
        else if ((place = pick(s, false)) != none)
            GM_TRY(run_batch(s, place, err));
        else
            break;
    }
done:
    return st;
}

enum gm_status gm_pipeline_stream(struct gm_pipeline *p, struct gm_reader *reader,
                                  const struct gm_stream_sink *sink, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct stream *s = gm_alloc(1, sizeof *s);
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *s = (struct stream){.p = p, .reader = reader, .sink = sink, .window = BATCH_POSTS,
                         .more = true};
    s->items = gm_alloc(s->window, sizeof *s->items);
    if (!s->items) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(work(s, err));
done:
    for (size_t i = 0; i < s->n_items; i++)
        gm_item_clear(&s->items[(s->head + i) % s->window]);
    gm_free(s->items);
    gm_free(s);
    if (p->run) {
        const char *how = st == GM_OK ? "complete" : st == GM_ECANCEL ? "stopped" : "failed";
        enum gm_status end = gm_run_end(p->run, how, gm_reader_count(reader),
                                        st == GM_OK ? err : NULL);
        st = st == GM_OK ? end : st;
    }
    return st;
}
