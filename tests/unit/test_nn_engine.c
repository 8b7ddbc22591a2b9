/* Matrix products against plain loops: odd shapes, all layouts, both types; repacking, buckets,
 * precision names, failures. Also the workspace that activations live in. */
#include "nn/engine.h"
#include "nn/int8.h"

#include "nn_check.h"

enum { MAX_DIM = 150, MAX_ELEMENTS = MAX_DIM * MAX_DIM };

struct operand {
    _Alignas(64) unsigned char x[MAX_ELEMENTS * 4];
    double v[MAX_ELEMENTS];
};

static struct operand a, b;
static float bias[MAX_DIM];
static _Alignas(64) unsigned char dst[MAX_ELEMENTS * 4 + 64];

static void put(unsigned char *x, enum gm_dtype t, size_t i, float v)
{
    uint16_t h = gm_bf16_from_f32(v);
    memcpy(x + gm_dtype_size(t) * i, t == GM_BF16 ? (void *)&h : (void *)&v, gm_dtype_size(t));
}

static double get(const unsigned char *x, enum gm_dtype t, size_t i)
{
    float f;
    gm_tensor_to_f32(&(struct gm_tensor){.dtype = t, .data = x}, i, 1, &f);
    return (double)f;
}

static void fill(struct operand *o, size_t n, enum gm_dtype t, struct gm_rng *r)
{
    assert_true(n <= MAX_ELEMENTS);
    for (size_t i = 0; i < n; i++) {
        put(o->x, t, i, (float)gm_rng_normal(r));
        o->v[i] = get(o->x, t, i);
    }
}

static void check_product(struct gm_engine *e, const struct gm_matmul *d, struct gm_rng *r)
{
    struct gm_packed *packed = NULL;
    size_t m = d->m, k = d->k, n = d->n, width = gm_dtype_size(d->dst_dtype);
    fill(&a, m * k, d->dtype, r);
    fill(&b, k * n, d->dtype, r);
    fill_normal(r, bias, n, 1);
    memset(dst, 0xA5, sizeof dst);
    for (size_t i = 0; i < m * n; i++)
        put(dst, d->dst_dtype, i, 0.5f);
    bool b_trans = d->b_layout == GM_B_TRANSPOSED;
    if (d->b_layout == GM_B_PACKED) {
        b_trans = m % 2;
        ASSERT_OK(gm_pack(e, &packed, b.x, d->dtype, k, n, b_trans, err));
    }
    ASSERT_OK(gm_matmul_run(e, d, a.x, packed ? (void *)packed : b.x, d->has_bias ? bias : NULL,
                            dst, err));
    double eps = d->dst_dtype == GM_BF16 ? 0x1p-8 : 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double want = (d->has_bias ? (double)bias[j] : 0) + (d->accumulate ? 0.5 : 0);
            for (size_t p = 0; p < k; p++)
                want +=
                    a.v[d->a_trans ? p * m + i : i * k + p] * b.v[b_trans ? j * k + p : p * n + j];
            check_near(get(dst, d->dst_dtype, i * n + j), want, 1e-5 * (1 + sqrt((double)k)) + eps,
                       eps, "product", i * n + j);
        }
    for (size_t i = m * n * width; i < m * n * width + 64; i++)
        assert_int_equal(dst[i], 0xA5);
    gm_packed_free(packed);
}

