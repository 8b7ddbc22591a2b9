/* int8.c - a matrix w [rows][cols] as whole numbers: for each row i,
 *
 *   scale[i] = max over j of |w[i][j]| / 127,   q[i][j] = round(w[i][j] / scale[i])
 *   w[i][j] is then about q[i][j] scale[i]
 *
 * so that an element is off by half a scale at most. Symmetric, a scale a row (per output
 * channel). Source: Jacob et al., CVPR 2018. Naive reference: int8_values in
 * tests/unit/test_nn_engine.c; the rounding kernel: int8 in tests/unit/test_nn_kernels.c. */
#include "nn/int8.h"

#include "base/alloc.h"
#include "nn/kernels/kernels.h"

enum gm_status gm_int8_round(const struct gm_tensor *w, int8_t *q, float *scale,
                             struct gm_error *err)
{
    const struct gm_kernels *kn = gm_kernels(GM_F32);
    size_t rows = w->shape[0], n = w->shape[1];
    float *row = gm_alloc_aligned(n, sizeof *row);
    if (!row)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < rows; i++) {
        gm_tensor_to_f32(w, i * n, n, row);
        kn->quantise(1, n, row, q + i * n, scale + i);
    }
    gm_free(row);
    return GM_OK;
}

void gm_int8_values(const struct gm_tensor *q, const float *scale, float *out)
{
    const int8_t *p = q->data;
    size_t n = q->shape[1];
    for (size_t i = 0; i < q->shape[0]; i++)
        for (size_t j = 0; j < n; j++)
            out[i * n + j] = (float)p[i * n + j] * scale[i];
}
