/* calibration_fit.c - for marginals m_i and answers r_i (0 or 1), x_i = (log m_i, -log(1 - m_i),
 * 1) and w = (a, b, c), the minimum over w with a, b >= 0 of
 *
 *   p_i  = 1 / (1 + exp(-w . x_i))
 *   L(w) = |w - (1, 1, 0)|^2 / 2 - sum over i of (r_i log p_i + (1 - r_i) log(1 - p_i))
 *   gradient  = w - (1, 1, 0) + sum of (p_i - r_i) x_i
 *   curvature = I + sum of p_i (1 - p_i) x_i x_i'
 *
 * by Newton's method; a step is halved until L falls enough (Armijo). L is convex, so that the
 * minimum is one. Source: Kull, Silva Filho, Flach, AISTATS 2017. Naive reference: `loss` and
 * check_optimum in tests/unit/test_train_calibration.c. */
#include "train/calibration_fit.h"

#include <math.h>
#include <string.h>

enum { N = GM_CALIBRATION_WEIGHTS, MAX_STEPS = 100 };

static const double no_change[N] = {1, 1, 0};

static double dot(const double a[N], const double b[N])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static double sigmoid(double z) { return 1 / (1 + exp(-z)); }

/* What is minimised: the negative log-likelihood and the prior's. */
static double loss(const struct gm_judged *j, size_t n, const double w[N])
{
    double sum = 0, x[N];
    for (size_t i = 0; i < N; i++)
        sum += (w[i] - no_change[i]) * (w[i] - no_change[i]) / 2;
    for (size_t i = 0; i < n; i++) {
        gm_calibration_features(j[i].confidence, x);
        double z = j[i].right ? -dot(w, x) : dot(w, x);
        sum += z > 0 ? z + log1p(exp(-z)) : log1p(exp(z));
    }
    return sum;
}

/* Gradient g and second derivatives h of the loss; those of a weight that is held are cut off. */
static void derivatives(const struct gm_judged *j, size_t n, const double w[N], const bool held[N],
                        double g[N], double h[N][N])
{
    double x[N];
    for (size_t r = 0; r < N; r++) {
        g[r] = w[r] - no_change[r];
        for (size_t c = 0; c < N; c++)
            h[r][c] = r == c;
    }
    for (size_t i = 0; i < n; i++) {
        gm_calibration_features(j[i].confidence, x);
        double p = sigmoid(dot(w, x));
        for (size_t r = 0; r < N; r++) {
            g[r] += (p - j[i].right) * x[r];
            for (size_t c = 0; c < N; c++)
                h[r][c] += p * (1 - p) * x[r] * x[c];
        }
    }
    for (size_t r = 0; r < N; r++) {
        g[r] = held[r] ? 0 : g[r];
        for (size_t c = 0; c < N; c++)
            h[r][c] = held[r] || held[c] ? r == c : h[r][c];
    }
}

/* d = h^-1 g by elimination; h is positive definite, so that no pivot is small. */
static void solve(double h[N][N], const double g[N], double d[N])
{
    double v[N] = {g[0], g[1], g[2]};
    for (size_t k = 0; k < N; k++)
        for (size_t r = k + 1; r < N; r++) {
            double f = h[r][k] / h[k][k];
            for (size_t c = k; c < N; c++)
                h[r][c] -= f * h[k][c];
            v[r] -= f * v[k];
        }
    for (size_t r = N; r-- > 0;) {
        for (size_t c = r + 1; c < N; c++)
            v[r] -= h[r][c] * d[c];
        d[r] = v[r] / h[r][r];
    }
}

/* Newton's method with halved steps over the weights that are not held. */
static void minimise(const struct gm_judged *j, size_t n, const bool held[N], double w[N])
{
    double g[N], h[N][N], d[N], now = loss(j, n, w);
    for (size_t step = 0; step < MAX_STEPS; step++) {
        derivatives(j, n, w, held, g, h);
        solve(h, g, d);
        double gain = dot(g, d);
        if (gain < 1e-12 * (1 + now))
            return;
        for (double size = 1; size > 1e-9; size /= 2) {
            const double next[N] = {w[0] - size * d[0], w[1] - size * d[1], w[2] - size * d[2]};
            double then = loss(j, n, next);
            if (then > now - 1e-4 * size * gain)
                continue;
            memcpy(w, next, sizeof next);
            now = then;
            break;
        }
    }
}

struct gm_calibration gm_calibration_fit(const struct gm_judged *j, size_t n)
{
    bool held[N] = {false, false, false};
    double w[N];
    /* A slope below 0 would turn the order around: it is 0 then, the others are fitted again. */
    for (;;) {
        for (size_t i = 0; i < N; i++)
            w[i] = held[i] ? 0 : no_change[i];
        minimise(j, n, held, w);
        if (w[0] >= 0 && w[1] >= 0)
            return (struct gm_calibration){true, w[0], w[1], w[2]};
        held[w[0] < w[1] ? 0 : 1] = true;
    }
}
