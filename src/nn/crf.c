/* crf.c - for one post with T words, L labels, emissions e [T][L], transitions A [L][L] (from
 * row to column), starts s [L] and ends f [L], where all that is not allowed counts as
 * -infinity:
 *
 *   score(y)    = s[y_0] + sum over t of e[t][y_t] + sum over t > 0 of A[y_t-1][y_t] + f[y_T-1]
 *   alpha[0][j] = s[j] + e[0][j]
 *   alpha[t][j] = e[t][j] + log sum over i of exp(alpha[t-1][i] + A[i][j])
 *   beta[T-1][i] = f[i]
 *   beta[t][i]  = log sum over j of exp(A[i][j] + e[t+1][j] + beta[t+1][j])
 *   log Z       = log sum over j of exp(alpha[T-1][j] + beta[T-1][j])
 *   P(y_t = j)  = exp(alpha[t][j] + beta[t][j] - log Z)
 *   P(y_t-1 = i, y_t = j) = exp(alpha[t-1][i] + A[i][j] + e[t][j] + beta[t][j] - log Z)
 *   loss        = log Z - score(gold)
 *   d loss / d e[t][j] = P(y_t = j) - [gold_t = j], and alike for A, s and f
 *
 * Viterbi's path and the max-marginals are the same recursions with max in place of log-sum-exp.
 * Element [t][j] of every array is at t*L + j; the code says k for L and n for T. All is f64.
 * Source: Lafferty, McCallum, Pereira, ICML 2001; Rabiner, Proceedings of the IEEE 77(2), 1989.
 * Naive reference: all L^T paths, `enumerate` and `naive_span` in tests/unit/test_nn_crf.c,
 * which also holds the gradient against differences. */
#include "nn/crf.h"

#include "nn/crf_moves.h"

#include <math.h>

static bool may(const uint8_t *allowed, size_t i) { return !allowed || allowed[i]; }

static enum gm_status allocate(struct gm_crf_lattice *l, struct gm_arena *a, struct gm_error *err)
{
    size_t n = l->n, k = l->k;
    double **blocks[] = {&l->alpha, &l->beta, &l->step};
    size_t counts[] = {n * k, n * k, k * k};
    for (size_t i = 0; i < (l->moves ? 2 : 3); i++) {
        *blocks[i] = gm_arena_alloc(a, counts[i], sizeof(double));
        if (!*blocks[i])
            return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    }
    return GM_OK;
}

/* log of the sum of exp(a[i] + b[i]) */
static double log_sum(size_t n, const double *a, const double *b)
{
    double top = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) {
        double v = a[i] + b[i];
        top = v > top ? v : top;
    }
    if (isinf(top))
        return top;
    for (size_t i = 0; i < n; i++) {
        double v = a[i] + b[i];
        if (v > -INFINITY) /* half of the moves of BIO are not allowed, and exp costs the most */
            sum += exp(v - top);
    }
    return top + log(sum);
}

/* out[j] = log of the sum over i of exp(before[i] + step[i][j]), row by row, as the matrix lies; top [k]. */
static void step_sum(const struct gm_crf_lattice *l, const double *before, double *top, double *out)
{
    size_t k = l->k;
    for (size_t j = 0; j < k; j++) {
        top[j] = -INFINITY;
        out[j] = 0;
    }
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) {
            double v = before[i] + l->step[i * k + j];
            top[j] = v > top[j] ? v : top[j];
        }
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) {
            double v = before[i] + l->step[i * k + j];
            if (v > -INFINITY)
                out[j] += exp(v - top[j]);
        }
    for (size_t j = 0; j < k; j++)
        out[j] = isinf(top[j]) ? top[j] : top[j] + log(out[j]);
}

