/* vec.h - short vectors in GCC's portable vector extension, and loads and stores of the activation
 * type T. Built once for each T (GM_T_BF16) and vector length (from the compiler's flags). */
#ifndef GM_NN_KERNELS_VEC_H
#define GM_NN_KERNELS_VEC_H

#include "nn/tensor.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
enum { VL = 16 };
typedef float vf __attribute__((vector_size(64), may_alias));
typedef uint32_t vu __attribute__((vector_size(64), may_alias));
typedef int32_t vi __attribute__((vector_size(64), may_alias));
typedef uint16_t vh __attribute__((vector_size(32), may_alias));
typedef int8_t vb __attribute__((vector_size(16), may_alias));
#else
enum { VL = 8 };
typedef float vf __attribute__((vector_size(32), may_alias));
typedef uint32_t vu __attribute__((vector_size(32), may_alias));
typedef int32_t vi __attribute__((vector_size(32), may_alias));
typedef uint16_t vh __attribute__((vector_size(16), may_alias));
typedef int8_t vb __attribute__((vector_size(8), may_alias));
#endif

#define INLINE static inline __attribute__((always_inline))

#ifdef GM_T_BF16
typedef uint16_t T;
#else
typedef float T;
#endif

INLINE vf splat(float x) { return x - (vf){0}; }
INLINE vu splat_u(uint32_t x) { return x - (vu){0}; }
INLINE vf select_f(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
#if defined __AVX512F__
INLINE vf min_f(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vf max_f(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
#elif defined __AVX2__
INLINE vf min_f(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vf max_f(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
#else
INLINE vf min_f(vf a, vf b) { return select_f(a < b, a, b); }
INLINE vf max_f(vf a, vf b) { return select_f(a > b, a, b); }
#endif

/* 1/x, relative error below 2^-22: a division takes as long as ten products. */
INLINE vf reciprocal(vf x)
{
#ifdef __AVX512F__
    vf r = (vf)_mm512_rcp14_ps((__m512)x);
    return r * (2.0f - x * r);
#else
    return 1.0f / x;
#endif
}

INLINE vf load_f32(const float *p)
{
    vf x;
    memcpy(&x, p, sizeof x);
    return x;
}

INLINE void store_f32(float *p, vf x) { memcpy(p, &x, sizeof x); }

INLINE vf widen(vh h)
{
#ifdef __AVX512F__ /* gcc 12 makes four instructions of the other form */
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)h), 16);
#else
    return (vf)(__builtin_convertvector(h, vu) << 16);
#endif
}

/* To nearest even; a NaN stays one (in software because its quiet bit is above the rounding). */
INLINE vh narrow(vf x)
{
#ifdef __AVX512BF16__
    return (vh)_mm512_cvtneps_pbh((__m512)x);
#else
    vu u = (vu)x;
    vu rounded = u + 0x7FFFu + ((u >> 16) & 1u);
    vu is_nan = (vu)(x != x);
    return __builtin_convertvector(((is_nan & (u | 0x400000u)) | (~is_nan & rounded)) >> 16, vh);
#endif
}

/* The low bytes of k elements of which VL or fewer are left. */
INLINE void store_bytes_k(int8_t *p, vi x, size_t k)
{
#ifdef __AVX512F__
    vb bytes = (vb)_mm512_cvtepi32_epi8((__m512i)x);
#else
    vb bytes = __builtin_convertvector(x, vb);
#endif
    if (k >= VL)
        memcpy(p, &bytes, VL);
    else
        memcpy(p, &bytes, k);
}

INLINE vf load(const T *p)
{
#ifdef GM_T_BF16
    vh h;
    memcpy(&h, p, sizeof h);
    return widen(h);
#else
    return load_f32(p);
#endif
}

INLINE void store(T *p, vf x)
{
#ifdef GM_T_BF16
    vh h = narrow(x);
    memcpy(p, &h, sizeof h);
#else
    store_f32(p, x);
#endif
}

/* The first k < VL elements; the others read as 0 and are not written. */
#ifdef __AVX512F__
INLINE __mmask16 first(size_t k) { return (__mmask16)((1u << k) - 1); }

INLINE vf load_f32_part(const float *p, size_t k) { return (vf)_mm512_maskz_loadu_ps(first(k), p); }
INLINE void store_f32_part(float *p, vf x, size_t k)
{
    _mm512_mask_storeu_ps(p, first(k), (__m512)x);
}

INLINE vh load_half_part(const uint16_t *p, size_t k)
{
    return (vh)_mm256_maskz_loadu_epi16(first(k), p);
}
INLINE void store_half_part(uint16_t *p, vh x, size_t k)
{
    _mm256_mask_storeu_epi16(p, first(k), (__m256i)x);
}
#else
INLINE vf load_f32_part(const float *p, size_t k)
{
    float t[VL] = {0};
    memcpy(t, p, k * sizeof *p);
    return load_f32(t);
}

INLINE void store_f32_part(float *p, vf x, size_t k) { memcpy(p, &x, k * sizeof *p); }

INLINE vh load_half_part(const uint16_t *p, size_t k)
{
    vh h = {0};
    memcpy(&h, p, k * sizeof *p);
    return h;
}

INLINE void store_half_part(uint16_t *p, vh x, size_t k) { memcpy(p, &x, k * sizeof *p); }
#endif

INLINE vf load_part(const T *p, size_t k)
{
#ifdef GM_T_BF16
    return widen(load_half_part(p, k));
#else
    return load_f32_part(p, k);
#endif
}

INLINE void store_part(T *p, vf x, size_t k)
{
#ifdef GM_T_BF16
    store_half_part(p, narrow(x), k);
#else
    store_f32_part(p, x, k);
#endif
}

/* As the above, for k elements of which VL or fewer are left. */
INLINE vf load_k(const T *p, size_t k) { return k >= VL ? load(p) : load_part(p, k); }
INLINE void store_k(T *p, vf x, size_t k)
{
    if (k >= VL)
        store(p, x);
    else
        store_part(p, x, k);
}
INLINE vf load_f32_k(const float *p, size_t k)
{
    return k >= VL ? load_f32(p) : load_f32_part(p, k);
}
INLINE void store_f32_k(float *p, vf x, size_t k)
{
    if (k >= VL)
        store_f32(p, x);
    else
        store_f32_part(p, x, k);
}

INLINE vi lane_numbers(void)
{
    vi lane;
    for (int i = 0; i < VL; i++)
        lane[i] = i;
    return lane;
}

/* Lanes of a and then of b, by number. */
INLINE vf pick(vf a, vf b, vi from)
{
#if __has_builtin(__builtin_shuffle)
    return __builtin_shuffle(a, b, from);
#else /* clang, which builds the fuzz targets, picks by constants only */
    vf r;
    for (int i = 0; i < VL; i++)
        r[i] = from[i] < VL ? a[from[i]] : b[from[i] - VL];
    return r;
#endif
}

/* Halves folded onto each other: the chain of additions is short, and the same on every CPU. */
INLINE float sum_of(vf x)
{
    for (int step = VL / 2; step > 0; step /= 2)
        x += pick(x, x, lane_numbers() ^ step);
    return x[0];
}

INLINE float max_of(vf x)
{
    for (int step = VL / 2; step > 0; step /= 2)
        x = max_f(x, pick(x, x, lane_numbers() ^ step));
    return x[0];
}

/* r[i][j] becomes r[j][i]: blocks of 1, 2, 4, ... lanes change places. */
INLINE void transpose_square(vf *r)
{
#pragma GCC unroll 4
    for (int step = 1; step < VL; step *= 2) {
        vi lane = lane_numbers(), odd = (lane & step) != 0;
        vi low = lane + (odd & (VL - step)), high = low + step;
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++)
            if (!(i & step)) {
                vf a = r[i], b = r[i + step];
                r[i] = pick(a, b, low);
                r[i + step] = pick(a, b, high);
            }
    }
}

INLINE vi lanes_below(size_t k) { return lane_numbers() < (int32_t)(k < VL ? k : VL); }

/* e^x, relative error about 2e-7; 0 and infinity are not reached: x is clipped to [-87, 88]. With
 * n = round(x / log 2) and r = x - n log 2 (log 2 in two parts, so that r is exact), e^x = 2^n e^r, and
 * e^r a polynomial. Source: Cephes' expf (Moshier). */
INLINE vf exp_f(vf x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: rounds to an integer in the low bits */
    x = min_f(max_f(x, splat(-87.0f)), splat(88.0f));
    vf t = x * 1.44269504f + magic;
    vf n = t - magic;
    vf r = x - n * 0.693359375f + n * 2.12194440e-4f;
    vf p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return (vf)((vi)p + ((vi)t << 23));
}

/* All ones where element `index` of a tensor is kept: where a hash of it is at least the threshold.
 * Source of the hash: the last steps of xxHash32 (Collet). */
INLINE vi kept(uint32_t index, uint32_t seed, uint32_t threshold)
{
    vu h = ((vu)lane_numbers() + index + seed) * 0x9E3779B1u;
    h = (h ^ (h >> 15)) * 0x85EBCA77u;
    h = (h ^ (h >> 13)) * 0xC2B2AE3Du;
    h ^= h >> 16;
    return h >= threshold;
}

#endif
