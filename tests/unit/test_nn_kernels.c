/* Every kernel but attention, for f32 and bf16 activations and both vector lengths, against plain
 * loops in double, at lengths around the vector's; memory behind each output must stay as it was. */
#include "kernel_check.h"

static const size_t lengths[] = {1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 129};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths };

static struct block A, B, C, D;

/* ---- conversions ---- */

static double nearest_bf16(double x)
{
    int e;
    if (x == 0 || !isfinite(x))
        return x;
    frexp(x, &e);
    double ulp = ldexp(1, e - 8 < -133 ? -133 : e - 8);
    double r = nearbyint(x / ulp) * ulp; /* ties to even */
    return fabs(r) >= 0x1p128 ? copysign(INFINITY, x) : r;
}

static void conversions(void **state)
{
    (void)state;
    static const float special[] = {0.0f,
                                    -0.0f,
                                    1.0f,
                                    0x1.01p0f,
                                    0x1.03p0f,
                                    0x1.00fffep0f,
                                    0x1.010002p0f,
                                    -0x1.01p0f,
                                    3.4028235e38f,
                                    -3.4028235e38f,
                                    0x1.fep127f,
                                    0x1.ffp127f,
                                    0x1.fefffep127f,
                                    1e-40f,
                                    -1e-40f,
                                    0x1p-149f,
                                    0x1p-133f,
                                    0x1.8p-133f,
                                    0x1p-134f,
                                    0x1.8p-134f,
                                    0x1p-126f,
                                    INFINITY,
                                    -INFINITY};
    enum { N = sizeof special / sizeof *special };
    struct gm_rng r;
    gm_rng_init(&r, 1);
    for (size_t l = 0; l < N_LENGTHS; l++)
        for (size_t from = 0; from < N; from++) {
            float in[160], back[160 + 1];
            for (size_t i = 0; i < lengths[l]; i++)
                in[i] = i < 2 ? special[(from + i) % N] : (float)gm_rng_normal(&r);
            memset(A.x, 0xA5, sizeof A.x);
            kn->from_f32(lengths[l], in, A.x);
            check_guard(&A, lengths[l]);
            back[lengths[l]] = 7;
            kn->to_f32(lengths[l], A.x, back);
            assert_true(back[lengths[l]] == 7);
            for (size_t i = 0; i < lengths[l]; i++) {
                double want = var->t == GM_BF16 ? nearest_bf16((double)in[i]) : (double)in[i];
                /* CPUs that narrow to bf16 in hardware take subnormal numbers as zero. */
                bool flushed = var->t == GM_BF16 && fabsf(in[i]) < 0x1p-126f && back[i] == 0;
                if ((!flushed && (double)back[i] != want) || signbit(back[i]) != signbit(in[i]))
                    fail_msg("%a became %a, not %a", (double)in[i], (double)back[i], want);
                if (var->t == GM_BF16)
                    assert_true((double)gm_bf16_to_f32(gm_bf16_from_f32(in[i])) == want);
            }
        }
}

static void nan_stays_nan(void **state)
{
    (void)state;
    static const uint32_t bits[] = {0x7FC00000, 0xFFC00000, 0x7F800001,
                                    0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF};
    float in[40], back[40];
    for (size_t i = 0; i < 40; i++)
        memcpy(&in[i], &bits[i % 6], 4);
    kn->from_f32(40, in, A.x);
    kn->to_f32(40, A.x, back);
    for (size_t i = 0; i < 40; i++)
        assert_true(isnan(back[i]) && isnan(gm_bf16_to_f32(gm_bf16_from_f32(in[i]))));
}

/* ---- dropout ---- */

