/* ema.c - after step t, for every weight w that is not frozen, with d = min(decay, (1 + t) / (10
 * + t)):
 *
 *   average += (1 - d) (w - average)
 *
 * Source: ema.h. Naive reference: average_of_the_weights in tests/unit/test_nn_optim.c. */
#include "nn/ema.h"

#include "base/alloc.h"

enum gm_status gm_ema_init(struct gm_ema *a, struct gm_params *ps, struct gm_error *err)
{
    *a = (struct gm_ema){.params = ps, .w = gm_alloc(ps->n, sizeof *a->w)};
    if (!a->w)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < ps->n; i++) {
        if (ps->p[i].frozen)
            continue;
        a->w[i] = gm_alloc_aligned(ps->p[i].n, sizeof *a->w[i]);
        if (!a->w[i])
            return GM_FAIL(err, GM_ENOMEM, "out of memory for averaged weights");
        gm_param_values(&ps->p[i], a->w[i]);
    }
    return GM_OK;
}

void gm_ema_clear(struct gm_ema *a)
{
    for (size_t i = 0; a->w && i < a->params->n; i++)
        gm_free(a->w[i]);
    gm_free(a->w);
    *a = (struct gm_ema){0};
}

void gm_ema_step(struct gm_ema *a, double decay, size_t t)
{
    double start = (1 + (double)t) / (10 + (double)t);
    float gain = (float)(1 - (start < decay ? start : decay));
    for (size_t i = 0; i < a->params->n; i++) {
        const struct gm_param *p = &a->params->p[i];
        float *avg = a->w[i];
        if (!avg)
            continue;
#pragma omp parallel for simd schedule(static)
        for (size_t k = 0; k < p->n; k++)
            avg[k] += gain * (p->w[k] - avg[k]);
    }
}

void gm_ema_swap(struct gm_ema *a)
{
    for (size_t i = 0; a->w && i < a->params->n; i++) {
        struct gm_param *p = &a->params->p[i];
        if (!a->w[i])
            continue;
        float *w = p->w;
        p->w = a->w[i];
        a->w[i] = w;
        gm_param_changed(p);
    }
}
