/* quota.h - how many sentences there may be with an entity of a type. Private to src/synth. */
#ifndef GM_SYNTH_QUOTA_H
#define GM_SYNTH_QUOTA_H

#include "synth/seeds.h"
#include "synth/written.h"

struct gm_synth_quota {
    size_t *most, *n; /* [types] SIZE_MAX = any number; so far */
    size_t n_types;
};

/* gm_synth_quota_read - `text` is "2000" (of every type) or "PER=2000,LOC=500"; NULL = no quotas. The
 * numbers live in the arena. Errors: ARG (not of these forms, an unknown type), NOMEM. */
enum gm_status gm_synth_quota_read(struct gm_synth_quota *q, const char *text,
                                   const struct gm_labels *types, struct gm_arena *a,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_synth_quota_is_full - whether one more sentence with these entities would be one too many.
 * gm_synth_quota_add - there is one more. */
bool gm_synth_quota_is_full(const struct gm_synth_quota *q, const struct gm_synth_sentence *s);
void gm_synth_quota_add(struct gm_synth_quota *q, const struct gm_synth_sentence *s);

/* gm_synth_quota_stops - whether no sentence of that kind can fit any more. */
bool gm_synth_quota_stops(const struct gm_synth_quota *q, const struct gm_synth_seed *seed,
                          enum gm_synth_kind kind);

#endif
