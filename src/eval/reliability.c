/* reliability.c - answers i = 1..n with confidence c_i and right r_i (0 or 1), the surest first:
 *
 *   ECE  = sum over bins B of |B|/n |mean of r over B - mean of c over B|
 *        = 1/n sum over B of |sum of r - sum of c|
 *   AURC = 1/n sum over k = 1..n of the share of wrong answers among the first k
 *   best AURC: with R right ones first, 1/n sum over k > R of (k - R) / k
 *
 * Answers of one confidence have no order: in AURC each prefix counts their wrong ones in
 * proportion, which is the mean over all orders. Sources: reliability.h. Naive reference:
 * over_orders (every order of ties) in tests/unit/test_eval_reliability.c. */
#include "eval/reliability.h"

#include <math.h>
#include <stdlib.h>

static int surest_first(const void *a, const void *b)
{
    double x = ((const struct gm_judged *)a)->confidence;
    double y = ((const struct gm_judged *)b)->confidence;
    return (x < y) - (x > y);
}

void gm_judged_sort(struct gm_judged *j, size_t n)
{
    if (n)
        qsort(j, n, sizeof *j, surest_first);
}

/* Answers [from, result) have one confidence; *right of them are right. */
static size_t tie_end(const struct gm_judged *sorted, size_t n, size_t from, size_t *right)
{
    size_t to = from;
    for (*right = 0; to < n && sorted[to].confidence == sorted[from].confidence; to++)
        *right += sorted[to].right;
    return to;
}

static size_t bin_of(double confidence)
{
    double i = ceil(confidence * GM_ECE_BINS) - 1;
    return i <= 0 ? 0 : i >= GM_ECE_BINS ? GM_ECE_BINS - 1 : (size_t)i;
}

double gm_ece(const struct gm_judged *sorted, size_t n, bool equal_mass,
              struct gm_bin bins[GM_ECE_BINS])
{
    double error = 0;
    for (size_t i = 0; i < GM_ECE_BINS; i++)
        bins[i] = (struct gm_bin){0, 0, 0};
    for (size_t from = 0, to, right; from < n; from = to) {
        to = tie_end(sorted, n, from, &right);
        struct gm_bin *b =
            &bins[equal_mass ? (n - to) * GM_ECE_BINS / n : bin_of(sorted[from].confidence)];
        b->n += to - from;
        b->right += right;
        b->confidence += (double)(to - from) * sorted[from].confidence;
    }
    for (size_t i = 0; i < GM_ECE_BINS; i++)
        error += fabs(bins[i].confidence - (double)bins[i].right);
    return n ? error / (double)n : 0;
}

double gm_aurc(const struct gm_judged *sorted, size_t n, double risk[GM_COVERAGES])
{
    double sum = 0, wrong_before = 0;
    size_t at = 0; /* the next coverage to note */
    for (size_t i = 0; risk && n == 0 && i < GM_COVERAGES; i++)
        risk[i] = 0;
    for (size_t from = 0, to, right; from < n; from = to) {
        to = tie_end(sorted, n, from, &right);
        double share = (double)(to - from - right) / (double)(to - from);
        for (size_t k = from + 1; k <= to; k++) {
            double here = (wrong_before + share * (double)(k - from)) / (double)k;
            sum += here;
            for (; risk && at < GM_COVERAGES && (at + 1) * n <= k * GM_COVERAGES; at++)
                risk[at] = here;
        }
        wrong_before += (double)(to - from - right);
    }
    return n ? sum / (double)n : 0;
}

double gm_aurc_best(size_t n, size_t n_right)
{
    double sum = 0;
    for (size_t k = n_right + 1; k <= n; k++)
        sum += (double)(k - n_right) / (double)k;
    return n ? sum / (double)n : 0;
}
