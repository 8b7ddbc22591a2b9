#include "base/rng.h"

#include <math.h>

uint64_t gm_hash64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void gm_rng_init(struct gm_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        r->s[i] = gm_hash64(seed);
        seed += 0x9e3779b97f4a7c15u;
    }
}

static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

uint64_t gm_rng_u64(struct gm_rng *r)
{
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

size_t gm_rng_below(struct gm_rng *r, size_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;
    do {
        x = gm_rng_u64(r);
    } while (x >= limit);
    return (size_t)(x % n);
}

double gm_rng_uniform(struct gm_rng *r) { return (double)(gm_rng_u64(r) >> 11) * 0x1p-53; }

double gm_rng_normal(struct gm_rng *r)
{
    double u = 1.0 - gm_rng_uniform(r), v = gm_rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void gm_rng_shuffle(struct gm_rng *r, size_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = gm_rng_below(r, i), t = items[i - 1];
        items[i - 1] = items[k];
        items[k] = t;
    }
}
