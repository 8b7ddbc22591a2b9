#include "nn/optim.h"

#include "nn/kernels/kernels.h"

#include <math.h>

enum { BLOCK = 1 << 14 };

struct gm_optim gm_optim_default(void)
{
    return (struct gm_optim){
        .weight_decay = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .clip_norm = 1};
}

/* Elements of the gradient: all of a dense parameter, the touched rows of an embedding. */
static size_t grad_count(const struct gm_param *p)
{
    return p->kind == GM_EMBEDDING ? p->n_touched * p->shape[1] : p->has_g ? p->n : 0;
}

static double norm_of(const struct gm_params *ps, const struct gm_kernels *kn)
{
    double total = 0;
    for (size_t i = 0; i < ps->n; i++) {
        const struct gm_param *p = &ps->p[i];
        size_t n = grad_count(p);
        double sums[256];
        /* Summed block by block in a set order, so that threads do not change the result. */
        for (size_t from = 0; from < n; from += 256 * (size_t)BLOCK) {
            size_t left = n - from, blocks = (left + BLOCK - 1) / BLOCK;
            blocks = blocks < 256 ? blocks : 256;
#pragma omp parallel for schedule(static)
            for (size_t b = 0; b < blocks; b++) {
                size_t at = b * BLOCK, len = left - at < BLOCK ? left - at : BLOCK;
                sums[b] = kn->sum_squares(len, p->g + from + at);
            }
            for (size_t b = 0; b < blocks; b++)
                total += sums[b];
        }
    }
    return sqrt(total);
}

static void update(struct gm_param *p, const struct gm_kernels *kn, const struct gm_adamw *c)
{
    if (p->kind == GM_EMBEDDING) {
        size_t width = p->shape[1];
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < p->n_touched; i++) {
            size_t at = p->touched[i] * width;
            kn->adamw(width, p->w + at, p->g + i * width, p->m + at, p->v + at, NULL, c);
        }
        return;
    }
    size_t blocks = (p->n + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < blocks; b++) {
        size_t at = b * BLOCK, len = p->n - at < BLOCK ? p->n - at : BLOCK;
        kn->adamw(len, p->w + at, p->g + at, p->m + at, p->v + at, p->w16 ? p->w16 + at : NULL, c);
    }
    p->packed_stale = true;
}

void gm_optim_step(struct gm_params *ps, const struct gm_optim *o, size_t t, double *norm)
{
    const struct gm_kernels *kn = gm_kernels(GM_F32);
    double n = norm_of(ps, kn);
    if (norm)
        *norm = n;
    for (size_t i = 0; i < ps->n && isfinite(n); i++) {
        struct gm_param *p = &ps->p[i];
        if (p->frozen || grad_count(p) == 0)
            continue;
        struct gm_adamw c = {
            .lr = (float)o->lr[p->group] * p->lr_scale,
            .beta1 = (float)o->beta1,
            .beta2 = (float)o->beta2,
            .eps = (float)o->eps,
            .decay = p->decay ? (float)o->weight_decay : 0,
            .m_fix = (float)(1 / (1 - pow(o->beta1, (double)t))),
            .v_fix = (float)(1 / (1 - pow(o->beta2, (double)t))),
            .g_scale = o->clip_norm > 0 && n > o->clip_norm ? (float)(o->clip_norm / n) : 1,
        };
        update(p, kn, &c);
    }
    gm_params_zero_grad(ps);
}
