/* crf_soft.c - learning from another model's label probabilities q [T][L], each row a
 * distribution: with alpha, beta and log Z as in crf.c,
 *
 *   log p[t][j] = alpha[t][j] + beta[t][j] - log Z        the CRF's own marginals
 *   loss        = - sum over t, j of q[t][j] log p[t][j]
 *
 * differentiated in reverse mode: the loss's slopes towards log Z, alpha and beta first, then
 * through the two recursions backwards, alpha from the last word to the first and beta from the
 * first to the last, which costs as much as forward-backward itself. Where p is 0, q is left
 * out. Source: Hinton, Vinyals, Dean 2015. Naive reference: `naive_soft` (all paths) and
 * differences in tests/unit/test_nn_crf.c. */
#include "nn/crf.h"

#include <math.h>

/* Gradients of the loss with respect to the lattice. */
struct adjoint {
    const struct gm_crf_lattice *l;
    const struct gm_crf_grad *d;
    float *d_emit;
    double weight;
    double *alpha, *beta; /* [n,k] */
};

/* alpha[t][j] = emit[t][j] + log sum_i exp(alpha[t-1][i] + step[i][j]), from the last word back. */
static void alpha_back(struct adjoint *a)
{
    const struct gm_crf_lattice *l = a->l;
    size_t k = l->k;
    for (size_t t = l->n; t-- > 0;)
        for (size_t j = 0; j < k; j++) {
            double g = a->alpha[t * k + j];
            if (g == 0)
                continue;
            a->d_emit[t * k + j] += (float)(a->weight * g);
            if (t == 0) {
                a->d->start[j] += (float)(a->weight * g);
                continue;
            }
            double sum = l->alpha[t * k + j] - (double)l->emit[t * k + j];
            for (size_t i = 0; i < k; i++) {
                double w = g * exp(l->alpha[(t - 1) * k + i] + l->step[i * k + j] - sum);
                a->alpha[(t - 1) * k + i] += w;
                a->d->trans[i * k + j] += (float)(a->weight * w);
            }
        }
}

/* beta[t][i] = log sum_j exp(step[i][j] + emit[t+1][j] + beta[t+1][j]), from the first word on. */
static void beta_back(struct adjoint *a)
{
    const struct gm_crf_lattice *l = a->l;
    size_t k = l->k;
    for (size_t t = 0; t < l->n; t++)
        for (size_t i = 0; i < k; i++) {
            double g = a->beta[t * k + i];
            if (g == 0)
                continue;
            if (t + 1 == l->n) {
                a->d->end[i] += (float)(a->weight * g);
                continue;
            }
            for (size_t j = 0; j < k; j++) {
                size_t at = (t + 1) * k + j;
                double w = g * exp(l->step[i * k + j] + (double)l->emit[at] + l->beta[at] -
                                   l->beta[t * k + i]);
                a->beta[at] += w;
                a->d_emit[at] += (float)(a->weight * w);
                a->d->trans[i * k + j] += (float)(a->weight * w);
            }
        }
}

/* - sum q log p = sum q (log Z - alpha - beta); log Z in turn is made of the last word's row. */
static double start_back(struct adjoint *a, const float *target)
{
    const struct gm_crf_lattice *l = a->l;
    double loss = 0, total = 0;
    for (size_t i = 0; i < l->n * l->k; i++) {
        double q = (double)target[i], log_p = l->alpha[i] + l->beta[i] - l->log_z;
        if (q == 0 || !(log_p > -INFINITY))
            continue;
        loss -= q * log_p;
        total += q;
        a->alpha[i] -= q;
        a->beta[i] -= q;
    }
    for (size_t j = 0; j < l->k; j++) {
        double p = gm_crf_marginal(l, l->n - 1, j);
        a->alpha[(l->n - 1) * l->k + j] += total * p;
        a->beta[(l->n - 1) * l->k + j] += total * p;
    }
    return loss;
}

enum gm_status gm_crf_soft(const struct gm_crf *crf, const float *emit, const uint32_t *offsets,
                           size_t n_posts, const float *target, double weight, float *d_emit,
                           const struct gm_crf_grad *d, double *loss, struct gm_arena *arena,
                           struct gm_error *err)
{
    size_t k = crf->k;
    for (size_t b = 0; b < n_posts; b++) {
        size_t at = offsets[b] * k, n = offsets[b + 1] - offsets[b];
        struct gm_crf_lattice l;
        if (n == 0)
            continue;
        gm_arena_reset(arena);
        enum gm_status st = gm_crf_lattice_fill(&l, crf, emit + at, n, arena, err);
        if (st != GM_OK)
            return st;
        struct adjoint a = {.l = &l,
                            .d = d,
                            .d_emit = d_emit + at,
                            .weight = weight,
                            .alpha = gm_arena_alloc(arena, n * k, sizeof(double)),
                            .beta = gm_arena_alloc(arena, n * k, sizeof(double))};
        if (!a.alpha || !a.beta)
            return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
        *loss += weight * start_back(&a, target + at);
        alpha_back(&a);
        beta_back(&a);
    }
    return GM_OK;
}