static void all_layouts(enum gm_dtype t)
{
    static const size_t shapes[][3] = {{1, 1, 1},    {1, 3, 8},     {3, 1, 5},    {17, 31, 33},
                                       {16, 16, 16}, {48, 64, 9},   {100, 15, 1}, {33, 129, 17},
                                       {65, 8, 100}, {128, 100, 50}};
    static const enum gm_b_layout layouts[] = {GM_B_ROWS, GM_B_TRANSPOSED, GM_B_PACKED};
    struct gm_engine *e;
    struct gm_rng r;
    gm_rng_init(&r, 1);
    ASSERT_OK(gm_engine_new(&e, err));
    /* The second round meets the kept primitives. */
    for (int round = 0; round < 2; round++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (unsigned flags = 0; flags < 16; flags += round || s < 4 ? 5 : 3)
                for (size_t l = 0; l < 3; l++) {
                    struct gm_matmul d = {.m = shapes[s][0],
                                          .k = shapes[s][1],
                                          .n = shapes[s][2],
                                          .dtype = t,
                                          .dst_dtype = flags & 8 ? GM_F32 : t,
                                          .a_trans = flags & 1,
                                          .b_layout = layouts[l],
                                          .has_bias = flags & 2,
                                          .accumulate = flags & 4};
                    check_product(e, &d, &r);
                }
    gm_engine_free(e);
    assert_int_equal(gm_alloc_live(), 0);
}

static void f32_products(void **state)
{
    (void)state;
    all_layouts(GM_F32);
}

static void bf16_products(void **state)
{
    (void)state;
    struct gm_precision p;
    if (gm_precision_pick("bf16", &p, NULL) != GM_OK) {
        skip_because("this CPU (as ONEDNN_MAX_CPU_ISA limits it) does not multiply bf16");
    }
    all_layouts(GM_BF16);
}

/* Sums of products of bytes are exact, and the scales are those of the kernel: rounding at most half
 * a step a weight. */
static void int8_products(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {
        {1, 1, 1}, {17, 31, 33}, {48, 64, 9}, {33, 129, 17}, {128, 100, 50}};
    struct gm_precision p;
    struct gm_engine *e;
    struct gm_packed *packed = NULL;
    struct gm_rng r;
    static int8_t q[MAX_ELEMENTS];
    static int32_t sums[MAX_ELEMENTS], again[MAX_ELEMENTS];
    static int8_t w8[MAX_ELEMENTS];
    static float w8_scale[MAX_ELEMENTS];
    if (gm_precision_pick("int8", &p, NULL) != GM_OK) {
        skip_because("this CPU (as ONEDNN_MAX_CPU_ISA limits it) has no VNNI");
    }
    gm_rng_init(&r, 5);
    ASSERT_OK(gm_engine_new(&e, err));
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t m = shapes[s][0], k = shapes[s][1], n = shapes[s][2];
        struct gm_matmul d = {
            .m = m, .k = k, .n = n, .dtype = GM_I8, .dst_dtype = GM_I32, .b_layout = GM_B_PACKED};
        fill(&b, n * k, GM_F32, &r);
        struct gm_tensor w = {GM_F32, 2, {n, k}, b.x};
        for (size_t i = 0; i < m * k; i++)
            q[i] = (int8_t)((int)gm_rng_below(&r, 255) - 127);
        gm_packed_free(packed);
        packed = NULL;
        ASSERT_OK(gm_pack_int8(e, &packed, &w, NULL, err));
        ASSERT_OK(gm_matmul_run(e, &d, q, packed, NULL, sums, err));
        /* Rounded before, the operand is the same. */
        ASSERT_OK(gm_int8_round(&w, w8, w8_scale, err));
        assert_memory_equal(gm_packed_scale(packed), w8_scale, n * sizeof *w8_scale);
        ASSERT_OK(
            gm_pack_int8(e, &packed, &(struct gm_tensor){GM_I8, 2, {n, k}, w8}, w8_scale, err));
        assert_memory_equal(gm_packed_scale(packed), w8_scale, n * sizeof *w8_scale);
        ASSERT_OK(gm_matmul_run(e, &d, q, packed, NULL, again, err));
        assert_memory_equal(again, sums, m * n * sizeof *sums);
        for (size_t j = 0; j < n; j++) {
            double most = 0, scale = (double)gm_packed_scale(packed)[j];
            for (size_t i = 0; i < k; i++)
                most = fmax(most, fabs(b.v[j * k + i]));
            check_near(scale, most / 127, 0, 1e-6, "scale", j);
            for (size_t i = 0; i < m; i++) {
                double want = 0;
                for (size_t c = 0; c < k; c++)
                    want += (double)q[i * k + c] * nearbyint(b.v[j * k + c] / scale);
                /* A quotient that lies on a half may round either way. */
                check_near((double)sums[i * n + j], want, 127, 0, "sum", i * n + j);
                if (k > 1 && (i + j) % 7 == 0)
                    assert_true(fabs((double)sums[i * n + j] - want) < 0.5);
            }
        }
    }
    gm_packed_free(packed);
    gm_engine_free(e);
    assert_int_equal(gm_alloc_live(), 0);
}

/* A rounded matrix does not depend on the type that it was stored in, rows of zeros stay zeros, and
 * what comes back is at most half a step away. */
