/* stream_internal.h - the scheduler of a stream of posts, in three files: window.c holds the posts that are
 * in the stages at once, runners.c the threads that ask language models, stream.c the caller's thread.
 * Internal to src/pipeline. */
#ifndef GM_PIPELINE_STREAM_INTERNAL_H
#define GM_PIPELINE_STREAM_INTERNAL_H

#include "pipeline/item.h"

#include <pthread.h>
#include <stdatomic.h>

enum { GM_BATCH_POSTS = 128, GM_BATCH_IMAGES = 16, GM_STREAM_STAGES_MAX = 16 };

struct gm_item_queue {
    struct gm_item *first, *last;
    size_t n;
};

struct gm_stream {
    struct gm_pipeline *p;
    bool has_llm;
    bool is_alone; /* one post: of its pictures one is looked at at a time */
    /* Of the caller's thread: */
    const struct gm_post_source *source; /* NULL: there is one post */
    size_t n_read;                       /* posts that it gave, with those that could not be read */
    const struct gm_stream_sink *sink;
    struct gm_item *items; /* the ring */
    size_t window, head, n_items, n_images;
    bool more;     /* the input has more */
    bool has_news; /* posts were handed out since the sink was last told to flush */
    pthread_t *runners;
    size_t n_runners;
    /* Under the lock: */
    pthread_mutex_t lock;
    pthread_cond_t work, news; /* for runners, for the caller's thread */
    struct gm_item_queue queues[GM_STREAM_STAGES_MAX];
    size_t n_done;    /* posts that are ready */
    size_t n_running; /* posts that runners have */
    bool quit;
    atomic_bool abandon; /* runners are to give up what they wait for */
    enum gm_status st;   /* of the first runner that failed */
    struct gm_error err;
};

/* ---- window.c ---- */

/* gm_window_init - a ring of so many posts, empty queues. *s is zeroed but for p, sink and has_llm; it is
 * cleared, with the posts in it, whatever comes back. Errors: NOMEM. */
enum gm_status gm_window_init(struct gm_stream *s, size_t window,
                              struct gm_error *err) GM_NODISCARD;
void gm_window_clear(struct gm_stream *s);

/* gm_window_tail - the free item behind the last one; there is one while n_items < window. */
struct gm_item *gm_window_tail(struct gm_stream *s);

/* gm_window_go_on - send a post to the next stage that must run, or mark it ready. A decoded picture is
 * not kept while the post waits for a language model, or for those before it. Threads: yes.
 * Errors: those of gm_item_advance and gm_stage_ready. */
enum gm_status gm_window_go_on(struct gm_stream *s, struct gm_item *item,
                               struct gm_error *err) GM_NODISCARD;

/* gm_window_batch - the most posts that go through a stage at once. gm_window_pick - the last stage of
 * this kind that has a full batch, or anything at all; n_stages = none. Later stages first: they bring
 * posts to an end. gm_window_pop - the first in a stage's queue, which has one. The last two under the
 * lock. */
size_t gm_window_batch(const struct gm_stream *s, size_t place);
size_t gm_window_pick(const struct gm_stream *s, bool llm, bool full);
struct gm_item *gm_window_pop(struct gm_stream *s, size_t place);

/* gm_window_emit - hand out the posts that are ready and have none before them. On the caller's thread.
 * Errors: those of gm_item_output and the sink. */
enum gm_status gm_window_emit(struct gm_stream *s, struct gm_error *err) GM_NODISCARD;

/* gm_window_wait - wait until a runner has news, or `ms` are over. Under the lock, which is free meanwhile. */
void gm_window_wait(struct gm_stream *s, int ms);

/* ---- runners.c ---- */

/* gm_stream_run_stage - the stage over n posts, none of which may take it longer than the limit: where a
 * batch does, each of its posts gets the time for itself, and fails when it is not enough. */
enum gm_status gm_stream_run_stage(struct gm_stream *s, struct gm_stage *stage,
                                   struct gm_post **posts, size_t n,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_runners_start - the threads that take posts through stages that ask a language model.
 * gm_runners_stop - end them, where there are any; nothing new is begun. What is under way is finished
 * and stored; who is not patient, or asks for a stop meanwhile (gm_stop_requested), gets only what comes
 * in half a second: the other posts stay as they were. gm_runners_failed - the status of the first one that failed, and its error. */
enum gm_status gm_runners_start(struct gm_stream *s, struct gm_error *err) GM_NODISCARD;
void gm_runners_stop(struct gm_stream *s, bool patient);
enum gm_status gm_runners_failed(struct gm_stream *s, struct gm_error *err) GM_NODISCARD;

#endif
