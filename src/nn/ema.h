/* ema.h - an exponential moving average of the weights, to be used in their place.
 * Source: Polyak, Juditsky, SIAM 1992; the decay's growth as in Tarvainen, Valpola, NeurIPS 2017. */
#ifndef GM_NN_EMA_H
#define GM_NN_EMA_H

#include "nn/params.h"

struct gm_ema {
    struct gm_params *params; /* borrowed */
    float **w;                /* a parameter: [n] averaged values; NULL where frozen */
};

/* gm_ema_init - starts as the weights are now (after gm_params_ready). Errors: NOMEM. */
enum gm_status gm_ema_init(struct gm_ema *a, struct gm_params *ps,
                           struct gm_error *err) GM_NODISCARD;
void gm_ema_clear(struct gm_ema *a); /* a zeroed one is fine */

/* gm_ema_step - after step t (1, 2, …): average = d * average + (1 - d) * weights, where d is the
 * smaller of `decay` and (1 + t) / (10 + t), so that the first weights are soon forgotten.
 * Threads: uses the budget; the result does not depend on it. */
void gm_ema_step(struct gm_ema *a, double decay, size_t t);

/* gm_ema_swap - exchange weights and average; twice = as before. A zeroed average: nothing. */
void gm_ema_swap(struct gm_ema *a);

#endif