static void dropout_mask(void **state)
{
    (void)state;
    enum { N = 20000 };
    static unsigned char kept[2][N];
    for (size_t i = 0; i < N; i++)
        put(&A, i, 1);
    for (int k = 1; k <= 9; k += 2) {
        double p = k / 10.0;
        for (uint32_t s = 0; s < 2; s++) {
            struct gm_dropout d = {12345 + 777 * s, (uint32_t)(p * 4294967296.0),
                                   (float)(1 / (1 - p))};
            memset(B.x, 0xA5, sizeof B.x);
            kn->dropout(N - 3, A.x, &d, B.x, false);
            check_guard(&B, N - 3);
            size_t n = 0;
            for (size_t i = 0; i < N - 3; i++) {
                double v = element(&B, i);
                kept[s][i] = v != 0;
                n += kept[s][i];
                if (v != 0)
                    check_near(v, 1 / (1 - p), 0, 1e-6 + var->eps, "kept", i);
            }
            /* Five standard deviations of a binomial. */
            check_near((double)n / (N - 3), 1 - p, 5 * sqrt(p * (1 - p) / N), 0, "share kept", 0);
            size_t both = 0, lag = 0;
            for (size_t i = 0; i + 1 < N - 3; i++) {
                lag += kept[s][i] && kept[s][i + 1];
                both += kept[0][i] && kept[1][i];
            }
            double want = (1 - p) * (1 - p), sd = 6 * sqrt(want * (1 - want) * 2 / N);
            check_near((double)lag / N, want, sd, 0, "neighbours kept", 0);
            if (s)
                check_near((double)both / N, want, sd, 0, "kept under both seeds", 0);
        }
        /* Added up: twice the same mask is twice the value, and element i of a part of the tensor
         * with the seed moved on is the same as in the whole. */
        struct gm_dropout d = {12345, (uint32_t)(p * 4294967296.0), (float)(1 / (1 - p))},
                          moved = d;
        moved.seed += 1001;
        kn->dropout(N, A.x, &d, B.x, false);
        memcpy(C.x, B.x, sizeof C.x);
        kn->dropout(N, A.x, &d, C.x, true);
        kn->dropout(N - 1001, A.x, &moved, D.x, false);
        for (size_t i = 0; i < N; i++) {
            check_near(element(&C, i), 2 * element(&B, i), 0, 1e-6 + var->eps, "twice", i);
            if (i >= 1001)
                assert_true(element(&D, i - 1001) == element(&B, i));
        }
    }
    struct gm_dropout none = {.seed = 5, .scale = 1};
    struct gm_rng r;
    gm_rng_init(&r, 2);
    fill(&A, 100, &r, 1);
    kn->dropout(100, A.x, &none, B.x, false);
    assert_memory_equal(A.x, B.x, 100 * width_of());
}

/* ---- layer norm ---- */

static void norm_at(size_t rows, size_t n, bool residual, const struct gm_dropout *drop)
{
    static double mask[MAX_N], hat[MAX_N], y[MAX_N];
    static struct block dy, dx, dres, xhat;
    struct gm_rng r;
    float gamma[160], beta[160], rstd[8], dg[161], db[161];
    double want_g[160] = {0}, want_b[160] = {0};
    gm_rng_init(&r, n);
    fill(&A, rows * n, &r, 2);
    fill(&B, rows * n, &r, 1);
    fill_normal(&r, gamma, n, 1);
    fill_normal(&r, beta, n, 1);
    mask_of(rows * n, drop, mask);
    for (size_t i = 0; i < rows; i++) {
        double s[160], mean = 0, variance = 0;
        for (size_t j = 0; j < n; j++) {
            s[j] = A.v[i * n + j] * mask[i * n + j] + (residual ? B.v[i * n + j] : 0);
            mean += s[j] / (double)n;
        }
        for (size_t j = 0; j < n; j++)
            variance += (s[j] - mean) * (s[j] - mean) / (double)n;
        for (size_t j = 0; j < n; j++) {
            hat[i * n + j] = (s[j] - mean) / sqrt(variance + 1e-3);
            y[i * n + j] = hat[i * n + j] * (double)gamma[j] + (double)beta[j];
        }
        rstd[i] = (float)(1 / sqrt(variance + 1e-3));
    }
    float got_rstd[9];
    got_rstd[rows] = 7;
    memset(C.x, 0xA5, sizeof C.x);
    memset(xhat.x, 0xA5, sizeof xhat.x);
    const struct gm_layernorm norm = {
        .rows = rows, .n = n, .gamma = gamma, .beta = beta, .eps = 1e-3f, .drop = *drop};
    kn->layernorm(&norm, A.x, residual ? B.x : NULL, C.x, xhat.x, got_rstd);
    check_block(&C, y, rows * n, 2e-5, 1e-5, "layernorm");
    check_block(&xhat, hat, rows * n, 2e-5, 1e-5, "xhat");
    assert_true(got_rstd[rows] == 7);
    for (size_t i = 0; i < rows; i++)
        check_near((double)got_rstd[i], (double)rstd[i], 0, 1e-5, "rstd", i);
    memset(D.x, 0xA5, sizeof D.x);
    kn->layernorm(&norm, A.x, residual ? B.x : NULL, D.x, NULL, NULL);
    assert_memory_equal(C.x, D.x, sizeof C.x);

    /* Backward, from the stored xhat. */
    fill(&dy, rows * n, &r, 1);
    for (int add = 0; add < 2; add++) {
        double want_x[MAX_N / 8], want_res[MAX_N / 8], before = 0.5;
        assert_true(rows * n <= MAX_N / 8);
        memset(want_g, 0, sizeof want_g);
        memset(want_b, 0, sizeof want_b);
        fill(&dx, rows * n, &r, 0);
        fill(&dres, rows * n, &r, 0);
        for (size_t i = 0; i < rows * n; i++) {
            put(&dx, i, before);
            put(&dres, i, -before);
        }
        for (size_t i = 0; i < rows; i++) {
            double mg = 0, mgh = 0;
            for (size_t j = 0; j < n; j++) {
                double h = element(&xhat, i * n + j), g = dy.v[i * n + j] * (double)gamma[j];
                mg += g / (double)n;
                mgh += g * h / (double)n;
                want_g[j] += dy.v[i * n + j] * h;
                want_b[j] += dy.v[i * n + j];
            }
            for (size_t j = 0; j < n; j++) {
                size_t at = i * n + j;
                double ds = (dy.v[at] * (double)gamma[j] - mg - element(&xhat, at) * mgh) *
                            (double)got_rstd[i];
                want_x[at] = ds * mask[at] + (add ? before : 0);
                want_res[at] = ds - (add ? before : 0);
            }
        }
        for (size_t j = 0; j <= n; j++)
            dg[j] = db[j] = 2;
        const struct gm_layernorm_grads to = {.d_x = dx.x,
                                              .add_x = add,
                                              .d_residual = residual ? dres.x : NULL,
                                              .add_residual = add,
                                              .d_gamma = dg,
                                              .d_beta = db};
        kn->layernorm_back(&norm, dy.x, xhat.x, got_rstd, &to);
        check_block(&dx, want_x, rows * n, 1e-4, 1e-5, "d_x");
        if (residual)
            check_block(&dres, want_res, rows * n, 1e-4, 1e-5, "d_residual");
        for (size_t j = 0; j < n; j++) {
            check_near((double)dg[j], 2 + want_g[j], 1e-5, 1e-5, "d_gamma", j);
            check_near((double)db[j], 2 + want_b[j], 1e-5, 1e-5, "d_beta", j);
        }
        assert_true(dg[n] == 2 && db[n] == 2);
    }
}

