/* activations.h - the functions between the two products of a layer, and their slopes:
 *
 *   gelu        f(x) = x Phi(x)                                   f' = Phi(x) + x phi(x)
 *   gelu_tanh   f(x) = x s(2 sqrt(2/pi) (x + 0.044715 x^3))       with s(u) = 1 / (1 + e^-u):
 *   quick_gelu  f(x) = x s(1.702 x)                               x s(a x + b x^3) has the slope
 *   silu        f(x) = x s(x)                                     s + x s (1 - s) (a + 3 b x^2)
 *   relu        f(x) = max(x, 0)                                  f' = 1 where x > 0, else 0
 *   tanh        f(x) = 2 s(2 x) - 1                               f' = 1 - f(x)^2
 *
 * Sources: Hendrycks, Gimpel 2016 (gelu, and its tanh form: 0.5 x (1 + tanh u) = x s(2 u)); Elfwing et al.
 * 2018 (silu). Naive references: plain formulas in f64 in tests/unit/test_nn_kernels.c. */

#ifdef GM_T_BF16
/* 1/2 + x * c(x^2) for |x| <= end, and its ends beyond. */
INLINE vf odd_step(vf x, float end, const float *c, int n)
{
    x = min_f(max_f(x, splat(-end)), splat(end));
    vf u = x * x, r = splat(c[n - 1]);
#pragma GCC unroll 8
    for (int i = n - 2; i >= 0; i--)
        r = r * u + c[i];
    return r * x + 0.5f;
}

/* Phi(x), and the slope of x * Phi(x): fitted for the least largest error (1e-4 of x * Phi(x), 3e-4 of
 * the slope; tools/gelu_fit.py), which is small beside what bf16 rounds off. */
INLINE vf normal_cdf(vf x)
{
    static const float c[] = {0.3984561f,    -0.06548696f,   0.009267917f,  -0.000941673f,
                              6.556656e-05f, -2.935039e-06f, 7.537958e-08f, -8.389013e-10f};
    return max_f(odd_step(x, 4.25f, c, 8), splat(0)); /* far out nothing is left */
}

INLINE vf gelu_slope(vf x)
{
    static const float c[] = {0.7968501f,    -0.2625234f,    0.0564517f,
                              -0.007941871f, 0.0007498793f,  -4.689632e-05f,
                              1.852525e-06f, -4.165862e-08f, 4.050246e-10f};
    return odd_step(x, 4.5f, c, 9);
}
#else
/* Phi(x) and, through *pdf, the density of the normal distribution: they share one exponential. */
INLINE vf normal_cdf_and_pdf(vf x, vf *pdf)
{
    vf z = (vf)((vi)x & 0x7FFFFFFF) * 0.70710678f;
    vf e = exp_f(-z * z);
    vf t = reciprocal(1.0f + 0.3275911f * z);
    vf poly = splat(1.061405429f);
    poly = poly * t - 1.453152027f;
    poly = poly * t + 1.421413741f;
    poly = poly * t - 0.284496736f;
    poly = poly * t + 0.254829592f;
    vf body = 0.5f - 0.5f * poly * t * e; /* Phi(|x|) - 1/2, which takes the sign of x */
    *pdf = e * 0.39894228f;
    return (vf)((vi)body ^ ((vi)x & (vi)splat(-0.0f))) + 0.5f;
}

INLINE vf normal_cdf(vf x)
{
    vf pdf;
    return normal_cdf_and_pdf(x, &pdf);
}

INLINE vf gelu_slope(vf x)
{
    vf pdf, cdf = normal_cdf_and_pdf(x, &pdf);
    return cdf + x * pdf;
}
#endif

INLINE vf sigmoid(vf x) { return 1.0f / (1.0f + exp_f(-x)); }

/* x s(a x + b x^3), and its slope. */
INLINE vf swish(vf x, float a, float b) { return x * sigmoid(x * (a + b * x * x)); }

INLINE vf swish_slope(vf x, float a, float b)
{
    vf s = sigmoid(x * (a + b * x * x));
    return s + x * s * (1.0f - s) * (a + 3.0f * b * x * x);
}

