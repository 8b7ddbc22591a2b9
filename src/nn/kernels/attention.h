/* attention.h - attention of one head of one sequence in f32, whatever T is; see kernels.h. */

INLINE size_t pad(size_t n) { return (n + VL - 1) / VL * VL; }

/* C[MR, NV vectors] of one tile: kept in registers over the whole of k. */
INLINE void tile(size_t mr, size_t nv, size_t k, const float *a, size_t lda, const float *b,
                 size_t ldb, float *c, size_t ldc)
{
    vf acc[6][2];
    for (size_t i = 0; i < mr; i++)
        for (size_t j = 0; j < nv; j++)
            acc[i][j] = (vf){0};
    for (size_t p = 0; p < k; p++) {
        vf bv[2];
        for (size_t j = 0; j < nv; j++)
            bv[j] = load_f32(b + p * ldb + j * VL);
#pragma GCC unroll 6
        for (size_t i = 0; i < mr; i++)
            for (size_t j = 0; j < nv; j++)
                acc[i][j] += a[i * lda + p] * bv[j];
    }
    for (size_t i = 0; i < mr; i++)
        for (size_t j = 0; j < nv; j++)
            store_f32(c + i * ldc + j * VL, acc[i][j]);
}

/* The m <= 6 last rows, one or two vectors wide: a tile of just their number. */
INLINE void last_tile(size_t m, size_t nv, size_t k, const float *a, size_t lda, const float *b,
                      size_t ldb, float *c, size_t ldc)
{
    switch (m) {
    case 1: tile(1, nv, k, a, lda, b, ldb, c, ldc); break;
    case 2: tile(2, nv, k, a, lda, b, ldb, c, ldc); break;
    case 3: tile(3, nv, k, a, lda, b, ldb, c, ldc); break;
    case 4: tile(4, nv, k, a, lda, b, ldb, c, ldc); break;
    case 5: tile(5, nv, k, a, lda, b, ldb, c, ldc); break;
    default: break;
    }
}

/* C[m,n] = A[m,k] * B[k,n], row-major f32; n is a multiple of VL. */
static void gemm(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 size_t ldb, float *c, size_t ldc)
{
    for (size_t j = 0; j < n;) {
        size_t nv = n - j >= 2 * (size_t)VL ? 2 : 1, i = 0;
        if (nv == 2) {
            for (; i + 6 <= m; i += 6)
                tile(6, 2, k, a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc);
            last_tile(m - i, 2, k, a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc);
        } else {
            for (; i + 6 <= m; i += 6)
                tile(6, 1, k, a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc);
            last_tile(m - i, 1, k, a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc);
        }
        j += nv * VL;
    }
}

/* out[r][pad(cols)] = x[r][cols] of T with a row stride, the padding zero. */
static void gather(size_t rows, size_t cols, const T *x, size_t stride, float *out)
{
    size_t n = pad(cols);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i += VL)
            store_f32(out + r * n + i, load_k(x + r * stride + i, cols - i));
}

static void scatter(size_t rows, size_t cols, const float *x, T *out, size_t stride)
{
    size_t n = pad(cols);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < cols; i += VL)
            store_k(out + r * stride + i, load_f32(x + r * n + i), cols - i);
}

/* out[c][pad(rows)] = x[r][c], x rows being pad(cols) apart; the padding zero. */
static void transpose(size_t rows, size_t cols, const float *x, float *out)
{
    size_t ldx = pad(cols), ldo = pad(rows);
    for (size_t r = 0; r < rows; r += VL)
        for (size_t c = 0; c < cols; c += VL) {
            vf block[VL];
            for (size_t i = 0; i < VL; i++)
                block[i] = r + i < rows ? load_f32(x + (r + i) * ldx + c) : (vf){0};
            transpose_square(block);
            for (size_t i = 0; i < VL && c + i < cols; i++)
                store_f32(out + (c + i) * ldo + r, block[i]);
        }
}

static size_t attention_scratch(size_t len, size_t dim)
{
    return 6 * pad(len) * pad(dim) + 3 * pad(len) * pad(len);
}

