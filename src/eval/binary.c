/* binary.c - with scores s [n] and labels y [n] (yes or no):
 *
 *   accuracy = (tp + tn) / n, where the answer is yes for s >= threshold
 *   AUC = P(s_i > s_j) + P(s_i = s_j) / 2 over all pairs of a yes i and a no j
 *
 * The pairs are counted in one walk over the sorted scores: each group of equal scores adds its
 * yes times the no before it, and half of its own. Source: Mann, Whitney 1947; scikit-learn's
 * roc_auc_score. Naive reference: auc_by_pairs in tests/unit/test_eval_binary.c. */
#include "eval/binary.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

struct gm_binary gm_binary_count(const double *scores, const bool *labels, size_t n,
                                 double threshold)
{
    struct gm_binary b = {0};
    for (size_t i = 0; i < n; i++) {
        bool yes = scores[i] >= threshold;
        b.tp += yes && labels[i];
        b.fp += yes && !labels[i];
        b.tn += !yes && !labels[i];
        b.fn += !yes && labels[i];
    }
    return b;
}

double gm_binary_accuracy(struct gm_binary b)
{
    size_t n = b.tp + b.fp + b.tn + b.fn;
    return n ? (double)(b.tp + b.tn) / (double)n : 0;
}

struct gm_score gm_binary_score(struct gm_binary b)
{
    return (struct gm_score){b.tp, b.tp + b.fp, b.tp + b.fn};
}

struct item {
    double score;
    bool label;
};

static int by_score(const void *a, const void *b)
{
    double x = ((const struct item *)a)->score, y = ((const struct item *)b)->score;
    return (x > y) - (x < y);
}

/* Twice the number of (yes, no) pairs in the right order, a tie counting 1 in place of 2. */
static double count_pairs(const struct item *items, size_t n, size_t *n_yes)
{
    double twice = 0;
    size_t yes = 0, no = 0;
    for (size_t i = 0; i < n;) {
        size_t tied_yes = 0, tied_no = 0, k = i;
        for (; k < n && items[k].score == items[i].score; k++) {
            tied_yes += items[k].label;
            tied_no += !items[k].label;
        }
        twice += (double)tied_yes * (2 * (double)no + (double)tied_no);
        yes += tied_yes;
        no += tied_no;
        i = k;
    }
    *n_yes = yes;
    return twice;
}

enum gm_status gm_auc(const double *scores, const bool *labels, size_t n, double *auc,
                      struct gm_error *err)
{
    *auc = NAN;
    struct item *items = gm_alloc(n, sizeof *items);
    if (!items)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu scores", n);
    bool ordered = true;
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct item){scores[i], labels[i]};
        ordered = ordered && !isnan(scores[i]);
    }
    if (n && ordered) {
        size_t yes;
        qsort(items, n, sizeof *items, by_score);
        double twice = count_pairs(items, n, &yes);
        if (yes > 0 && yes < n)
            *auc = twice / 2 / ((double)yes * (double)(n - yes));
    }
    gm_free(items);
    return GM_OK;
}