/* `work` [gm_crf_moves_work] where there are moves, else [k]. */
static void fill_alpha(struct gm_crf_lattice *l, const struct gm_crf *crf, double *work)
{
    size_t k = l->k;
    for (size_t j = 0; j < k; j++)
        l->alpha[j] =
            may(crf->allowed_start, j) ? (double)crf->start[j] + (double)l->emit[j] : -INFINITY;
    for (size_t t = 1; t < l->n; t++) {
        double *now = l->alpha + t * k;
        const double *before = now - k;
        if (l->moves)
            gm_crf_moves_before(l->moves, k, before, gm_join_sum, work, now);
        else
            step_sum(l, before, work, now);
        for (size_t j = 0; j < k; j++)
            now[j] += (double)l->emit[t * k + j];
    }
}

/* `ahead` [k] is working memory, and work as above. */
static void fill_beta(struct gm_crf_lattice *l, const struct gm_crf *crf, double *ahead,
                      double *work)
{
    size_t k = l->k, last = l->n - 1;
    for (size_t j = 0; j < k; j++)
        l->beta[last * k + j] = may(crf->allowed_end, j) ? (double)crf->end[j] : -INFINITY;
    for (size_t t = last; t-- > 0;) {
        for (size_t j = 0; j < k; j++)
            ahead[j] = (double)l->emit[(t + 1) * k + j] + l->beta[(t + 1) * k + j];
        if (l->moves)
            gm_crf_moves_after(l->moves, k, ahead, gm_join_sum, work, l->beta + t * k);
        for (size_t i = 0; i < k && !l->moves; i++)
            l->beta[t * k + i] = log_sum(k, l->step + i * k, ahead);
    }
    l->log_z = log_sum(k, l->alpha + last * k, l->beta + last * k);
}

enum gm_status gm_crf_lattice_fill(struct gm_crf_lattice *l, const struct gm_crf *crf,
                                   const float *emit, size_t n, struct gm_arena *a,
                                   struct gm_error *err)
{
    *l = (struct gm_crf_lattice){.n = n, .k = crf->k, .moves = crf->moves};
    enum gm_status st = allocate(l, a, err);
    if (st != GM_OK || n == 0)
        return st;
    size_t n_work = crf->moves ? gm_crf_moves_work(crf->moves, crf->k) : crf->k;
    double *ahead = gm_arena_alloc(a, crf->k + n_work, sizeof *ahead);
    if (!ahead)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    l->emit = emit;
    for (size_t i = 0; i < crf->k * crf->k && !crf->moves; i++)
        l->step[i] = may(crf->allowed, i) ? (double)crf->trans[i] : -INFINITY;
    fill_alpha(l, crf, ahead + crf->k);
    fill_beta(l, crf, ahead, ahead + crf->k);
    return GM_OK;
}

/* Probability of what has this log weight; rounding must not lead out of [0, 1]. */
static double probability(const struct gm_crf_lattice *l, double weight)
{
    return isinf(weight) ? 0 : weight > l->log_z ? 1 : exp(weight - l->log_z);
}

double gm_crf_marginal(const struct gm_crf_lattice *l, size_t t, size_t k)
{
    return probability(l, l->alpha[t * l->k + k] + l->beta[t * l->k + k]);
}

/* Weight of the move from label i to j. */
static double step_of(const struct gm_crf_lattice *l, size_t i, size_t j)
{
    if (l->moves)
        return gm_crf_moves_may(l->moves, i, j) ? 0 : -INFINITY;
    return l->step[i * l->k + j];
}

double gm_crf_span(const struct gm_crf_lattice *l, size_t from, size_t to, const uint16_t *labels,
                   size_t not_next)
{
    size_t k = l->k, last = labels[to - from - 1];
    double w = l->alpha[from * k + labels[0]];
    for (size_t t = from + 1; t < to; t++)
        w += step_of(l, labels[t - from - 1], labels[t - from]) +
             (double)l->emit[t * k + labels[t - from]];
    double p = probability(l, w + l->beta[(to - 1) * k + last]);
    if (to < l->n && not_next < k)
        p -= probability(l, w + step_of(l, last, not_next) + (double)l->emit[to * k + not_next] +
                                l->beta[to * k + not_next]);
    return p < 0 ? 0 : p;
}