/* Row-wise softmax of scale * s over the first len of pad(len) columns; the padding becomes 0. */
static void softmax(size_t len, float scale, float *s)
{
    size_t n = pad(len);
    for (size_t r = 0; r < len; r++) {
        float *row = s + r * n;
        vf top = splat(-INFINITY), sum = {0};
        for (size_t i = 0; i < n; i += VL)
            top = max_f(top, select_f(lanes_below(len - i), load_f32(row + i), splat(-INFINITY)));
        float max = max_of(top);
        for (size_t i = 0; i < n; i += VL) {
            vf e = (vf)((vi)exp_f((load_f32(row + i) - max) * scale) & lanes_below(len - i));
            store_f32(row + i, e);
            sum += e;
        }
        float inv = 1.0f / sum_of(sum);
        for (size_t i = 0; i < n; i += VL)
            store_f32(row + i, load_f32(row + i) * inv);
    }
}

/* out = dropout(p) on [len, pad(len)]; out may be p. */
static void drop_probs(size_t len, const struct gm_dropout *drop, const float *p, float *out)
{
    size_t n = pad(len);
    for (size_t r = 0; r < len; r++)
        for (size_t i = 0; i < n; i += VL)
            store_f32(out + r * n + i, dropped(load_f32(p + r * n + i), drop, r * len + i));
}

static void attention(const struct gm_attention *a, const void *qkv_, void *out, void *probs,
                      float *scratch)
{
    const T *qkv = qkv_;
    size_t len = a->len, dim = a->dim, lp = pad(len), dp = pad(dim), block = lp * dp;
    float *q = scratch, *k = q + block, *kt = k + block, *v = kt + block, *o = v + block;
    float *s = scratch + 6 * block;
    gather(len, dim, qkv, a->qkv_stride, q);
    gather(len, dim, qkv + a->k_at, a->qkv_stride, k);
    gather(len, dim, qkv + a->v_at, a->qkv_stride, v);
    transpose(len, dim, k, kt);
    gemm(len, lp, dim, q, dp, kt, lp, s, lp);
    softmax(len, a->scale, s);
    if (probs)
        scatter(len, len, s, probs, len);
    if (a->drop.threshold)
        drop_probs(len, &a->drop, s, s);
    gemm(len, dp, len, s, lp, v, dp, o, dp);
    scatter(len, dim, o, out, a->out_stride);
}

/* With P the probabilities, D the dropout, O = D(P) V, S the scaled scores:
 *   dV = D(P)' dO;  dP = D(dO V');  dS = P * (dP - rowsum(dP * P)) * scale;  dQ = dS K;  dK = dS' Q */
static void attention_back(const struct gm_attention *a, const void *qkv_, const void *probs,
                           const void *d_out, void *d_qkv_, float *scratch)
{
    const T *qkv = qkv_;
    T *d_qkv = d_qkv_;
    size_t len = a->len, dim = a->dim, lp = pad(len), dp = pad(dim), block = lp * dp;
    float *q = scratch, *k = q + block, *v = k + block, *vt = v + block, *d_o = vt + block,
          *tmp = d_o + block;
    float *p = scratch + 6 * block, *d_p = p + lp * lp, *t = d_p + lp * lp;
    gather(len, dim, qkv, a->qkv_stride, q);
    gather(len, dim, qkv + a->k_at, a->qkv_stride, k);
    gather(len, dim, qkv + a->v_at, a->qkv_stride, v);
    gather(len, dim, d_out, a->out_stride, d_o);
    gather(len, len, probs, len, p);

    const float *dropped_p = p;
    if (a->drop.threshold) {
        drop_probs(len, &a->drop, p, d_p);
        dropped_p = d_p;
    }
    transpose(len, len, dropped_p, t);
    gemm(len, dp, len, t, lp, d_o, dp, tmp, dp);
    scatter(len, dim, tmp, d_qkv + a->v_at, a->qkv_stride);

    transpose(len, dim, v, vt);
    gemm(len, lp, dim, d_o, dp, vt, lp, d_p, lp);
    if (a->drop.threshold)
        drop_probs(len, &a->drop, d_p, d_p);
    for (size_t r = 0; r < len; r++) {
        float *dr = d_p + r * lp;
        const float *pr = p + r * lp;
        vf dot = {0};
        for (size_t i = 0; i < lp; i += VL)
            dot += load_f32(dr + i) * load_f32(pr + i);
        float mean = sum_of(dot);
        for (size_t i = 0; i < lp; i += VL)
            store_f32(dr + i, load_f32(pr + i) * (load_f32(dr + i) - mean) * a->scale);
    }
    gemm(len, dp, len, d_p, lp, k, dp, tmp, dp);
    scatter(len, dim, tmp, d_qkv, a->qkv_stride);
    transpose(len, len, d_p, t);
    gemm(len, dp, len, t, lp, q, dp, tmp, dp);
    scatter(len, dim, tmp, d_qkv + a->k_at, a->qkv_stride);
}
