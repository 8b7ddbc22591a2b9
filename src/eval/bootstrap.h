/* bootstrap.h - how sure a score is, given that other posts might have been drawn: resampling of
 * posts with replacement (Efron 1979), and the paired test of two systems on the same posts
 * (Noreen 1989; Berg-Kirkpatrick, Burkett and Klein 2012). */
#ifndef GM_EVAL_BOOTSTRAP_H
#define GM_EVAL_BOOTSTRAP_H

#include "eval/eval.h"

struct gm_interval {
    double low, high; /* 2.5th and 97.5th percentile */
};

struct gm_bootstrap {
    size_t n; /* resamplings */
    struct gm_interval precision, recall, f1;
    /* Against a second system; zero without one. */
    double diff; /* F1 of the first less that of the second, on all posts */
    struct gm_interval diff_in;
    double p_value; /* two-sided: how often a resampled difference strays from
                                    diff by |diff| or more, (k + 1) / (n + 1) */
};

/* gm_bootstrap_run - n resamplings of the posts' counts [n_posts]; `vs` [n_vs] are the second
 * system's, NULL = none. The two are joined by id, of one that repeats the k-th with the k-th: where
 * gold has no line for posts without entities, each system brings posts of its own, of which the other
 * predicts nothing. The same seed gives the same figures. Cost O(n * posts). Errors: NOMEM. */
enum gm_status gm_bootstrap_run(struct gm_bootstrap *out, const struct gm_count *posts,
                                size_t n_posts, const struct gm_count *vs, size_t n_vs, size_t n,
                                uint64_t seed, struct gm_error *err) GM_NODISCARD;

#endif
