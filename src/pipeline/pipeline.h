/* pipeline.h - posts through the stages of a recipe, in batches, in order, in flat memory.
 *
 * Opening reads the recipe only. A stage's models load when the first post needs them, so that
 * posts without images never start the vision runtime and one text is tagged at once. */
#ifndef GM_PIPELINE_PIPELINE_H
#define GM_PIPELINE_PIPELINE_H

#include "formats/reader.h"
#include "llm/llm.h"
#include "pipeline/run.h"
#include "record/record.h"

#include <stdatomic.h>

struct gm_pipeline;

/* Words that a post may have by default: over a hundred pages, some minutes' work. */
enum { GM_POST_WORDS = 20000 };

struct gm_pipeline_opts {
    const char *recipe; /* name or path; NULL = "embedded" */
    const char *tagger; /* the tag stage's model, folder or name, in place of the recipe's; NULL */
    const char
        *precision; /* "auto", "f32", "bf16", "int8" (the detector takes it for auto) of the native
                            * stages and the detector; NULL = the recipe's */
    const char *settings; /* a settings file, whose values count before the recipe's; NULL = none */
    const char *run;      /* run folder that gm_pipeline_stream works in; NULL = none */
    const char *run_if_llm; /* the run folder, when `run` is NULL and a stage asks an LLM */
    struct gm_shard shard;  /* of the stream's posts */
    size_t max_words;       /* a post of more fails and goes through no stage; 0 = GM_POST_WORDS */
    double post_seconds;    /* a stage that needs longer for a post fails it; 0 = no limit */
    /* For recipes that ask a language model: the client to make when the first post needs it (NULL: only
     * the stages' own endpoints are asked), and
     * the file of the reply cache. Borrowed until gm_pipeline_free; NULL = none. A dry run uses no
     * run folder. */
    const struct gm_llm_opts *llm;
    const char *cache;
    /* Where the client is put as soon as it is made, for who counts from other threads what it costs; NULL =
     * nobody. Only of use where a registry keeps the client (base/shared.h): it stays when the pipeline goes. */
    _Atomic(struct gm_llm *) *client;
};

/* gm_pipeline_open - *out is yours. Errors: those of gm_recipe_load and gm_run_open; ARG (a tagger
 * for a recipe that has no tag stage, a tagger folder that is missing, a recipe that asks a language
 * model when there is no endpoint). */
enum gm_status gm_pipeline_open(struct gm_pipeline **out, const struct gm_pipeline_opts *opts,
                                struct gm_error *err) GM_NODISCARD;
void gm_pipeline_free(struct gm_pipeline *p); /* NULL-safe */

/* gm_pipeline_leave - in place of gm_pipeline_free, by a process that ends after it: what others see is ended
 * (servers, run folder, reply cache), and the memory of the stages' models goes with the process, as freeing it piece by
 * piece takes a tenth of the time of a post by itself. NULL-safe. */
void gm_pipeline_leave(struct gm_pipeline *p);

/* gm_pipeline_uses_llm - whether a stage asks a language model. gm_pipeline_llm - the client, NULL
 * until a post has needed it. gm_pipeline_run_dir - the run folder, NULL = none. */
bool gm_pipeline_uses_llm(const struct gm_pipeline *p);
struct gm_llm *gm_pipeline_llm(const struct gm_pipeline *p);
const char *gm_pipeline_run_dir(const struct gm_pipeline *p);
/* gm_pipeline_at - the native stage that works on a batch now; NULL = none. From any thread. */
const char *gm_pipeline_at(const struct gm_pipeline *p);

/* gm_pipeline_run - one post, as gm_pipeline_stream does each. A post that fails keeps what it has,
 * carries its error and skips the later stages. A recipe that starts with `tag` replaces entities that
 * came with the post; an error that came with it is forgotten.
 * Errors: a stage can't work at all (missing model, bad setting, out of memory): the message names
 * the stage. One call at a time on one pipeline; works with the thread budget inside. */
enum gm_status gm_pipeline_run(struct gm_pipeline *p, struct gm_post *post,
                               struct gm_error *err) GM_NODISCARD;

/* Where the posts of a stream come from that is no file. */
struct gm_post_source {
    void *user;
    /* Initialise and fill *post; *has is false at the end. While there is none yet it calls `wait`, which
     * returns when descriptor fd can be read and brings the posts that are there to their end meanwhile;
     * its errors are passed on. Or it says AGAIN, and is asked again when those have gone on. Errors as those of
     * gm_reader_next: with *has the post is told to be unreadable, and the next call goes on. On the caller's thread. */
    enum gm_status (*next)(void *user, struct gm_post *post, bool *has, gm_wait_fn *wait,
                           void *wait_user, struct gm_error *err);
    int idle_ms; /* without a post for so long, a batch that is not full starts all the same; `next` may
                    change it before it waits */
    size_t most; /* posts that there are, at most; 0 = any number */
};

/* What happens with the posts of a stream. All are called on the caller's thread. */
struct gm_stream_sink {
    void *user;
    /* Change a post before the stages see it (add a caption); NULL = nothing to change. */
    enum gm_status (*prepare)(void *user, struct gm_post *post, struct gm_error *err);
    /* A post is ready; they come in input order. Not OK ends the run with that error. */
    enum gm_status (*post)(void *user, struct gm_post *post, struct gm_error *err);
    /* An input line that can't be read; e's message has file and line. Not OK ends the run, as such a
     * line does where this is NULL. */
    enum gm_status (*unreadable)(void *user, const struct gm_error *e, struct gm_error *err);
    /* The input has nothing at the moment, and what was handed out is to reach who waits for it:
     * NULL = nobody does. */
    enum gm_status (*flush)(void *user, struct gm_error *err);
    /* Called ten times a second or so: n_done posts are ready, also those that wait for one before
     * them. NULL = nobody looks. */
    void (*tick)(void *user, size_t n_done);
    /* Whether to stop: no new post is begun, of the requests to a language model that are under way
     * those are stored that are answered within half a second, and the stream ends with CANCEL. A native stage stops by
     * itself within a batch when gm_stop_requested, or when the flag of the caller's thread is set (base/stop.h). NULL = never. */
    bool (*should_stop)(void *user);
    /* A stage has worked for so many seconds on these posts; from any thread, several at once. NULL =
     * nobody looks. */
    void (*timed)(void *user, const char *stage, struct gm_post *const *posts, size_t n,
                  double seconds);
    /* A post is handed out when it is ready, whatever came before it. */
    bool any_order;
};

/* gm_pipeline_stream - all posts of `reader` (of the shard) through the pipeline to the sink.
 * Memory does not grow with their number: at most 128 posts, of which at most 16 with a picture, are
 * held at once; with stages that ask a language model 256 posts, or 4 a request in flight where that
 * is more, whose pictures are not kept decoded while they wait. Batches are as full as the input is
 * fast: where it comes from a pipe that has nothing for 5 ms, the posts that are there go all the way
 * and are handed out, so that a program may wait for each answer. With a run folder, a stage's result
 * that the store has is taken from there, and each new one is in the store before the post goes on; a
 * failed post is stored as failed.
 * Errors: those of the reader, the pipeline, the run folder and the sink; CANCEL. */
enum gm_status gm_pipeline_stream(struct gm_pipeline *p, struct gm_reader *reader,
                                  const struct gm_stream_sink *sink,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_pipeline_serve - gm_pipeline_stream of a source. */
enum gm_status gm_pipeline_serve(struct gm_pipeline *p, const struct gm_post_source *source,
                                 const struct gm_stream_sink *sink,
                                 struct gm_error *err) GM_NODISCARD;

#endif