static void layernorm(void **state)
{
    (void)state;
    const struct gm_dropout none = {.scale = 1}, drop = {99, 1u << 30, 4.0f / 3};
    for (size_t l = 0; l < N_LENGTHS; l++)
        for (int residual = 0; residual < 2; residual++) {
            norm_at(5, lengths[l], residual, &none);
            norm_at(5, lengths[l], residual, &drop);
        }
}

/* The widest rows: a row's sums fit into the kernel's buffer (the sanitizer looks), whole vectors or
 * not. */
static void layernorm_widest(void **state)
{
    (void)state;
    static float gamma[GM_HIDDEN_MAX], beta[GM_HIDDEN_MAX];
    static double y[GM_HIDDEN_MAX];
    struct gm_rng r;
    gm_rng_init(&r, 5);
    for (size_t n = GM_HIDDEN_MAX - 1; n <= GM_HIDDEN_MAX; n++) {
        double mean = 0, variance = 0;
        fill(&A, n, &r, 2);
        fill_normal(&r, gamma, n, 1);
        fill_normal(&r, beta, n, 1);
        for (size_t j = 0; j < n; j++)
            mean += A.v[j] / (double)n;
        for (size_t j = 0; j < n; j++)
            variance += (A.v[j] - mean) * (A.v[j] - mean) / (double)n;
        for (size_t j = 0; j < n; j++)
            y[j] = (A.v[j] - mean) / sqrt(variance + 1e-3) * (double)gamma[j] + (double)beta[j];
        const struct gm_layernorm norm = {
            .rows = 1, .n = n, .gamma = gamma, .beta = beta, .eps = 1e-3f, .drop = {.scale = 1}};
        memset(C.x, 0xA5, sizeof C.x);
        kn->layernorm(&norm, A.x, NULL, C.x, NULL, NULL);
        check_block(&C, y, n, 2e-5, 1e-5, "layernorm");
    }
}

/* ---- GELU ---- */

static double phi(double x) { return 0.5 * erfc(-x / sqrt(2)); }

/* Absolute error that GELU may have: in bf16 that of its shorter formula. */
static double gelu_atol(double f32) { return var->t == GM_BF16 ? 1.1e-4 : f32; }

