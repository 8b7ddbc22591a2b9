/* asked.h - what a stage asked a language model about one post, for the record's `asked` (docs/record.md): the
 * requests, the tokens of the answers that were taken, and which samples stood in the prompt.
 *
 * It is counted by the thread that works on the post, from gm_asked_begin to gm_asked_end; calls outside of these
 * do nothing. */
#ifndef GM_STAGES_ASKED_H
#define GM_STAGES_ASKED_H

#include "llm/llm.h"
#include "record/record.h"

void gm_asked_begin(void);

/* gm_asked_sample - a sample that the next questions show; one of an id that is there already counts once. Of
 * over 64 the first are told. gm_asked_shown - only the first n of them have been shown. gm_asked_reply - the
 * answer to one. */
void gm_asked_sample(struct gm_str id, struct gm_str text);
void gm_asked_shown(size_t n);
void gm_asked_reply(const struct gm_llm_reply *reply);

/* gm_asked_put - `entry` ({"stage", …}, a reference is taken) into the post's JSON, in place of that stage's entry, as
 * the last. Errors: FORMAT (it names no stage), NOMEM.
 * gm_asked_end - put it into the post's JSON, in place of what the stage asked before; nothing where nothing was
 * answered. Errors: NOMEM. */
enum gm_status gm_asked_put(struct gm_post *post, const struct gm_json *entry,
                            struct gm_error *err) GM_NODISCARD;
enum gm_status gm_asked_end(struct gm_post *post, const char *stage,
                            struct gm_error *err) GM_NODISCARD;

#endif