static double path_score(const struct gm_crf *crf, const float *emit, size_t n, const uint16_t *y)
{
    size_t k = crf->k;
    if (!may(crf->allowed_start, y[0]) || !may(crf->allowed_end, y[n - 1]))
        return -INFINITY;
    double s = (double)crf->start[y[0]] + (double)crf->end[y[n - 1]];
    for (size_t t = 0; t < n; t++) {
        s += (double)emit[t * k + y[t]];
        if (t && !may(crf->allowed, y[t - 1] * k + y[t]))
            return -INFINITY;
        if (t)
            s += (double)crf->trans[y[t - 1] * k + y[t]];
    }
    return s;
}

/* Expected counts less the gold path's, times weight. */
static void add_gradient(const struct gm_crf_lattice *l, const uint16_t *gold, double weight,
                         float *d_emit, const struct gm_crf_grad *d)
{
    size_t k = l->k;
    for (size_t t = 0; t < l->n; t++) {
        for (size_t j = 0; j < k; j++) {
            double p = gm_crf_marginal(l, t, j) - (gold[t] == j);
            d_emit[t * k + j] += (float)(weight * p);
            if (t == 0)
                d->start[j] += (float)(weight * p);
            if (t == l->n - 1)
                d->end[j] += (float)(weight * p);
        }
        if (t == 0)
            continue;
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++) {
                double w = l->alpha[(t - 1) * k + i] + l->step[i * k + j] +
                           (double)l->emit[t * k + j] + l->beta[t * k + j];
                d->trans[i * k + j] += (float)(weight * probability(l, w));
            }
        d->trans[gold[t - 1] * k + gold[t]] -= (float)weight;
    }
}

enum gm_status gm_crf_nll(const struct gm_crf *crf, const float *emit, const uint32_t *offsets,
                          size_t n_posts, const uint16_t *gold, double weight, float *d_emit,
                          const struct gm_crf_grad *d, double *loss, struct gm_arena *a,
                          struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t b = 0; b < n_posts && st == GM_OK; b++) {
        size_t at = offsets[b], n = offsets[b + 1] - at;
        struct gm_crf_lattice l;
        if (n == 0)
            continue;
        gm_arena_reset(a);
        st = gm_crf_lattice_fill(&l, crf, emit + at * crf->k, n, a, err);
        if (st != GM_OK)
            break;
        double score = path_score(crf, emit + at * crf->k, n, gold + at);
        *loss += isinf(score) ? INFINITY : weight * (l.log_z - score);
        add_gradient(&l, gold + at, weight, d_emit + at * crf->k, d);
    }
    return st;
}

/* ---- best paths ---- */

/* now[j] = max over i of before[i] + trans[i][j], row by row: the matrix is read as it lies. */
static void step_best(const struct gm_crf *crf, const double *before, double *now)
{
    size_t k = crf->k;
    for (size_t j = 0; j < k; j++)
        now[j] = -INFINITY;
    for (size_t i = 0; i < k; i++) {
        const float *row = crf->trans + i * k;
        const uint8_t *allowed = crf->allowed ? crf->allowed + i * k : NULL;
        for (size_t j = 0; j < k; j++) {
            double v = may(allowed, j) ? before[i] + (double)row[j] : -INFINITY;
            now[j] = v > now[j] ? v : now[j];
        }
    }
}

/* score[t][j] = the best score of words 0 .. t that ends in label j. `work` [k + gm_crf_moves_work]. */
static void best_heads(const struct gm_crf *crf, const float *emit, size_t n, double *score,
                       double *work)
{
    size_t k = crf->k;
    for (size_t t = 0; t < n; t++) {
        double *now = score + t * k;
        const double *before = now - k;
        if (t == 0)
            for (size_t j = 0; j < k; j++)
                now[j] = may(crf->allowed_start, j) ? (double)crf->start[j] : -INFINITY;
        else if (crf->moves)
            gm_crf_moves_before(crf->moves, k, before, gm_join_larger, work, now);
        else
            step_best(crf, before, now);
        for (size_t j = 0; j < k; j++)
            now[j] += (double)emit[t * k + j];
    }
}

