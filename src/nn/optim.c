/* optim.c - AdamW. With g the sum of the lanes' gradients, n its norm over all parameters, c =
 * min(1, clip / n), at step t = 1, 2, …:
 *
 *   m = beta1 m + (1 - beta1) c g,   v = beta2 v + (1 - beta2) (c g)^2
 *   w -= lr (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + decay w)
 *
 * element by element. Of an embedding only the rows with a gradient in this step take part, m
 * and v included, as torch's SparseAdam does it. Weights, moments and gradients are f32, the
 * norm f64; sums are taken in an order that only the number of lanes decides. Source:
 * Loshchilov, Hutter, ICLR 2019. Naive references: oracle_step (the formula in f64) and torch's
 * own AdamW (tests/ref/adamw_reference.py), both in tests/unit/test_nn_optim.c. */
#include "nn/optim.h"

#include "base/alloc.h"
#include "nn/kernels/kernels.h"

#include <math.h>

enum { BLOCK = 1 << 14 }; /* elements: stays in a core's cache between two uses */

struct gm_optim gm_optim_default(void)
{
    return (struct gm_optim){
        .weight_decay = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .clip_norm = 1};
}

/* Part of a parameter's gradient: elements of a dense one, touched rows of an embedding. All blocks
 * of all parameters are one list, so that threads meet once a pass and not once a parameter. */
struct block {
    size_t param, from, n;
    double sum; /* of squares */
};

/* Of an embedding the rows, else the elements. */
static size_t unit_count(const struct gm_param *p)
{
    return p->kind == GM_EMBEDDING ? p->n_touched : p->has_g ? p->n : 0;
}

static size_t block_units(const struct gm_param *p)
{
    size_t width = p->kind == GM_EMBEDDING ? p->shape[1] : 1;
    return width < BLOCK ? BLOCK / width : 1;
}

static enum gm_status blocks_new(const struct gm_params *ps, struct block **out, size_t *n,
                                 struct gm_error *err)
{
    *n = 0;
    for (size_t i = 0; i < ps->n; i++)
        *n += (unit_count(&ps->p[i]) + block_units(&ps->p[i]) - 1) / block_units(&ps->p[i]);
    struct block *b = *out = gm_alloc(*n, sizeof *b);
    if (!b)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < ps->n; i++) {
        size_t units = unit_count(&ps->p[i]), step = block_units(&ps->p[i]);
        for (size_t at = 0; at < units; at += step)
            *b++ =
                (struct block){.param = i, .from = at, .n = units - at < step ? units - at : step};
    }
    return GM_OK;
}

/* What the others have of an embedding's gradient, by rows, to the first. A dense gradient that only
 * another one has changes hands. */
static enum gm_status gather(struct gm_params *const *ps, size_t n, struct gm_error *err)
{
    for (size_t k = 1; k < n; k++)
        for (size_t i = 0; i < ps[0]->n; i++) {
            struct gm_param *to = &ps[0]->p[i], *from = &ps[k]->p[i];
            size_t width = to->shape[1];
            for (size_t t = 0; t < from->n_touched; t++) {
                float *d = gm_param_touch(to, from->touched[t]);
                if (!d)
                    return GM_FAIL(err, GM_ENOMEM, "out of memory for embedding gradients");
                for (size_t j = 0; j < width; j++)
                    d[j] += from->g[t * width + j];
            }
            if (from->has_g && !to->has_g) {
                float *g = to->g;
                to->g = from->g;
                from->g = g;
                to->has_g = true;
                from->has_g = false;
            }
        }
    return GM_OK;
}

/* A block's gradients added up in the first parameters, and its sum of squares. */
static void add_block(struct gm_params *const *ps, size_t n, struct block *b,
                      const struct gm_kernels *kn)
{
    struct gm_param *p = &ps[0]->p[b->param];
    size_t width = p->kind == GM_EMBEDDING ? p->shape[1] : 1;
    float *g = p->g + b->from * width;
    for (size_t k = 1; k < n; k++) {
        const struct gm_param *q = &ps[k]->p[b->param];
        for (size_t i = 0; q->has_g && i < b->n; i++)
            g[i] += q->g[b->from + i];
    }
    b->sum = kn->sum_squares(b->n * width, g);
}

static void update_block(struct gm_param *p, const struct block *b, const struct gm_kernels *kn,
                         const struct gm_adamw *c)
{
    size_t width = p->shape[1];
    if (p->kind == GM_EMBEDDING) {
        for (size_t i = b->from; i < b->from + b->n; i++) {
            size_t at = p->touched[i] * width;
            kn->adamw(width, p->w + at, p->g + i * width, p->m + at, p->v + at, NULL, c);
        }
        return;
    }
    size_t at = b->from;
    kn->adamw(b->n, p->w + at, p->g + at, p->m + at, p->v + at, p->w16 ? p->w16 + at : NULL, c);
}

enum gm_status gm_optim_step(struct gm_params *const *ps, size_t n, const struct gm_optim *o,
                             size_t t, double *norm, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_kernels *kn = gm_kernels(GM_F32);
    struct block *blocks = NULL;
    size_t n_blocks;
    double sum = 0;
    GM_TRY(gather(ps, n, err));
    GM_TRY(blocks_new(ps[0], &blocks, &n_blocks, err));
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n_blocks; i++)
        add_block(ps, n, &blocks[i], kn);
    for (size_t i = 0; i < n_blocks; i++) /* in a set order, so that threads do not change it */
        sum += blocks[i].sum;
    double length = sqrt(sum);
    struct gm_adamw c = {
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .eps = (float)o->eps,
        .m_fix = (float)(1 / (1 - pow(o->beta1, (double)t))),
        .v_fix = (float)(1 / (1 - pow(o->beta2, (double)t))),
        .g_scale = o->clip_norm > 0 && length > o->clip_norm ? (float)(o->clip_norm / length) : 1,
    };
    if (isfinite(length)) {
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < n_blocks; i++) {
            struct gm_param *p = &ps[0]->p[blocks[i].param];
            struct gm_adamw own = c;
            own.lr = (float)o->lr[p->group] * p->lr_scale;
            own.decay = p->decay ? (float)o->weight_decay : 0;
            update_block(p, &blocks[i], kn, &own);
        }
        for (size_t i = 0; i < n_blocks; i++)
            ps[0]->p[blocks[i].param].packed_stale = true;
    }
    if (norm)
        *norm = length;
done:
    for (size_t i = 0; i < n; i++)
        gm_params_zero_grad(ps[i]);
    gm_free(blocks);
    return st;
}
