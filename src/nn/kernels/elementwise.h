/* elementwise.h - the row-wise and element-wise kernels. kernels.h says of each what it
 * computes, with shapes and source; here is how. Matrices are [rows][n], element [i][j] at i*n +
 * j; all sums are f32. Naive references: plain loops in f64 in tests/unit/test_nn_kernels.c, a
 * function a kernel. */

INLINE vf dropped(vf x, const struct gm_dropout *d, size_t index)
{
    vi keep = kept((uint32_t)index, d->seed, d->threshold);
    return (vf)((vi)(x * d->scale) & keep);
}

/* p = x or p += x */
INLINE void put(T *p, vf x, bool add, size_t k)
{
    if (add)
        x += load_k(p, k);
    store_k(p, x, k);
}

static void to_f32(size_t n, const void *x, float *out)
{
    for (size_t i = 0; i < n; i += VL)
        store_f32_k(out + i, load_k((const T *)x + i, n - i), n - i);
}

static void from_f32(size_t n, const float *x, void *out)
{
    for (size_t i = 0; i < n; i += VL)
        store_k((T *)out + i, load_f32_k(x + i, n - i), n - i);
}

static void quantise(size_t rows, size_t n, const void *x_, int8_t *q, float *scale)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: rounds to an integer in the low bits */
    for (size_t r = 0; r < rows; r++, q += n) {
        const T *x = (const T *)x_ + r * n;
        vf top = {0};
        for (size_t i = 0; i < n; i += VL)
            top = max_f(top, (vf)((vi)load_k(x + i, n - i) & 0x7FFFFFFF));
        float most = max_of(top), inv = most > 0 ? 127.0f / most : 0;
        scale[r] = most / 127.0f;
        for (size_t i = 0; i < n; i += VL)
            store_bytes_k(q + i, (vi)(load_k(x + i, n - i) * inv + magic), n - i);
    }
}

static void layernorm(const struct gm_layernorm *l_, const void *x_, const void *residual_,
                      void *y_, void *xhat_, float *rstd_out)
{
    const struct gm_layernorm l = *l_; /* a copy: what is stored below can't change it */
    const struct gm_dropout drop = l.drop;
    const size_t n = l.n;
    float s[GM_HIDDEN_MAX + VL]; /* the last vector of a row may be stored whole */
    for (size_t r = 0; r < l.rows; r++) {
        const T *x = (const T *)x_ + r * n, *res = residual_ ? (const T *)residual_ + r * n : NULL;
        T *y = (T *)y_ + r * n, *xhat = xhat_ ? (T *)xhat_ + r * n : NULL;
        vf sum = {0}, sum2 = {0};
        for (size_t i = 0; i < n; i += VL) {
            vf v = load_k(x + i, n - i);
            if (drop.threshold)
                v = dropped(v, &drop, r * n + i);
            if (res)
                v += load_k(res + i, n - i);
            store_f32(s + i, v);
            sum += v;
        }
        float mean = sum_of(sum) / (float)n;
        for (size_t i = 0; i < n; i += VL) {
            vf v = load_f32(s + i) - mean;
            if (n - i < VL)
                v = (vf)((vi)v & lanes_below(n - i));
            sum2 += v * v;
        }
        float rstd = 1.0f / __builtin_sqrtf(sum_of(sum2) / (float)n + l.eps);
        for (size_t i = 0; i < n; i += VL) {
            vf h = (load_f32(s + i) - mean) * rstd;
            if (xhat)
                store_k(xhat + i, h, n - i);
            store_k(y + i, h * load_f32_k(l.gamma + i, n - i) + load_f32_k(l.beta + i, n - i),
                    n - i);
        }
        if (rstd_out)
            rstd_out[r] = rstd;
    }
}