/* The label that the best path had before label j, the smallest of equals; 0 where there is none. */
static size_t best_before(const struct gm_crf *crf, const double *before, size_t j)
{
    const struct gm_crf_moves *m = crf->moves;
    size_t arg = 0;
    double top = -INFINITY;
    for (size_t r = m ? m->first[m->set_of[j]] : 0; m && r < m->first[m->set_of[j] + 1]; r++)
        for (size_t i = m->ranges[r].from; i < m->ranges[r].to; i++)
            if (before[i] > top)
                top = before[arg = i];
    for (size_t i = 0; i < crf->k && !m; i++) {
        double v = before[i] + (double)crf->trans[i * crf->k + j];
        if (may(crf->allowed, i * crf->k + j) && v > top) {
            top = v;
            arg = i;
        }
    }
    return arg;
}

static size_t n_work_of(const struct gm_crf *crf)
{
    return crf->moves ? gm_crf_moves_work(crf->moves, crf->k) : 0;
}

enum gm_status gm_crf_viterbi(const struct gm_crf *crf, const float *emit, size_t n, uint16_t *best,
                              double *score, struct gm_arena *a, struct gm_error *err)
{
    size_t k = crf->k;
    if (score)
        *score = 0;
    if (n == 0)
        return GM_OK;
    double *heads = gm_arena_alloc(a, n * k, sizeof *heads);
    double *work = gm_arena_alloc(a, n_work_of(crf), sizeof *work);
    if (!heads || !work)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for a post of %zu words", n);
    best_heads(crf, emit, n, heads, work);
    double *s = heads + (n - 1) * k;
    size_t last = 0;
    for (size_t j = 0; j < k; j++) {
        s[j] += may(crf->allowed_end, j) ? (double)crf->end[j] : -INFINITY;
        if (s[j] > s[last])
            last = j;
    }
    if (score)
        *score = s[last];
    for (size_t t = n; t-- > 0;) {
        best[t] = (uint16_t)last;
        if (t > 0)
            last = best_before(crf, heads + (t - 1) * k, last);
    }
    return GM_OK;
}

/* tail[i] = the best score of what follows label i, with next[j] that of the next word's label j and what follows it. */
static void best_tails(const struct gm_crf *crf, const double *next, double *tail, double *work)
{
    size_t k = crf->k;
    if (crf->moves) {
        gm_crf_moves_after(crf->moves, k, next, gm_join_larger, work, tail);
        return;
    }
    for (size_t i = 0; i < k; i++) {
        tail[i] = -INFINITY;
        for (size_t j = 0; j < k; j++)
            if (may(crf->allowed, i * k + j))
                tail[i] = fmax(tail[i], (double)crf->trans[i * k + j] + next[j]);
    }
}

enum gm_status gm_crf_max_marginals(const struct gm_crf *crf, const float *emit, size_t n,
                                    double *best, struct gm_arena *a, struct gm_error *err)
{
    size_t k = crf->k;
    if (n == 0)
        return GM_OK;
    double *tail = gm_arena_alloc(a, 2 * k + n_work_of(crf), sizeof *tail);
    if (!tail)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    double *next = tail + k, *work = next + k;
    best_heads(crf, emit, n, best, work);
    for (size_t i = 0; i < k; i++)
        tail[i] = may(crf->allowed_end, i) ? (double)crf->end[i] : -INFINITY;
    for (size_t t = n; t-- > 0;) {
        if (t + 1 < n)
            best_tails(crf, next, tail, work);
        for (size_t i = 0; i < k; i++) {
            best[t * k + i] += tail[i];
            next[i] = (double)emit[t * k + i] + tail[i];
        }
    }
    return GM_OK;
}
