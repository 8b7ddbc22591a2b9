/* build.c - one table of kernels; compiled once for each activation type and vector length with
 * GM_TABLE naming the table (see src/nn/CMakeLists.txt). The kernels are in activations.h,
 * elementwise.h, attention.h and distances.h, what they compute in kernels.h. */
#include "nn/kernels/kernels.h"
#include "nn/kernels/vec.h"

#include <math.h>

#include "nn/kernels/activations.h"

#include "nn/kernels/elementwise.h"

#include "nn/kernels/attention.h"

#include "nn/kernels/distances.h"

extern const struct gm_kernels GM_TABLE;

const struct gm_kernels GM_TABLE = {
    .to_f32 = to_f32,
    .from_f32 = from_f32,
    .quantise = quantise,
    .dequantise = dequantise,
    .layernorm = layernorm,
    .layernorm_back = layernorm_back,
    .activate = activate,
    .activate_back = activate_back,
    .gated = gated,
    .gated_back = gated_back,
    .dropout = dropout,
    .column_sum = column_sum,
    .attention = attention,
    .attention_back = attention_back,
    .attention_scratch = attention_scratch,
    .attention_row = attention_row,
    .distances = distances,
    .distances_back = distances_back,
    .distances_scratch = distances_scratch,
    .rotate = rotate,
    .adamw = adamw,
    .sum_squares = sum_squares,
};
