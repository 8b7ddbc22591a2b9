/* item.h - a post on its way through the stages of a stream, and its dealings with the run folder.
 * Internal to src/pipeline. */
#ifndef GM_PIPELINE_ITEM_H
#define GM_PIPELINE_ITEM_H

#include "pipeline/pipeline_internal.h"
#include "pipeline/state.h"

struct gm_item {
    struct gm_post post;
    size_t pos;           /* 1-based number in the input */
    size_t place;         /* the stage that it waits for or is in; n_stages = it is ready */
    bool is_ready;        /* set under the stream's lock */
    bool is_out;          /* was handed out, before others of the input */
    struct gm_item *next; /* in its stage's queue */
    /* With a run folder: */
    struct gm_state state;     /* as the stage will see it */
    char base[GM_SHA256_HEX];  /* hash of the text and its words */
    char image[GM_SHA256_HEX]; /* hash of the image's bytes; "" = not read yet */
    char input[GM_SHA256_HEX]; /* hash of what the stage sees */
    long long config;          /* of that stage */
};

/* gm_item_start - begin with item->post, which is set. Errors: NOMEM. */
enum gm_status gm_item_start(struct gm_pipeline *p, struct gm_item *item,
                             struct gm_error *err) GM_NODISCARD;

/* gm_item_advance - from item->place on, pass the stages that have nothing to do and those whose
 * result the run folder has, and stop at the first that must run, or at n_stages.
 * Errors: IO, FORMAT, NOMEM, those of the stage's fingerprint. Safe from any thread, an item from
 * one at a time. */
enum gm_status gm_item_advance(struct gm_pipeline *p, struct gm_item *item,
                               struct gm_error *err) GM_NODISCARD;

/* gm_items_store - put the results of item->place, where all items are and which has run, into the
 * run folder (if there is one), and step to the next place. */
enum gm_status gm_items_store(struct gm_pipeline *p, struct gm_item **items, size_t n,
                              struct gm_error *err) GM_NODISCARD;

/* gm_item_output - keep the final record in the run folder (if there is one). */
enum gm_status gm_item_output(struct gm_pipeline *p, struct gm_item *item,
                              struct gm_error *err) GM_NODISCARD;

void gm_item_clear(struct gm_item *item);

#endif
