/* low_rank.c - M = B A with B [rows,r] and A [r,cols], r far below both. With the eigenvectors of B'B = P L P',
 *
 *   M = Q C,   Q = B P L^-1/2 (orthonormal columns),   C = L^1/2 P' A [r,cols],
 *
 * and with those of C C' = V S^2 V' the singular values of M are S, its left vectors Q V. What is nearest to M of rank k
 * has the k largest: B_k = Q V_k S_k^1/2, A_k = S_k^-1/2 V_k' C. Only matrices of r x r are decomposed, by Jacobi's
 * rotations (Golub and Van Loan, Matrix Computations, 8.5), in double. A direction whose eigenvalue is lost in the
 * rounding of the largest has no part in M. Test: tests/unit/test_low_rank.c. */
#include "model_tools/low_rank.h"

#include "base/alloc.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_SWEEPS = 60 };
static const double TINY = 1e-14; /* of the largest eigenvalue */

/* Turns rows and columns p and q of the symmetric m so that m[p,q] is 0; the turn is kept in v's columns. */
static void rotate(double *m, double *v, size_t n, size_t p, size_t q)
{
    double theta = (m[q * n + q] - m[p * n + p]) / (2 * m[p * n + q]);
    double t = copysign(1, theta) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (size_t i = 0; i < n; i++) {
        double x = m[i * n + p], y = m[i * n + q], vx = v[i * n + p], vy = v[i * n + q];
        m[i * n + p] = c * x - s * y;
        m[i * n + q] = s * x + c * y;
        v[i * n + p] = c * vx - s * vy;
        v[i * n + q] = s * vx + c * vy;
    }
    for (size_t i = 0; i < n; i++) {
        double x = m[p * n + i], y = m[q * n + i];
        m[p * n + i] = c * x - s * y;
        m[q * n + i] = s * x + c * y;
    }
}

/* m = v diag(values) v' with the largest value first; m is used up. */
static void eigen(double *m, double *v, double *values, size_t n)
{
    memset(v, 0, n * n * sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i * n + i] = 1;
    bool turned = true;
    for (int sweep = 0; sweep < MAX_SWEEPS && turned; sweep++) {
        turned = false;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++) {
                if (fabs(m[p * n + q]) <= TINY * sqrt(fabs(m[p * n + p] * m[q * n + q])))
                    continue;
                rotate(m, v, n, p, q);
                turned = true;
            }
    }
    for (size_t i = 0; i < n; i++)
        values[i] = fmax(m[i * n + i], 0);
    for (size_t i = 0; i < n; i++) {
        size_t best = i;
        for (size_t k = i + 1; k < n; k++)
            best = values[k] > values[best] ? k : best;
        for (size_t k = 0; k < n && best != i; k++) {
            double x = v[k * n + i];
            v[k * n + i] = v[k * n + best];
            v[k * n + best] = x;
        }
        double x = values[i];
        values[i] = values[best];
        values[best] = x;
    }
}

/* x^power where x is no rounding error of `largest`, else 0. */
static double power_of(double x, double largest, double power)
{
    return x > TINY * largest ? pow(x, power) : 0;
}

/* out = u v, with `transposed` u' v; all [n,n], row after row. */
static void product(double *out, const double *u, bool transposed, const double *v, size_t n)
{
    memset(out, 0, n * n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < n; j++)
                out[i * n + j] += (transposed ? u[k * n + i] : u[i * n + k]) * v[k * n + j];
}

static void scale_columns(double *m, const double *values, double power, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            m[i * n + j] *= power_of(values[j], values[0], power);
}

/* Each of the `count` vectors x of n numbers, the rows of m or (by_row, as below) its columns, becomes the first k of
 * x t, at the front of m. */
static void turn(float *m, size_t count, bool by_row, const double *t, size_t n, size_t k,
                 double *line)
{
    size_t next = by_row ? 1 : n, out_next = by_row ? 1 : k, step = by_row ? count : 1;
    for (size_t x = 0; x < count; x++) {
        memset(line, 0, n * sizeof *line);
        for (size_t i = 0; i < n; i++)
            for (size_t c = 0; c < k; c++)
                line[c] += (double)m[x * next + i * step] * t[i * n + c];
        for (size_t c = 0; c < k; c++)
            m[x * out_next + c * step] = (float)line[c];
    }
}

/* m m' of m [n,cols] where `by_row`, else m' m of m [rows,n]; `count` is the other side. */
static void gram(double *out, const float *m, size_t count, size_t n, bool by_row)
{
    size_t next = by_row ? 1 : n, row = by_row ? count : 1;
    memset(out, 0, n * n * sizeof *out);
    for (size_t x = 0; x < count; x++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                out[i * n + j] += (double)m[x * next + i * row] * (double)m[x * next + j * row];
}

enum gm_status gm_low_rank_cut(float *b, size_t rows, float *a, size_t cols, size_t rank, size_t to,
                               struct gm_error *err)
{
    size_t n = rank, square = n * n;
    double *block = gm_alloc(5 * square + 3 * n, sizeof *block);
    if (!block)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    double *p = block, *v = p + square, *m = v + square, *x = m + square, *y = x + square;
    double *l = y + square, *s = l + n, *line = s + n;
    gram(m, b, rows, n, false);
    eigen(m, p, l, n);
    memcpy(x, p, square * sizeof *x);
    scale_columns(x, l, 0.5, n); /* P L^1/2 */
    gram(m, a, cols, n, true);
    product(y, m, false, x, n);
    product(m, x, true, y, n); /* C C' */
    eigen(m, v, s, n);         /* S^2 */
    product(y, x, false, v, n);
    scale_columns(y, s, -0.25, n); /* P L^1/2 V S^-1/2 */
    turn(a, cols, true, y, n, to, line);
    memcpy(x, p, square * sizeof *x);
    scale_columns(x, l, -0.5, n);
    product(y, x, false, v, n);
    scale_columns(y, s, 0.25, n); /* P L^-1/2 V S^1/2 */
    turn(b, rows, false, y, n, to, line);
    gm_free(block);
    return GM_OK;
}
