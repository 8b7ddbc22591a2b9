/* crf_moves.c - with S(j) the labels that may stand before label j, and x the scores of one word's labels,
 *
 *   before: y[j] = join over i in S(j) of x[i]          the same for all j of one set S
 *   after:  y[i] = join over j with i in S(j) of x[j] = join over the sets S with i in S of c(S),
 *           c(S) = join over the labels j of that set of x[j]
 *
 * A set is a union of ranges [from, to). Those that begin at 0 or end at k are looked up in joins of all beginnings and
 * ends, so that no set of BIO, BIOES or runs of one class costs more than its type. Nothing is ever subtracted: a sum
 * over all but one type is the sum of two ends. Naive reference: the dense recursions of crf.c, moves_agree_with_dense in
 * tests/unit/test_nn_crf.c. */
#include "nn/crf_moves.h"

#include <math.h>

double gm_join_larger(double x, double y) { return x > y ? x : y; }

double gm_join_sum(double x, double y)
{
    double top = x > y ? x : y, low = x > y ? y : x;
    return isinf(low) ? top : top + log1p(exp(low - top));
}

size_t gm_crf_moves_work(const struct gm_crf_moves *m, size_t k) { return 2 * (k + 1) + m->n_sets; }

/* head[i] of [0, i), tail[i] of [i, k); both [k+1]. */
static void join_ends(size_t k, const double *in, gm_join *join, double *head, double *tail)
{
    head[0] = tail[k] = -INFINITY;
    for (size_t i = 0; i < k; i++)
        head[i + 1] = join(head[i], in[i]);
    for (size_t i = k; i-- > 0;)
        tail[i] = join(tail[i + 1], in[i]);
}

void gm_crf_moves_before(const struct gm_crf_moves *m, size_t k, const double *in, gm_join *join,
                         double *work, double *out)
{
    double *head = work, *tail = work + k + 1, *of_set = work + 2 * (k + 1);
    join_ends(k, in, join, head, tail);
    for (size_t s = 0; s < m->n_sets; s++) {
        of_set[s] = -INFINITY;
        for (size_t r = m->first[s]; r < m->first[s + 1]; r++) {
            struct gm_crf_range x = m->ranges[r];
            if (x.from == 0)
                of_set[s] = join(of_set[s], head[x.to]);
            else if (x.to == k)
                of_set[s] = join(of_set[s], tail[x.from]);
            else
                for (size_t i = x.from; i < x.to; i++)
                    of_set[s] = join(of_set[s], in[i]);
        }
    }
    for (size_t j = 0; j < k; j++)
        out[j] = of_set[m->set_of[j]];
}

void gm_crf_moves_after(const struct gm_crf_moves *m, size_t k, const double *in, gm_join *join,
                        double *work, double *out)
{
    double *head = work, *tail = work + k + 1, *of_set = work + 2 * (k + 1), run = -INFINITY;
    for (size_t s = 0; s < m->n_sets; s++)
        of_set[s] = -INFINITY;
    for (size_t j = 0; j < k; j++)
        of_set[m->set_of[j]] = join(of_set[m->set_of[j]], in[j]);
    for (size_t i = 0; i <= k;
         i++) { /* head[i]: of the sets with all of [0, i); tail[i]: of [i, k) */
        head[i] = tail[i] = -INFINITY;
        if (i < k)
            out[i] = -INFINITY;
    }
    for (size_t s = 0; s < m->n_sets; s++)
        for (size_t r = m->first[s]; r < m->first[s + 1]; r++) {
            struct gm_crf_range x = m->ranges[r];
            if (x.from == 0)
                head[x.to] = join(head[x.to], of_set[s]);
            else if (x.to == k)
                tail[x.from] = join(tail[x.from], of_set[s]);
            else
                for (size_t i = x.from; i < x.to; i++)
                    out[i] = join(out[i], of_set[s]);
        }
    for (size_t i = k; i-- > 0;)
        out[i] = join(out[i], run = join(run, head[i + 1]));
    run = -INFINITY;
    for (size_t i = 0; i < k; i++)
        out[i] = join(out[i], run = join(run, tail[i]));
}

bool gm_crf_moves_may(const struct gm_crf_moves *m, size_t i, size_t j)
{
    size_t s = m->set_of[j];
    for (size_t r = m->first[s]; r < m->first[s + 1]; r++)
        if (m->ranges[r].from <= i && i < m->ranges[r].to)
            return true;
    return false;
}
