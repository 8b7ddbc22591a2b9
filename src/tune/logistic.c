/* logistic.c - for examples x_i [d] with a 1 put behind them, answers y_i (1 or -1), and v = (w, b)
 * [d + 1], the minimum of
 *
 *   L(v) = |w|^2 / 2 + c sum over i of log(1 + exp(-y_i v . x_i))
 *   p_i  = 1 / (1 + exp(-v . x_i)),  t_i = 1 where y_i = 1, else 0
 *   gradient  = (w, 0) + c sum of (p_i - t_i) x_i
 *   curvature = diag(1, …, 1, 0) + c sum of p_i (1 - p_i) x_i x_i'
 *
 * by Newton's method (iteratively reweighted least squares); a step is halved until L falls enough
 * (Armijo). The linear equations are solved by Cholesky's decomposition. Source: Bishop, Pattern Recognition and
 * Machine Learning, 4.3.3. Reference: scikit-learn, tests/ref/logistic_reference.py and its golden file;
 * naive reference: `loss` and its differences in tests/unit/test_tune_logistic.c. */
#include "tune/logistic.h"

#include <math.h>
#include <string.h>

enum { N = GM_LOGISTIC_MAX + 1, MAX_STEPS = 100 };

struct problem {
    const double *x;
    const bool *y;
    size_t n, d; /* d numbers, and the 1 */
    double c;
};

static double dot(const struct problem *q, size_t i, const double v[N])
{
    double z = v[q->d];
    for (size_t k = 0; k < q->d; k++)
        z += v[k] * q->x[i * q->d + k];
    return z;
}

static double loss(const struct problem *q, const double v[N])
{
    double sum = 0, penalty = 0;
    for (size_t i = 0; i < q->n; i++) {
        double z = q->y[i] ? -dot(q, i, v) : dot(q, i, v);
        sum += z > 0 ? z + log1p(exp(-z)) : log1p(exp(z));
    }
    for (size_t k = 0; k < q->d; k++)
        penalty += v[k] * v[k] / 2;
    return penalty + q->c * sum;
}

/* The lower half of h is filled. */
static void derivatives(const struct problem *q, const double v[N], double g[N], double h[N][N])
{
    memset(g, 0, N * sizeof *g);
    memset(h, 0, N * sizeof *h);
    for (size_t i = 0; i < q->n; i++) {
        double x[N], p = 1 / (1 + exp(-dot(q, i, v)));
        memcpy(x, q->x + i * q->d, q->d * sizeof *x);
        x[q->d] = 1;
        for (size_t r = 0; r <= q->d; r++) {
            g[r] += q->c * (p - q->y[i]) * x[r];
            for (size_t k = 0; k <= r; k++)
                h[r][k] += q->c * p * (1 - p) * x[r] * x[k];
        }
    }
    for (size_t r = 0; r < q->d; r++) {
        g[r] += v[r];
        h[r][r] += 1;
    }
}

/* step = h^-1 g. Where all p are 0 or 1 the bias has no curvature: a little is put there, which makes
 * the step long, and it is halved. */
static void solve(double h[N][N], const double g[N], size_t m, double step[N])
{
    for (size_t r = 0; r < m; r++)
        for (size_t k = 0; k <= r; k++) {
            double s = h[r][k];
            for (size_t j = 0; j < k; j++)
                s -= h[r][j] * h[k][j];
            h[r][k] = r == k ? sqrt(fmax(s, 1e-12)) : s / h[k][k];
        }
    for (size_t r = 0; r < m; r++) {
        step[r] = g[r];
        for (size_t k = 0; k < r; k++)
            step[r] -= h[r][k] * step[k];
        step[r] /= h[r][r];
    }
    for (size_t r = m; r-- > 0;) {
        for (size_t k = r + 1; k < m; k++)
            step[r] -= h[k][r] * step[k];
        step[r] /= h[r][r];
    }
}

static void minimise(const struct problem *q, double v[N])
{
    double g[N], h[N][N], step[N], next[N], now = loss(q, v);
    const size_t m = q->d + 1;
    for (size_t round = 0; round < MAX_STEPS; round++) {
        double gain = 0, most = 0, size = 1, then;
        derivatives(q, v, g, h);
        for (size_t k = 0; k < m; k++)
            most = fmax(most, fabs(g[k]));
        if (most < 1e-10 * (1 + q->c * (double)q->n))
            return;
        solve(h, g, m, step);
        for (size_t k = 0; k < m; k++)
            gain += g[k] * step[k];
        for (; size > 1e-12; size /= 2) {
            for (size_t k = 0; k < m; k++)
                next[k] = v[k] - size * step[k];
            then = loss(q, next);
            if (then <= now - 1e-4 * size * gain)
                break;
        }
        if (size <= 1e-12) /* as low as doubles tell */
            return;
        memcpy(v, next, m * sizeof *v);
        now = then;
    }
}

static enum gm_status check(const struct problem *q, struct gm_error *err)
{
    size_t n_yes = 0;
    for (size_t i = 0; i < q->n; i++)
        n_yes += q->y[i];
    if (q->d > GM_LOGISTIC_MAX)
        return GM_FAIL(err, GM_EARG, "%zu numbers an example, limit %d", q->d,
                       (int)GM_LOGISTIC_MAX);
    if (n_yes == 0 || n_yes == q->n)
        return GM_FAIL(err, GM_EARG, "all of the %zu examples have one answer", q->n);
    for (size_t i = 0; i < q->n * q->d; i++)
        if (!isfinite(q->x[i]))
            return GM_FAIL(err, GM_EARG, "example %zu has a number that is not finite", i / q->d);
    return GM_OK;
}

enum gm_status gm_logistic_fit(struct gm_logistic *out, const double *x, const bool *y, size_t n,
                               size_t d, double c, struct gm_error *err)
{
    const struct problem q = {x, y, n, d, c};
    double v[N] = {0};
    *out = (struct gm_logistic){.bias = 0};
    enum gm_status st = check(&q, err);
    if (st != GM_OK)
        return st;
    minimise(&q, v);
    memcpy(out->w, v, d * sizeof *v);
    out->bias = v[d];
    return GM_OK;
}

double gm_logistic_logit(const struct gm_logistic *l, const double *x, size_t d)
{
    double z = l->bias;
    for (size_t k = 0; k < d; k++)
        z += l->w[k] * x[k];
    return z;
}
