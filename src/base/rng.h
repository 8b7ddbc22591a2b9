/* rng.h - reproducible random numbers: xoshiro256** seeded by splitmix64 (Blackman, Vigna 2018).
 * The same seed gives the same numbers on every machine (gm_rng_normal: up to the last bits of the C
 * library's log and cos). One thread an object. */
#ifndef GM_BASE_RNG_H
#define GM_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct gm_rng {
    uint64_t s[4];
};

void gm_rng_init(struct gm_rng *r, uint64_t seed);
uint64_t gm_rng_u64(struct gm_rng *r);
size_t gm_rng_below(struct gm_rng *r, size_t n); /* uniform in [0, n), unbiased; n > 0 */
double gm_rng_uniform(struct gm_rng *r);         /* uniform in [0, 1) */
double gm_rng_normal(struct gm_rng *r);          /* mean 0, variance 1 */
/* gm_rng_shuffle - Fisher-Yates over n indices. */
void gm_rng_shuffle(struct gm_rng *r, size_t *items, size_t n);
/* gm_hash64 - mix a counter into 64 random bits (splitmix64's finaliser): the same for a position
 * whatever thread asks, which makes dropout independent of the thread count. */
uint64_t gm_hash64(uint64_t x);

#endif
