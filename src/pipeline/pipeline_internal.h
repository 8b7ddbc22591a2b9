/* pipeline_internal.h - what pipeline.c (opening stages), item.c and stream.c (posts through them) share. */
#ifndef GM_PIPELINE_PIPELINE_INTERNAL_H
#define GM_PIPELINE_PIPELINE_INTERNAL_H

#include "base/shared.h"
#include "pipeline/pipeline.h"
#include "pipeline/recipe.h"
#include "pipeline/run.h"

#include <pthread.h>

/* A stage of the recipe, or a step that one brings along, and its backend's state, once that is open. */
struct gm_stage {
    const struct gm_backend *backend;
    const struct gm_json *settings; /* the recipe's, or `own` */
    struct gm_json *own;            /* of a step that takes settings over; NULL = none */
    size_t place;                   /* among the pipeline's stages */
    bool is_step;                   /* not the recipe's: the stage before it brings it along */
    size_t servers;                 /* which of the client's it asks: 0 = the run's */
    void *self;
    bool is_open;
    bool has_config;
    long long config; /* number in the run folder */
};

struct gm_ahead; /* ahead.h */
enum { GM_AHEAD_MAX = 8 };

struct gm_pipeline {
    struct gm_recipe *recipe;
    struct gm_stage *stages;
    size_t n_stages;
    struct gm_run *run; /* NULL = nothing is stored */
    const char *run_dir;
    const struct gm_llm_opts *llm_opts; /* NULL = no stage asks a language model */
    struct gm_llm_opts own_opts;        /* those, where the caller gave none */
    struct gm_llm_servers *more;        /* [n_stages] room for the endpoints of stages */
    size_t n_more;
    const char *cache_path;
    _Atomic(struct gm_llm *) *shown; /* opts.client */
    struct gm_held client;           /* the client and its cache, made when a stage needs them */
    struct gm_llm *llm;              /* that; NULL until then */
    bool has_learned;                /* the stages know what they must of the model, for pictures */
    struct gm_shard shard;
    size_t max_words;
    double post_seconds;      /* 0 = no limit */
    _Atomic(const char *) at; /* the stage that works in the caller's thread */
    struct gm_ahead *ahead;   /* NULL until it starts */
    pthread_mutex_t lock;     /* opening stages */
};

/* gm_stage_ready - open the stage's backend at the first call. All that ask a language model are opened
 * at once, with the steps behind them and the client that they need, so that what cannot work is known
 * before anything is asked: the first call for one comes from the caller's thread, whose
 * thread budget they see, and with which a local server ends. has_picture: the post has one, and the
 * stages that must learn of the model before they ask about pictures do so first. gm_stage_config - the stage's number in
 * the run folder. Safe from any thread; errors name the stage. */
enum gm_status gm_stage_ready(struct gm_pipeline *p, struct gm_stage *s, bool has_picture,
                              struct gm_error *err) GM_NODISCARD;
enum gm_status gm_stage_config(struct gm_pipeline *p, struct gm_stage *s, long long *config,
                               struct gm_error *err) GM_NODISCARD;

/* gm_pipeline_shares_llm - whether other sessions use the client of the language model, too.
 * gm_pipeline_go_on - before posts come: such a client that gave its servers up asks them again. */
bool gm_pipeline_shares_llm(const struct gm_pipeline *p);
void gm_pipeline_go_on(struct gm_pipeline *p);

/* gm_stage_needs - whether the stage has something to do for this post. */
bool gm_stage_needs(const struct gm_stage *s, const struct gm_post *post);

/* gm_pipeline_start_post - what an earlier run found is found anew: the entities when the recipe
 * starts with the tagger, and a failure in any case but that of a post that could not be read; a post of too many words fails at once.
 * Errors: NOMEM. */
enum gm_status gm_pipeline_start_post(const struct gm_pipeline *p, struct gm_post *post,
                                      struct gm_error *err) GM_NODISCARD;

#endif
