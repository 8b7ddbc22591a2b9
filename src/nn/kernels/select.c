/* select.c - which table of kernels this CPU runs: for T in f32 and bf16, the widest vectors
 * that it has. Tests: levels_differ in tests/unit/test_nn_kernels.c. */
#include "nn/kernels/kernels.h"

#include <stdlib.h>

extern const struct gm_kernels gm_kernels_f32_base, gm_kernels_bf16_base;
#ifdef GM_HAVE_V4
extern const struct gm_kernels gm_kernels_f32_v4, gm_kernels_bf16_v4;
#endif

const struct gm_kernels *gm_kernels(enum gm_dtype t)
{
#ifdef GM_HAVE_V4
    /* The same switch as oneDNN's, so that one variable tests the whole program on lesser CPUs. */
    const char *max_isa = getenv("ONEDNN_MAX_CPU_ISA");
    bool narrow = max_isa && strncmp(max_isa, "AVX512", 6) != 0 &&
                  strncmp(max_isa, "AVX10", 5) != 0 && strcmp(max_isa, "DEFAULT") != 0;
    if (!narrow && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return t == GM_F32                            ? &gm_kernels_f32_v4
               : __builtin_cpu_supports("avx512bf16") ? &gm_kernels_bf16_v4
                                                      : &gm_kernels_bf16_base;
#endif
    return t == GM_BF16 ? &gm_kernels_bf16_base : &gm_kernels_f32_base;
}
