/* spellings.h - a training post the way a tweet might spell it: names joined behind "#", a retweet's "RT @user:"
 * in front, capitals or none, the end cut off, characters lost. Training posts are edited text for the most
 * part; what people type and what archives keep of it is not. Private to src/train. */
#ifndef GM_TRAIN_SPELLINGS_H
#define GM_TRAIN_SPELLINGS_H

#include "base/arena.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"

#include <stdint.h>

/* Where a word stands. */
enum gm_spelling_place { GM_OUTSIDE, GM_BEGINS, GM_CONTINUES };

/* A post in words. */
struct gm_spelling {
    struct gm_str *words; /* [n] */
    uint8_t *places;      /* [n] enum gm_spelling_place */
    size_t *
        sources; /* [n] number of the word that it was before, GM_SPELLING_NEW for a word that was not
                             there; of words that were joined the first */
    size_t n;
};
#define GM_SPELLING_NEW SIZE_MAX

/* gm_spell - another spelling of a post, by what `rng` draws; *out has memory of `a`, words that did not
 * change are borrowed.
 *   words, places [n]  the post
 *   users [n_users]    names for "RT @user:"; none: no such prefix
 * An entity keeps its type by the source of its first word; none is made or lost, but for those behind a
 * cut. A post has at least one word afterwards where it had one. Errors: NOMEM. */
enum gm_status gm_spell(const struct gm_str *words, const uint8_t *places, size_t n,
                        const struct gm_str *users, size_t n_users, struct gm_rng *rng,
                        struct gm_arena *a, struct gm_spelling *out,
                        struct gm_error *err) GM_NODISCARD;

#endif
