/* state.h - what stages add to a post, as text: exact (numbers read back bit by bit), so that a
 * post put together from stored results goes on just as one that was never stored. The record's own form
 * (record/record.h) rounds; it is for people. */
#ifndef GM_PIPELINE_STATE_H
#define GM_PIPELINE_STATE_H

#include "record/record.h"

/* The parts that a stage may change; each is stored only where a stage has changed it. */
enum gm_part {
    GM_PART_CAPTION,
    GM_PART_KNOWLEDGE,
    GM_PART_ENTITIES,
    GM_PART_CANDIDATES,
    GM_PART_OBJECTS,
    GM_PART_TEXTS,
    GM_PART_SIZE,
    GM_PART_CAPTION_SHORT,
    GM_PART_ASKED, /* stages/asked.h */
    GM_N_PARTS
};

struct gm_state {
    struct gm_buf part[GM_N_PARTS]; /* JSON; empty = the post has none */
};

void gm_state_init(struct gm_state *s);
void gm_state_clear(struct gm_state *s); /* NULL-safe members; usable again */

/* gm_state_take - s = the post's state as it is now. Errors: NOMEM. */
enum gm_status gm_state_take(struct gm_state *s, const struct gm_post *post,
                             struct gm_error *err) GM_NODISCARD;

/* gm_state_diff - append to `out` the parts of `now` that differ from `before`, as one JSON object;
 * a part that is gone is null. Of GM_PART_ASKED it has the entry alone that a stage has put there, and gm_state_apply puts
 * it into the post's list in place of that stage's: what other stages asked is as their own results say. */
enum gm_status gm_state_diff(const struct gm_state *before, const struct gm_state *now,
                             struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

/* gm_state_apply - change the post as a diff says. Errors: FORMAT (not what gm_state_diff writes),
 * NOMEM. */
enum gm_status gm_state_apply(struct gm_post *post, struct gm_str diff,
                              struct gm_error *err) GM_NODISCARD;

/* gm_state_text - append all parts but GM_PART_ASKED, which no stage looks at, to `out`, for a hash of the state. */
enum gm_status gm_state_text(const struct gm_state *s, struct gm_buf *out,
                             struct gm_error *err) GM_NODISCARD;

#endif