#define GELU_TANH_A 1.5957691f   /* 2 sqrt(2/pi) */
#define GELU_TANH_B 0.071354813f /* 0.044715 of that */
#define QUICK_GELU 1.702f

INLINE vf activation(enum gm_activation f, vf x)
{
    switch (f) {
    case GM_GELU: return x * normal_cdf(x);
    case GM_GELU_TANH: return swish(x, GELU_TANH_A, GELU_TANH_B);
    case GM_QUICK_GELU: return swish(x, QUICK_GELU, 0);
    case GM_SILU: return swish(x, 1, 0);
    case GM_RELU: return max_f(x, splat(0));
    default: return 2.0f * sigmoid(2.0f * x) - 1.0f; /* tanh */
    }
}

INLINE vf activation_slope(enum gm_activation f, vf x)
{
    switch (f) {
    case GM_GELU: return gelu_slope(x);
    case GM_GELU_TANH: return swish_slope(x, GELU_TANH_A, GELU_TANH_B);
    case GM_QUICK_GELU: return swish_slope(x, QUICK_GELU, 0);
    case GM_SILU: return swish_slope(x, 1, 0);
    case GM_RELU: return select_f(x > 0, splat(1), splat(0));
    default: {
        vf y = activation(GM_TANH, x);
        return 1.0f - y * y;
    }
    }
}

/* y = f(a), or f(a) b where b is there. */
INLINE void activate_all(enum gm_activation f, size_t n, const T *a, const T *b, T *y)
{
    for (size_t i = 0; i < n; i += VL) {
        vf v = activation(f, load_k(a + i, n - i));
        if (b)
            v *= load_k(b + i, n - i);
        store_k(y + i, v, n - i);
    }
}

/* d_a = d_y f'(a), where b is there times b, and d_b = d_y f(a). */
INLINE void activate_all_back(enum gm_activation f, size_t n, const T *a, const T *b, const T *d_y,
                              T *d_a, T *d_b)
{
    for (size_t i = 0; i < n; i += VL) {
        vf x = load_k(a + i, n - i), d = load_k(d_y + i, n - i), slope = activation_slope(f, x);
        if (b) {
            store_k(d_b + i, d * activation(f, x), n - i);
            slope *= load_k(b + i, n - i);
        }
        store_k(d_a + i, d * slope, n - i);
    }
}

/* One loop for each function: which it is, is not asked at each element. */
static void activate(enum gm_activation f, size_t n, const void *x, void *y)
{
    switch (f) {
    case GM_GELU: activate_all(GM_GELU, n, x, NULL, y); break;
    case GM_GELU_TANH: activate_all(GM_GELU_TANH, n, x, NULL, y); break;
    case GM_QUICK_GELU: activate_all(GM_QUICK_GELU, n, x, NULL, y); break;
    case GM_SILU: activate_all(GM_SILU, n, x, NULL, y); break;
    case GM_RELU: activate_all(GM_RELU, n, x, NULL, y); break;
    case GM_TANH: activate_all(GM_TANH, n, x, NULL, y); break;
    }
}

static void activate_back(enum gm_activation f, size_t n, const void *x, const void *d_y, void *d_x)
{
    switch (f) {
    case GM_GELU: activate_all_back(GM_GELU, n, x, NULL, d_y, d_x, NULL); break;
    case GM_GELU_TANH: activate_all_back(GM_GELU_TANH, n, x, NULL, d_y, d_x, NULL); break;
    case GM_QUICK_GELU: activate_all_back(GM_QUICK_GELU, n, x, NULL, d_y, d_x, NULL); break;
    case GM_SILU: activate_all_back(GM_SILU, n, x, NULL, d_y, d_x, NULL); break;
    case GM_RELU: activate_all_back(GM_RELU, n, x, NULL, d_y, d_x, NULL); break;
    case GM_TANH: activate_all_back(GM_TANH, n, x, NULL, d_y, d_x, NULL); break;
    }
}

static void gated(enum gm_activation f, size_t n, const void *a, const void *b, void *y)
{
    activate_all(f, n, a, b, y);
}

static void gated_back(enum gm_activation f, size_t n, const void *a, const void *b,
                       const void *d_y, void *d_a, void *d_b)
{
    activate_all_back(f, n, a, b, d_y, d_a, d_b);
}