static void int8(void **state)
{
    (void)state;
    enum { ROWS = 5 };
    static int8_t q[MAX_N + 16];
    static int32_t sums[MAX_N];
    static float col[160], bias[160];
    float scale[ROWS];
    struct gm_rng r;
    gm_rng_init(&r, 9);
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l];
        fill(&A, ROWS * n, &r, 3);
        for (size_t j = 0; j < n; j++)
            put(&A, j, 0); /* a row of zeros stays one */
        memset(q, 99, sizeof q);
        kn->quantise(ROWS, n, A.x, q, scale);
        for (size_t i = 0; i < ROWS * n; i++) {
            double x = element(&A, i), step = (double)scale[i / n];
            assert_true(q[i] >= -127);
            check_near(q[i] * step, x, 0.5001 * step, 0, "quantise", i);
        }
        assert_true(q[ROWS * n] == 99 && q[0] == 0 && scale[0] == 0);
        static double y[MAX_N], gelu_y[MAX_N];
        for (size_t j = 0; j < n; j++) {
            col[j] = (float)fabs(gm_rng_normal(&r));
            bias[j] = (float)gm_rng_normal(&r);
        }
        for (size_t i = 0; i < ROWS * n; i++) {
            sums[i] = (int32_t)gm_rng_below(&r, 4000001) - 2000000;
            scale[i / n] = 1e-6f * (float)(1 + i / n);
            y[i] =
                (double)sums[i] * (double)scale[i / n] * (double)col[i % n] + (double)bias[i % n];
            gelu_y[i] = y[i] * phi(y[i]);
        }
        memset(C.x, 0xA5, sizeof C.x);
        struct gm_dequantise d = {.rows = ROWS, .n = n, .row = scale, .col = col, .bias = bias};
        kn->dequantise(&d, sums, C.x);
        check_block(&C, y, ROWS * n, 1e-5, 1e-6, "dequantise");
        d.gelu = true;
        kn->dequantise(&d, sums, C.x);
        check_block(&C, gelu_y, ROWS * n, gelu_atol(1e-5), 1e-6, "dequantise, gelu");
    }
}

static void gelu(void **state)
{
    (void)state;
    static double y[MAX_N], dx[MAX_N];
    static struct block g;
    enum { N = 20001 };
    struct gm_rng r;
    gm_rng_init(&r, 4);
    fill(&A, N, &r, 0);
    fill(&B, N, &r, 1);
    fill(&C, N, &r, 0);
    fill(&g, N, &r, 0);
    for (size_t i = 0; i < N; i++) {
        put(&A, i, ((double)i - 10000) / 800); /* -12.5 .. 12.5 */
        A.v[i] = element(&A, i);
        y[i] = A.v[i] * phi(A.v[i]);
        dx[i] = B.v[i] * (phi(A.v[i]) + A.v[i] * exp(-A.v[i] * A.v[i] / 2) / sqrt(2 * acos(-1.0)));
    }
    double at = gelu_atol(1e-6),
           at_back = var->t == GM_BF16 ? 1.5e-3 : 2e-6; /* 3e-4 times |B| < 5 */
    kn->activate(GM_GELU, N, A.x, C.x);
    check_block(&C, y, N, at, 1e-6, "gelu");
    kn->activate_back(GM_GELU, N, A.x, B.x, g.x);
    check_block(&g, dx, N, at_back, 2e-6, "gelu_back");
    for (size_t l = 0; l < N_LENGTHS; l++) {
        fill(&C, lengths[l], &r, 0);
        fill(&g, lengths[l], &r, 0);
        kn->activate(GM_GELU, lengths[l], A.x + 9990 * width_of(), C.x);
        check_block(&C, y + 9990, lengths[l], at, 1e-6, "gelu, short");
        kn->activate_back(GM_GELU, lengths[l], A.x + 9990 * width_of(), B.x + 9990 * width_of(),
                          g.x);
        check_block(&g, dx + 9990, lengths[l], at_back, 2e-6, "gelu_back, short");
    }
    /* In place, and far out. */
    fill(&C, 5, &r, 0);
    const double far[] = {-1e4, 1e4, -80, 80, 0}, want[] = {0, 1e4, 0, 80, 0};
    for (size_t i = 0; i < 5; i++)
        put(&C, i, far[i]);
    kn->activate(GM_GELU, 5, C.x, C.x);
    check_block(&C, want, 5, 1e-6, 1e-6, "gelu, far out");
}

/* ---- sums ---- */

static void column_sum(void **state)
{
    (void)state;
    struct gm_rng r;
    gm_rng_init(&r, 6);
    for (size_t l = 0; l < N_LENGTHS; l++) {
        enum { ROWS = 19, EXTRA = 5 };
        size_t n = lengths[l], stride = n + EXTRA;
        float sum[161];
        fill(&A, ROWS * stride, &r, 1);
        for (size_t j = 0; j <= n; j++)
            sum[j] = 3;
        kn->column_sum(ROWS, n, A.x, stride, sum);
        for (size_t j = 0; j < n; j++) {
            double want = 3;
            for (size_t i = 0; i < ROWS; i++)
                want += A.v[i * stride + j];
            check_near((double)sum[j], want, 1e-5, 1e-6, "column_sum", j);
        }
        assert_true(sum[n] == 3);
    }
}