static void int8_values(void **state)
{
    (void)state;
    enum { ROWS = 5, COLS = 37 };
    struct gm_rng r;
    static float x[ROWS * COLS], back[ROWS * COLS], scale[2][ROWS];
    static uint16_t half[ROWS * COLS];
    static int8_t q8[2][ROWS * COLS];
    gm_rng_init(&r, 6);
    fill_normal(&r, x, ROWS * COLS, 0.1);
    memset(x + 2 * COLS, 0, COLS * sizeof *x);
    for (size_t i = 0; i < ROWS * COLS; i++) {
        half[i] = gm_bf16_from_f32(x[i]);
        x[i] = gm_bf16_to_f32(half[i]);
    }
    ASSERT_OK(gm_int8_round(&(struct gm_tensor){GM_F32, 2, {ROWS, COLS}, x}, q8[0], scale[0], err));
    ASSERT_OK(
        gm_int8_round(&(struct gm_tensor){GM_BF16, 2, {ROWS, COLS}, half}, q8[1], scale[1], err));
    assert_memory_equal(q8[0], q8[1], sizeof *q8);
    assert_memory_equal(scale[0], scale[1], sizeof *scale);
    gm_int8_values(&(struct gm_tensor){GM_I8, 2, {ROWS, COLS}, q8[0]}, scale[0], back);
    for (size_t i = 0; i < ROWS * COLS; i++) {
        assert_true(back[i] == (float)q8[0][i] * scale[0][i / COLS]);
        check_near((double)back[i], (double)x[i], 0.501 * (double)scale[0][i / COLS], 0, "value",
                   i);
    }
    assert_true(scale[0][2] == 0 && back[2 * COLS] == 0);
    gm_alloc_fail_at(1);
    assert_int_equal(
        gm_int8_round(&(struct gm_tensor){GM_F32, 2, {ROWS, COLS}, x}, q8[0], scale[0], NULL),
        GM_ENOMEM);
    gm_alloc_fail_at(0);
    assert_int_equal(gm_alloc_live(), 0);
}

/* A product made for one packed weight serves another of the same shape, and repacking in place
 * changes the values and nothing else. */
static void repacking(void **state)
{
    (void)state;
    enum { M = 33, K = 20, N = 7 };
    struct gm_engine *e;
    struct gm_packed *p[2] = {NULL, NULL};
    struct gm_rng r;
    static struct operand w[2];
    static float out[M * N];
    gm_rng_init(&r, 2);
    ASSERT_OK(gm_engine_new(&e, err));
    fill(&a, M * K, GM_F32, &r);
    for (int round = 0; round < 3; round++) {
        for (int k = 0; k < 2; k++) {
            struct gm_packed *before = p[k];
            fill(&w[k], K * N, GM_F32, &r);
            ASSERT_OK(gm_pack(e, &p[k], w[k].x, GM_F32, K, N, true, err));
            if (before)
                assert_ptr_equal(before, p[k]);
        }
        for (int k = 0; k < 2; k++) {
            struct gm_matmul d = {.m = M,
                                  .k = K,
                                  .n = N,
                                  .dtype = GM_F32,
                                  .dst_dtype = GM_F32,
                                  .b_layout = GM_B_PACKED};
            ASSERT_OK(gm_matmul_run(e, &d, a.x, p[k], NULL, out, err));
            for (size_t i = 0; i < M * N; i++) {
                double want = 0;
                for (size_t c = 0; c < K; c++)
                    want += a.v[i / N * K + c] * w[k].v[i % N * K + c];
                check_near((double)out[i], want, 2e-5, 0, "packed product", i);
            }
        }
    }
    gm_packed_free(p[0]);
    gm_packed_free(p[1]);
    gm_packed_free(NULL);
    gm_engine_free(e);
    gm_engine_free(NULL);
    assert_int_equal(gm_alloc_live(), 0);
}

static void impossible_products(void **state)
{
    (void)state;
    struct gm_engine *e;
    struct gm_error err_out = {0};
    float x[4] = {0};
    struct gm_matmul d = {
        .m = 1, .k = (size_t)1 << 63, .n = 1, .dtype = GM_F32, .dst_dtype = GM_F32};
    ASSERT_OK(gm_engine_new(&e, err));
    assert_int_equal(gm_matmul_run(e, &d, x, x, NULL, x, &err_out), GM_ESHAPE);
    check_message(&err_out, "oneDNN");
    assert_int_equal(gm_matmul_run(e, &d, x, x, NULL, x, NULL), GM_ESHAPE);
    struct gm_packed *p = NULL;
    assert_int_equal(gm_pack(e, &p, x, GM_F32, (size_t)1 << 63, 2, false, &err_out), GM_ESHAPE);
    assert_null(p);
    d.k = 2; /* the engine is still good */
    ASSERT_OK(gm_matmul_run(e, &d, x, x, NULL, x, err));
    gm_engine_free(e);
    assert_int_equal(gm_alloc_live(), 0);
}

static void memory_runs_out(void **state)
{
    (void)state;
    enum gm_status st = GM_ENOMEM;
    static float x[64];
    size_t at = 0;
    while (st != GM_OK) {
        struct gm_engine *e = NULL;
        struct gm_packed *p = NULL;
        struct gm_error err = {0};
        struct gm_matmul d = {
            .m = 8, .k = 8, .n = 8, .dtype = GM_F32, .dst_dtype = GM_F32, .b_layout = GM_B_PACKED};
        gm_alloc_fail_at(++at);
        st = gm_engine_new(&e, &err);
        if (st == GM_OK)
            st = gm_pack(e, &p, x, GM_F32, 8, 8, false, &err);
        if (st == GM_OK)
            st = gm_matmul_run(e, &d, x, p, NULL, x, &err);
        gm_alloc_fail_at(0);
        if (st != GM_OK)
            assert_int_equal(st, GM_ENOMEM);
        gm_packed_free(p);
        gm_engine_free(e);
        assert_int_equal(gm_alloc_live(), 0);
    }
    assert_in_range(at, 4, 20);
}

