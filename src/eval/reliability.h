/* reliability.h - what confidences are worth: whether they are the probabilities of being right
 * (calibration), and whether they put what is wrong last (risk and coverage).
 * Sources: Guo et al., ICML 2017 (expected calibration error over 15 bins of equal width);
 * Nguyen, O'Connor, EMNLP 2015 (bins of equal mass); Geifman, Uziel, El-Yaniv, ICLR 2019 (AURC and
 * E-AURC). Results do not depend on the order of equal confidences. */
#ifndef GM_EVAL_RELIABILITY_H
#define GM_EVAL_RELIABILITY_H

#include <stdbool.h>
#include <stddef.h>

/* One answer: how sure, and whether it is right. */
struct gm_judged {
    double confidence; /* not NaN; higher is surer */
    bool right;
};

/* gm_judged_sort - the surest first, in place; what the functions below take. */
void gm_judged_sort(struct gm_judged *j, size_t n);

enum { GM_ECE_BINS = 15, GM_COVERAGES = 100 };

struct gm_bin {
    size_t n, right;
    double confidence; /* sum over the bin */
};

/* gm_ece - expected calibration error of probabilities, and the bins, the least sure first: the
 * mean distance of a bin's share of right answers from its mean confidence, weighted by its size;
 * 0 for n = 0. Bin i is (i/15, (i+1)/15] (0 goes into the first); or, of equal mass, a 15th of the
 * answers each, those of one confidence in one bin. */
double gm_ece(const struct gm_judged *sorted, size_t n, bool equal_mass,
              struct gm_bin bins[GM_ECE_BINS]);

/* gm_aurc - area under the risk-coverage curve: the mean over k = 1..n of the share of wrong
 * answers among the k surest, in expectation where confidences are equal; 0 for n = 0. risk[i] out:
 * that share at a coverage of (i + 1)%, the answers rounded up; NULL = not wanted. */
double gm_aurc(const struct gm_judged *sorted, size_t n, double risk[GM_COVERAGES]);

/* gm_aurc_best - the same when every right answer is surer than every wrong one. gm_aurc less this
 * is the excess area, E-AURC. */
double gm_aurc_best(size_t n, size_t n_right);

#endif
