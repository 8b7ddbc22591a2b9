/* build.c - one table of kernels; compiled once for each activation type and vector length with
 * GM_TABLE naming the table (see src/nn/CMakeLists.txt). The kernels are in elementwise.h and
 * attention.h, what they compute in kernels.h. */
#include "nn/kernels/kernels.h"
#include "nn/kernels/vec.h"

#include <math.h>

#include "nn/kernels/elementwise.h"

#include "nn/kernels/attention.h"

extern const struct gm_kernels GM_TABLE;

const struct gm_kernels GM_TABLE = {
    .to_f32 = to_f32,
    .from_f32 = from_f32,
    .quantise = quantise,
    .dequantise = dequantise,
    .layernorm = layernorm,
    .layernorm_back = layernorm_back,
    .gelu = gelu,
    .gelu_back = gelu_back,
    .dropout = dropout,
    .column_sum = column_sum,
    .attention = attention,
    .attention_back = attention_back,
    .attention_scratch = attention_scratch,
    .adamw = adamw,
    .sum_squares = sum_squares,
};
