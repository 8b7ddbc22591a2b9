/* pool.h - the texts that no sentence may be nearly. Private to src/synth. */
#ifndef GM_SYNTH_POOL_H
#define GM_SYNTH_POOL_H

#include "corpus/near_duplicates.h"
#include "synth/seeds.h"
#include "synth/synth.h"

enum {
    GM_SYNTH_POOLS = 5
}; /* own sentences, seeds, pool, dev, test: in the order of the reasons */

struct gm_synth_pool {
    struct gm_near_duplicates *sets[GM_SYNTH_POOLS];
};

/* gm_synth_pool_load - the seeds and the files of the options. gm_synth_pool_clear frees, also after an
 * error. Errors: of reading, NOMEM. */
enum gm_status gm_synth_pool_load(struct gm_synth_pool *p, const struct gm_synth_opts *opts,
                                  const struct gm_synth_seeds *seeds,
                                  struct gm_error *err) GM_NODISCARD;
void gm_synth_pool_clear(struct gm_synth_pool *p);

/* gm_synth_pool_find - FITS, or what it is nearly. gm_synth_pool_add - one more sentence of our own.
 * Errors: NOMEM. */
enum gm_status gm_synth_pool_find(struct gm_synth_pool *p, struct gm_str text,
                                  enum gm_synth_reason *why, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_synth_pool_add(struct gm_synth_pool *p, struct gm_str text,
                                 struct gm_error *err) GM_NODISCARD;

#endif
