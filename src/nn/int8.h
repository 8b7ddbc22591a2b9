/* int8.h - matrices as int8 with one f32 scale a row: w[i][j] = q[i][j] * scale[i]. In a file the
 * tensor NAME is then I8 [rows,cols], and NAME.scale beside it F32 [rows]. */
#ifndef GM_NN_INT8_H
#define GM_NN_INT8_H

#include "nn/tensor.h"

#define GM_INT8_SCALE ".scale"

/* gm_int8_round - w [rows,cols] (F32, BF16 or F16) to q [rows,cols] and scale [rows]: scale[i] =
 * max |w[i]| / 127 (0 for a row of zeros), q[i][j] = w[i][j] / scale[i] rounded to nearest. The
 * type that w is stored in makes no difference. Errors: NOMEM. */
enum gm_status gm_int8_round(const struct gm_tensor *w, int8_t *q, float *scale,
                             struct gm_error *err) GM_NODISCARD;

/* gm_int8_values - the matrix q (I8 [rows,cols]) as f32 into out [rows,cols]. */
void gm_int8_values(const struct gm_tensor *q, const float *scale, float *out);

#endif