static void sum_squares(void **state)
{
    (void)state;
    static float x[10000];
    struct gm_rng r;
    gm_rng_init(&r, 7);
    fill_normal(&r, x, 10000, 3);
    double want = 0;
    for (size_t n = 0; n <= 10000; n++) {
        if (n < 200 || n % 997 == 0 || n == 4096 || n == 4097 || n == 8192)
            check_near(kn->sum_squares(n, x), want, 0, 1e-6, "sum_squares", n);
        if (n < 10000)
            want += (double)x[n] * (double)x[n];
    }
    x[77] = INFINITY;
    assert_true(isinf(kn->sum_squares(10000, x)));
    x[77] = NAN;
    assert_true(isnan(kn->sum_squares(10000, x)));
}

/* ---- AdamW ---- */

static void adamw(void **state)
{
    (void)state;
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l];
        float w[161], g[160], m[161] = {0}, v[161] = {0};
        uint16_t w16[161];
        double W[160], M[160] = {0}, V[160] = {0};
        struct gm_rng r;
        gm_rng_init(&r, n);
        fill_normal(&r, w, 160, 1);
        for (size_t i = 0; i < n; i++)
            W[i] = (double)w[i];
        w[n] = m[n] = v[n] = 7;
        w16[n] = 7;
        for (int t = 1; t <= 20; t++) {
            struct gm_adamw c = {.lr = 0.01f,
                                 .beta1 = 0.9f,
                                 .beta2 = 0.999f,
                                 .eps = 1e-8f,
                                 .decay = 0.1f,
                                 .m_fix = (float)(1 / (1 - pow(0.9, t))),
                                 .v_fix = (float)(1 / (1 - pow(0.999, t))),
                                 .g_scale = 0.5f};
            fill_normal(&r, g, n, t % 5 ? 1e-2 : 1);
            kn->adamw(n, w, g, m, v, t % 2 ? w16 : NULL, &c);
            for (size_t i = 0; i < n; i++) {
                double gi = 0.5 * (double)g[i];
                M[i] = 0.9 * M[i] + 0.1 * gi;
                V[i] = 0.999 * V[i] + 0.001 * gi * gi;
                double mh = M[i] / (1 - pow(0.9, t)), vh = V[i] / (1 - pow(0.999, t));
                W[i] -= 0.01 * (mh / (sqrt(vh) + 1e-8) + 0.1 * W[i]);
                check_near((double)w[i], W[i], 2e-6, 2e-6, "w", i);
                check_near((double)m[i], M[i], 1e-7, 1e-5, "m", i);
                check_near((double)v[i], V[i], 1e-12, 1e-4, "v", i); /* 1 - 0.999f is 5e-5 off */
                if (t % 2)
                    assert_int_equal(w16[i], gm_bf16_from_f32(w[i]));
            }
        }
        assert_true(w[n] == 7 && m[n] == 7 && v[n] == 7 && w16[n] == 7);
    }
}

/* The two levels are really different tables where the CPU has both. */
static void levels_differ(void **state)
{
    (void)state;
    setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
    const struct gm_kernels *base = gm_kernels(GM_F32), *base16 = gm_kernels(GM_BF16);
    unsetenv("ONEDNN_MAX_CPU_ISA");
    const struct gm_kernels *best = gm_kernels(GM_F32);
    assert_ptr_not_equal(base, base16);
    if (best == base)
        say_skipped("this CPU has one level of f32 kernels (no AVX-512)");
}
int main(void)
{
    static const struct kernel_test each[] = {
        {"conversions", conversions},
        {"nan_stays_nan", nan_stays_nan},
        {"dropout_mask", dropout_mask},
        {"layernorm", layernorm},
        {"layernorm_widest", layernorm_widest},
        {"int8", int8},
        {"gelu", gelu},
        {"column_sum", column_sum},
        {"sum_squares", sum_squares},
        {"adamw", adamw},
    };
    static struct CMUnitTest tests[KERNEL_TESTS + 1];
    size_t n = kernel_tests(each, sizeof each / sizeof *each, tests);
    tests[n] = (struct CMUnitTest)cmocka_unit_test(levels_differ);
    return run_group("kernels", tests, n + 1, NULL, NULL);
}
