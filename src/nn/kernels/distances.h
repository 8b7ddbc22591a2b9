/* distances.h - scores by the distance of two tokens, of one head of one sequence. With Q, K [len][dim] the
 * head's queries and keys, Rk, Rq [n_rel][dim] the vectors of distances, and r(d) the row of distance d:
 *
 *   C = Q Rk'  [len][n_rel]        P = K Rq'  [len][n_rel]
 *   B[j][i] = scale (C[i][r(i - j)] + P[j][r(i - j)])      query i, key j; held turned, as scores are
 *
 * and backwards, with dB given:
 *
 *   dC[i][r] = scale sum of dB[j][i] with r(i - j) = r,    dP[j][r] likewise over i
 *   dQ += dC Rk,   dRk += dC' Q,   dK += dP Rq,   dRq += dP' K
 *
 * Source: He et al. 2021 (DeBERTa), equation 4. Reference: transformers (tests/unit/test_nn_encoder.c). */

/* Floats: two blocks of [len][dim] and [n_rel][dim], two of [len][n_rel], one of either shape for results. */
static size_t distances_scratch(size_t len, size_t n_rel, size_t dim)
{
    size_t lp = pad(len), rp = pad(n_rel), dp = pad(dim), most = lp > rp ? lp : rp;
    return lp * dp + 2 * rp * dp + 2 * most * dp + lp * rp;
}

/* B[j][i] += scale X[by_query ? i : j][r(i - j)]. */
INLINE void add_terms(const struct gm_distances *d, bool by_query, const float *x, float *bias)
{
    size_t n = pad(d->len), ld = pad(d->n_rel);
    for (size_t j = 0; j < d->len; j++)
        for (size_t i = 0; i < d->len; i++)
            bias[j * n + i] += d->scale * x[(by_query ? i : j) * ld + d->row[i + d->len - 1 - j]];
}

/* One term: X = A R', A at `at` of qkv. */
INLINE void distance_term(const struct gm_distances *d, bool by_query, const T *a_, const T *rel,
                          size_t stride, float *bias, float *scratch)
{
    size_t lp = pad(d->len), rp = pad(d->n_rel), dp = pad(d->dim);
    float *a = scratch, *rt = a + lp * dp, *x = rt + rp * dp;
    gather(d->len, d->dim, a_, d->qkv_stride, a);
    gather_turned(d->n_rel, d->dim, rel, stride, rt);
    gemm(&(struct product){.m = d->len, .n = rp, .k = d->dim, .lda = dp, .ldb = rp, .ldc = rp}, a,
         rt, x);
    add_terms(d, by_query, x, bias);
}

static void distances(const struct gm_distances *d, const void *qkv_, const void *rel_k,
                      const void *rel_q, float *bias, float *scratch)
{
    const T *qkv = qkv_;
    memset(bias, 0, d->len * pad(d->len) * sizeof *bias);
    if (rel_k)
        distance_term(d, true, qkv, rel_k, d->rel_k_stride, bias, scratch);
    if (rel_q)
        distance_term(d, false, qkv + d->k_at, rel_q, d->rel_q_stride, bias, scratch);
}

/* dX of one term from dB. */
INLINE void gather_terms(const struct gm_distances *d, bool by_query, const float *d_bias,
                         float *d_x)
{
    size_t n = pad(d->len), ld = pad(d->n_rel);
    memset(d_x, 0, d->len * ld * sizeof *d_x);
    for (size_t j = 0; j < d->len; j++)
        for (size_t i = 0; i < d->len; i++)
            d_x[(by_query ? i : j) * ld + d->row[i + d->len - 1 - j]] +=
                d->scale * d_bias[j * n + i];
}

/* x [rows][pad(cols)] is added to the T at out. */
static void scatter_add(size_t rows, size_t cols, const float *x, T *out, size_t stride)
{
    size_t n = pad(cols);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < cols; i += VL)
            put(out + r * stride + i, load_f32(x + r * n + i), true, cols - i);
}

INLINE void distance_term_back(const struct gm_distances *d, bool by_query, const T *a_,
                               const T *rel, size_t stride, const float *d_bias, T *d_a,
                               float *d_rel, float *scratch)
{
    size_t lp = pad(d->len), rp = pad(d->n_rel), dp = pad(d->dim);
    float *a = scratch, *r = a + lp * dp, *x = r + 2 * rp * dp, *y = x + lp * rp;
    gather(d->len, d->dim, a_, d->qkv_stride, a);
    gather(d->n_rel, d->dim, rel, stride, r);
    gather_terms(d, by_query, d_bias, x);
    gemm(&(struct product){.m = d->len, .n = dp, .k = d->n_rel, .lda = rp, .ldb = dp, .ldc = dp}, x,
         r, y);
    scatter_add(d->len, d->dim, y, d_a, d->qkv_stride);
    gemm_turned(
        &(struct product){.m = d->n_rel, .n = dp, .k = d->len, .lda = rp, .ldb = dp, .ldc = dp}, x,
        a, y);
    for (size_t i = 0; i < d->n_rel * dp; i++)
        d_rel[i] += y[i];
}

static void distances_back(const struct gm_distances *d, const void *qkv_, const void *rel_k,
                           const void *rel_q, const float *d_bias, void *d_qkv_, float *d_rel_k,
                           float *d_rel_q, float *scratch)
{
    const T *qkv = qkv_;
    T *d_qkv = d_qkv_;
    if (rel_k)
        distance_term_back(d, true, qkv, rel_k, d->rel_k_stride, d_bias, d_qkv, d_rel_k, scratch);
    if (rel_q)
        distance_term_back(d, false, qkv + d->k_at, rel_q, d->rel_q_stride, d_bias, d_qkv + d->k_at,
                           d_rel_q, scratch);
}