/* With g = d_y * gamma: d_s = rstd * (g - mean(g) - xhat * mean(g * xhat)). */
static void layernorm_back(const struct gm_layernorm *l_, const void *d_y_, const void *xhat_,
                           const float *rstd, const struct gm_layernorm_grads *to_)
{
    const struct gm_layernorm l = *l_; /* copies, as above */
    const struct gm_layernorm_grads to = *to_;
    const struct gm_dropout drop = l.drop;
    const size_t n = l.n;
    for (size_t r = 0; r < l.rows; r++) {
        const T *d_y = (const T *)d_y_ + r * n, *xhat = (const T *)xhat_ + r * n;
        T *d_x = (T *)to.d_x + r * n, *d_res = to.d_residual ? (T *)to.d_residual + r * n : NULL;
        vf sg = {0}, sgh = {0};
        for (size_t i = 0; i < n; i += VL) {
            vf dy = load_k(d_y + i, n - i), h = load_k(xhat + i, n - i);
            vf g = dy * load_f32_k(l.gamma + i, n - i);
            sg += g;
            sgh += g * h;
            store_f32_k(to.d_gamma + i, load_f32_k(to.d_gamma + i, n - i) + dy * h, n - i);
            store_f32_k(to.d_beta + i, load_f32_k(to.d_beta + i, n - i) + dy, n - i);
        }
        float mg = sum_of(sg) / (float)n, mgh = sum_of(sgh) / (float)n;
        for (size_t i = 0; i < n; i += VL) {
            vf h = load_k(xhat + i, n - i);
            vf g = load_k(d_y + i, n - i) * load_f32_k(l.gamma + i, n - i);
            vf ds = (g - mg - h * mgh) * rstd[r];
            if (d_res)
                put(d_res + i, ds, to.add_residual, n - i);
            if (drop.threshold)
                ds = dropped(ds, &drop, r * n + i);
            put(d_x + i, ds, to.add_x, n - i);
        }
    }
}

static void dequantise(const struct gm_dequantise *d_, const int32_t *x, void *y_)
{
    const struct gm_dequantise d = *d_;
    const size_t n = d.n;
    T *y = y_;
    for (size_t r = 0; r < d.rows; r++, x += n, y += n)
        for (size_t i = 0; i < n; i += VL) {
            vi sum = (vi)load_f32_k((const float *)(const void *)(x + i), n - i);
            vf v = __builtin_convertvector(sum, vf) * d.row[r] * load_f32_k(d.col + i, n - i) +
                   load_f32_k(d.bias + i, n - i);
            if (d.gelu)
                v *= normal_cdf(v);
            store_k(y + i, v, n - i);
        }
}

static void dropout(size_t n, const void *x, const struct gm_dropout *drop, void *y, bool add)
{
    for (size_t i = 0; i < n; i += VL) {
        vf v = load_k((const T *)x + i, n - i);
        if (drop->threshold)
            v = dropped(v, drop, i);
        put((T *)y + i, v, add, n - i);
    }
}

static void column_sum(size_t rows, size_t n, const void *x, size_t stride, float *sum)
{
    for (size_t i = 0; i < n; i += VL) {
        vf s = load_f32_k(sum + i, n - i);
        for (size_t r = 0; r < rows; r++)
            s += load_k((const T *)x + r * stride + i, n - i);
        store_f32_k(sum + i, s, n - i);
    }
}

INLINE vf sqrt_f(vf x)
{
    for (int i = 0; i < VL; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
}

static void adamw(size_t n, float *w, const float *g, float *m, float *v, uint16_t *w16,
                  const struct gm_adamw *c)
{
    for (size_t i = 0; i < n; i += VL) {
        size_t k = n - i;
        /* Four streams are more than the CPU follows by itself; ahead of the end this does nothing. */
        __builtin_prefetch(g + i + 256, 0);
        __builtin_prefetch(w + i + 256, 1);
        __builtin_prefetch(m + i + 256, 1);
        __builtin_prefetch(v + i + 256, 1);
        vf gi = load_f32_k(g + i, k) * c->g_scale, wi = load_f32_k(w + i, k);
        vf mi = load_f32_k(m + i, k) * c->beta1 + gi * (1.0f - c->beta1);
        vf vi_ = load_f32_k(v + i, k) * c->beta2 + gi * gi * (1.0f - c->beta2);
        wi -= c->lr * (mi * c->m_fix / (sqrt_f(vi_ * c->v_fix) + c->eps) + c->decay * wi);
        store_f32_k(m + i, mi, k);
        store_f32_k(v + i, vi_, k);
        store_f32_k(w + i, wi, k);
        if (w16) {
            vh h = narrow(wi);
            memcpy(w16 + i, &h, (k < VL ? k : VL) * sizeof *w16);
        }
    }
}

static double sum_squares(size_t n, const float *x)
{
    double total = 0;
    for (size_t from = 0; from < n; from += 4096) {
        size_t to = n - from < 4096 ? n : from + 4096;
        vf s = {0};
        for (size_t i = from; i < to; i += VL) {
            vf v = load_f32_k(x + i, to - i);
            s += v * v;
        }
        total += (double)sum_of(s);
    }
    return total;
}
