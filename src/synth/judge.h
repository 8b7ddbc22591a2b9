/* judge.h - conflicts between a sentence's labels and a tagger that was trained on the seeds alone. Private
 * to src/synth. */
#ifndef GM_SYNTH_JUDGE_H
#define GM_SYNTH_JUDGE_H

#include "synth/synth.h"

/* gm_synth_judge - `post` and `outside` are what gm_tagger_judge gave. CONFLICT where a label is less
 * probable than opts->drop, UNLABELLED where "no entity" is that at a name that has no label; else FITS, and
 * labels less probable than opts->doubt get a note "synth_doubt:P", the post's field "synth" the member
 * "unlabelled" with the probability of the name that has none; *marked then. Errors: NOMEM. */
enum gm_status gm_synth_judge(const struct gm_synth_opts *opts, struct gm_post *post,
                              double outside, enum gm_synth_reason *why, bool *marked,
                              struct gm_error *err) GM_NODISCARD;

#endif
