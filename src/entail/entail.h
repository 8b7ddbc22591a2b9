/* entail.h - visual entailment from text: is an entity of the post likely to be in its image?
 * A classifier on the native encoder over (text, entity, type, caption); the caption may be absent.
 * Source of the task: RiVEG (arXiv 2406.07268), whose entailment model also reads the pixels. */
#ifndef GM_ENTAIL_ENTAIL_H
#define GM_ENTAIL_ENTAIL_H

#include "record/record.h"

struct gm_entail;

struct gm_entail_opts {
    const char *precision; /* "auto", "f32", "bf16", "int8"; NULL = auto */
};

/* gm_entail_load - open a model directory that `gmner train --task entail` wrote. *out is yours.
 * Immutable afterwards: any number of sessions share it, each on a thread of its own. Errors: as
 * gm_tagger_load. */
enum gm_status gm_entail_load(struct gm_entail **out, const char *dir,
                              const struct gm_entail_opts *opts, struct gm_error *err) GM_NODISCARD;
void gm_entail_free(struct gm_entail *e); /* after its sessions; NULL-safe */

/* gm_entail_session_new - what one caller needs to run a classifier, as gm_tagger_session_new. */
struct gm_entail_session;
enum gm_status gm_entail_session_new(struct gm_entail_session **out, const struct gm_entail *e,
                                     struct gm_error *err) GM_NODISCARD;
void gm_entail_session_free(struct gm_entail_session *s); /* NULL-safe */

/* gm_entail_predict - set `visible` of every entity of n posts, in packed batches; 0 for one that covers no
 * word. Posts with an error or without an image are skipped. Errors: as gm_tagger_predict. Threads: one call at a time on one session. */
enum gm_status gm_entail_predict(struct gm_entail_session *s, struct gm_post **posts, size_t n,
                                 struct gm_error *err) GM_NODISCARD;

#endif
