/* The posts that are in the stages at once. They live in a ring of a fixed size in input order; one that
 * is ready waits there for those before it, so memory is that of the ring whatever the input's length.
 * Before each stage there is a queue of those that wait for it. */
#include "base/alloc.h"
#include "pipeline/stream_internal.h"
#include "stages/pixels.h"

#include <time.h>

enum gm_status gm_window_init(struct gm_stream *s, size_t window, struct gm_error *err)
{
    s->window = window;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->news, NULL);
    s->items = gm_alloc(s->window, sizeof *s->items);
    return s->items ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

void gm_window_clear(struct gm_stream *s)
{
    for (size_t i = 0; i < s->n_items; i++)
        gm_item_clear(&s->items[(s->head + i) % s->window]);
    gm_free(s->items);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->news);
}

struct gm_item *gm_window_tail(struct gm_stream *s)
{
    return &s->items[(s->head + s->n_items) % s->window];
}

static void push(struct gm_stream *s, struct gm_item *item)
{
    struct gm_item_queue *q = &s->queues[item->place];
    item->next = NULL;
    if (q->last)
        q->last->next = item;
    else
        q->first = item;
    q->last = item;
    q->n++;
}

struct gm_item *gm_window_pop(struct gm_stream *s, size_t place)
{
    struct gm_item_queue *q = &s->queues[place];
    struct gm_item *item = q->first;
    q->first = item->next;
    if (!q->first)
        q->last = NULL;
    q->n--;
    return item;
}

enum gm_status gm_window_go_on(struct gm_stream *s, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = gm_item_advance(s->p, item, err);
    if (st != GM_OK)
        return st;
    bool ready = item->place == s->p->n_stages;
    bool asks = !ready && s->p->stages[item->place].backend->llm;
    if (asks)
        GM_TRY(gm_stage_ready(s->p, &s->p->stages[item->place], item->post.image.n > 0, err));
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

size_t gm_window_batch(const struct gm_stream *s, size_t place)
{
    return s->p->stages[place].backend->needs_image ? GM_BATCH_IMAGES : GM_BATCH_POSTS;
}

size_t gm_window_pick(const struct gm_stream *s, bool llm, bool full)
{
    for (size_t i = s->p->n_stages; i-- > 0;)
        if ((s->p->stages[i].backend->llm != NULL) == llm &&
            s->queues[i].n >= (full ? gm_window_batch(s, i) : 1))
            return i;
    return s->p->n_stages;
}

/* Hand a post out, where it is ready and was not before. */
static enum gm_status emit(struct gm_stream *s, struct gm_item *item, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    pthread_mutex_lock(&s->lock);
    bool ready = item->is_ready && !item->is_out;
    pthread_mutex_unlock(&s->lock);
    if (!ready)
        return GM_OK;
    bool has_image = item->post.image.n > 0;
    GM_TRY(gm_item_output(s->p, item, err));
    GM_TRY(s->sink->post(s->sink->user, &item->post, err));
    s->has_news = true;
    gm_item_clear(item);
    item->is_out = true;
    s->n_images -= has_image;
done:
    return st;
}

enum gm_status gm_window_emit(struct gm_stream *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < s->n_items && s->sink->any_order; i++)
        GM_TRY(emit(s, &s->items[(s->head + i) % s->window], err));
    for (; s->n_items; s->n_items--) {
        GM_TRY(emit(s, &s->items[s->head], err));
        if (!s->items[s->head].is_out)
            break;
        s->head = (s->head + 1) % s->window;
    }
done:
    return st;
}

void gm_window_wait(struct gm_stream *s, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&s->news, &s->lock, &until);
}
