/* crf.h - linear-chain conditional random field: loss and gradient, best path, marginals.
 * Source: Lafferty, McCallum, Pereira, ICML 2001; forward-backward in f64 logarithms, because with
 * forbidden transitions a path that matters may lie any distance below the locally best one.
 *
 * The score of labels y over emissions e: start[y_0] + sum e[t][y_t] + sum trans[y_t-1][y_t] +
 * end[y_T-1]. Transitions that are not allowed have weight zero everywhere. */
#ifndef GM_NN_CRF_H
#define GM_NN_CRF_H

#include "base/arena.h"
#include "nn/tensor.h"

#include <stdint.h>

/* Which label may stand before which, as sets of labels that many labels share; borrowed. */
struct gm_crf_range {
    uint16_t from, to; /* half-open */
};
struct gm_crf_moves {
    size_t n_sets;
    const uint16_t *set_of; /* [k] the set of the labels that may stand before label j */
    const uint32_t
        *first; /* [n_sets+1] set s is ranges first[s] .. first[s+1], in order, without overlap */
    const struct gm_crf_range *ranges;
};

struct gm_crf {
    size_t k;                     /* labels */
    const float *trans;           /* [k,k] from row to column */
    const float *start;           /* [k] */
    const float *end;             /* [k] */
    const uint8_t *allowed;       /* [k,k] 0/1; NULL = all */
    const uint8_t *allowed_start; /* [k]; NULL = all */
    const uint8_t *allowed_end;   /* [k]; NULL = all */
    /* In place of trans and allowed: allowed transitions weigh nothing. Not in training. What costs k^2 below costs k
     * then, for the label sets of src/ner. */
    const struct gm_crf_moves *moves;
};

/* Gradients of the parameters above, f32, added to. */
struct gm_crf_grad {
    float *trans, *start, *end;
};

/* gm_crf_nll - loss of the gold label paths and its gradient.
 *   emit    [N,K] f32 in   the words of all posts end to end
 *   offsets [B+1] u32 in   post b is rows offsets[b] .. offsets[b+1]; an empty post costs nothing
 *   gold    [N]   u16 in   label ids in [0,K)
 *   weight        f64 in   factor of loss and gradient (1/B for a mean)
 *   d_emit  [N,K] f32 out  gradient, ADDED: caller zeroes
 *   d             out      gradients of the parameters, ADDED
 *   loss          f64 out  nats, ADDED; infinite when a gold path is not allowed
 * `a` is working memory, RESET before each post: nothing else may live in it, and the last post's
 * lattice is left there. Errors: NOMEM.
 * Cost O(N*K^2). Threads: yes, with separate a and outputs. */
enum gm_status gm_crf_nll(const struct gm_crf *crf, const float *emit, const uint32_t *offsets,
                          size_t n_posts, const uint16_t *gold, double weight, float *d_emit,
                          const struct gm_crf_grad *d, double *loss, struct gm_arena *a,
                          struct gm_error *err) GM_NODISCARD;

/* gm_crf_soft - cross-entropy between given label probabilities and the marginals, summed over words,
 * and its gradient: what a CRF learns from another model.
 *   target [N,K] f32 in    each row a distribution; what it gives to labels that are not possible
 *                          there is left out
 * All else, errors and threads as gm_crf_nll. Cost O(N*K^2). Source: Hinton, Vinyals, Dean 2015
 * (distillation); the gradient by reverse-mode differentiation of forward-backward. */
enum gm_status gm_crf_soft(const struct gm_crf *crf, const float *emit, const uint32_t *offsets,
                           size_t n_posts, const float *target, double weight, float *d_emit,
                           const struct gm_crf_grad *d, double *loss, struct gm_arena *a,
                           struct gm_error *err) GM_NODISCARD;

/* gm_crf_viterbi - the best path of one post: emit [n,K], best [n] out, its score in *score (NULL
 * allowed). Ties take the smaller label. Errors: NOMEM. */
enum gm_status gm_crf_viterbi(const struct gm_crf *crf, const float *emit, size_t n, uint16_t *best,
                              double *score, struct gm_arena *a, struct gm_error *err) GM_NODISCARD;

/* gm_crf_max_marginals - best [n,K] f64 out: the score of the best path that has label j at word t,
 * -INFINITY where none is allowed. The largest of each row is Viterbi's score. Errors: NOMEM. */
enum gm_status gm_crf_max_marginals(const struct gm_crf *crf, const float *emit, size_t n,
                                    double *best, struct gm_arena *a,
                                    struct gm_error *err) GM_NODISCARD;

/* Forward and backward scores (logarithms) of one post, for probabilities of its parts. */
struct gm_crf_lattice {
    size_t n, k;
    const float *emit; /* [n,k] borrowed */
    double *alpha;     /* [n,k] log sum over the paths up to word t that end in label j */
    double *beta;      /* [n,k] the same over what follows word t, `end` included */
    double *step;      /* [k,k] trans, -INFINITY where not allowed; NULL where there are moves */
    const struct gm_crf_moves *moves;
    double log_z; /* of all paths; -INFINITY when none is allowed, probabilities are then 0 */
};

/* gm_crf_lattice_fill - run forward-backward; memory from `a`; emit [n,k] must outlive it.
 * Errors: NOMEM. Cost O(n*k^2) exponentials. */
enum gm_status gm_crf_lattice_fill(struct gm_crf_lattice *l, const struct gm_crf *crf,
                                   const float *emit, size_t n, struct gm_arena *a,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_crf_marginal - probability that word t has label k. */
double gm_crf_marginal(const struct gm_crf_lattice *l, size_t t, size_t k);

/* gm_crf_span - probability that words from .. to (exclusive) have exactly `labels` [to-from] and
 * word `to`, if there is one, does not have label `not_next` (>= k: no such condition). */
double gm_crf_span(const struct gm_crf_lattice *l, size_t from, size_t to, const uint16_t *labels,
                   size_t not_next);

#endif