static void row_buckets(void **state)
{
    (void)state;
    size_t before = 16, kinds = 1;
    for (size_t n = 0; n < 20000; n++) {
        size_t r = gm_rows_bucket(n);
        assert_true(r >= n && r >= before && r > 0 && r % 16 == 0);
        assert_true(n < 16 || (double)r <= 1.13 * (double)n + 15);
        assert_int_equal(gm_rows_bucket(r), r);
        kinds += r != before;
        before = r;
    }
    assert_in_range(kinds, 50, 250);
}

static void precision_names(void **state)
{
    (void)state;
    struct gm_precision p;
    struct gm_error err_out = {0};
    ASSERT_OK(gm_precision_pick("f32", &p, err));
    assert_true(p.dtype == GM_F32 && !p.int8);
    bool has = gm_precision_pick("bf16", &p, &err_out) == GM_OK;
    if (!has)
        check_message(&err_out, "bf16");
    enum gm_dtype best = has ? GM_BF16 : GM_F32;
    ASSERT_OK(gm_precision_pick("auto", &p, err));
    assert_true(p.dtype == best && !p.int8);
    ASSERT_OK(gm_precision_pick(NULL, &p, err));
    assert_true(p.dtype == best && !p.int8);
    if (gm_precision_pick("int8", &p, &err_out) == GM_OK)
        assert_true(p.dtype == best && p.int8);
    else
        check_message(&err_out, "VNNI");
    static const char *const wrong[] = {"", "F32", "bf16 ", "int4"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(gm_precision_pick(wrong[i], &p, &err_out), GM_EARG);
        check_message(&err_out, "unknown precision");
    }
}

/* ---- the workspace ---- */

static void workspace_blocks(void **state)
{
    (void)state;
    struct gm_workspace *ws;
    struct gm_rng r;
    gm_rng_init(&r, 4);
    ASSERT_OK(gm_workspace_new(&ws, 64 << 20, err));
    size_t held = 0;
    for (int step = 0; step < 4; step++) {
        unsigned char *p[200];
        size_t n[200];
        gm_rng_init(&r, 5); /* the same sizes each step: a steady state */
        gm_workspace_rewind(ws, (struct gm_workspace_mark){0, 0});
        for (size_t i = 0; i < 200; i++) {
            n[i] = gm_rng_below(&r, i % 40 ? 5000 : 3000000);
            p[i] = gm_workspace_alloc(ws, n[i], 1);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % 64, 0);
            memset(p[i], (int)i, n[i]);
        }
        for (size_t i = 0; i < 200; i++)
            for (size_t k = 0; k < n[i]; k += 1 + n[i] / 50)
                assert_int_equal(p[i][k], i);
        if (step)
            assert_int_equal(gm_workspace_bytes(ws), held);
        held = gm_workspace_bytes(ws);
    }
    struct gm_workspace_mark m = gm_workspace_mark(ws);
    void *first = gm_workspace_alloc(ws, 10, 10);
    gm_workspace_rewind(ws, m);
    assert_ptr_equal(gm_workspace_alloc(ws, 10, 10), first);
    gm_workspace_free(ws);
    gm_workspace_free(NULL);
    assert_int_equal(gm_alloc_live(), 0);
}

static void workspace_bound(void **state)
{
    (void)state;
    struct gm_workspace *ws;
    ASSERT_OK(gm_workspace_new(&ws, 3 << 20, err));
    assert_null(gm_workspace_alloc(ws, SIZE_MAX, 2));
    assert_null(gm_workspace_alloc(ws, SIZE_MAX, 1));
    assert_null(gm_workspace_alloc(ws, 4 << 20, 1));
    assert_non_null(gm_workspace_alloc(ws, 2 << 20, 1));
    assert_non_null(gm_workspace_alloc(ws, 1, 1)); /* refusals left it usable */
    /* All of what is allowed can be had, and no more. */
    size_t got = 0;
    while (gm_workspace_alloc(ws, 1024, 1))
        got++;
    assert_in_range(got, 1000, 1024);
    assert_true(gm_workspace_bytes(ws) <= 3 << 20);
    gm_workspace_free(ws);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_products),    cmocka_unit_test(bf16_products),
        cmocka_unit_test(int8_products),   cmocka_unit_test(int8_values),
        cmocka_unit_test(repacking),       cmocka_unit_test(impossible_products),
        cmocka_unit_test(memory_runs_out), cmocka_unit_test(row_buckets),
        cmocka_unit_test(precision_names), cmocka_unit_test(workspace_blocks),
        cmocka_unit_test(workspace_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
