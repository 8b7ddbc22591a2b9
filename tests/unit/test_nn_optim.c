/* AdamW over the parameter table: against the formula in double and against torch.optim.AdamW
 * (tests/ref/adamw_reference.py), the rows of embeddings, clipping, what must not change. */
#include "nn/ema.h"
#include "nn/optim.h"

#include "nn_check.h"

#define GOLDEN "tests/golden/adamw.safetensors"

/* A matrix, a vector and an embedding of f32 training. */
static void open_params(struct gm_params *ps, enum gm_dtype dtype)
{
    static const struct {
        enum gm_param_kind kind;
        size_t rows, cols;
    } what[] = {{GM_MATRIX, 7, 5}, {GM_VECTOR, 9, 0}, {GM_EMBEDDING, 6, 4}};
    struct gm_rng r;
    gm_rng_init(&r, 1);
    gm_params_init(ps, dtype, true);
    for (size_t i = 0; i < 3; i++) {
        size_t index;
        ASSERT_OK(
            gm_params_add(ps, &index, what[i].kind, what[i].rows, what[i].cols, err, "p%zu", i));
        ASSERT_OK(gm_params_init_normal(ps, index, 1, &r, err));
    }
    ps->p[1].group = 1;
    ps->p[2].group = 2;
}

static void close_params(struct gm_params *ps)
{
    gm_params_clear(ps);
    assert_int_equal(gm_alloc_live(), 0);
}

static void step(struct gm_params *ps, const struct gm_optim *o, size_t t, double *norm)
{
    ASSERT_OK(gm_optim_step(&ps, 1, o, t, norm, err));
}

static struct gm_optim options(void)
{
    struct gm_optim o = gm_optim_default();
    o.lr[0] = 0.01;
    o.lr[1] = 0.03;
    o.lr[2] = 0.1;
    return o;
}

static void set_grad(struct gm_param *p, struct gm_rng *r, double std)
{
    fill_normal(r, p->g, p->n, std);
    p->has_g = true;
}

/* A gradient for one row of the embedding. */
static void touch(struct gm_param *p, size_t row, struct gm_rng *r, double std)
{
    float *g = gm_param_touch(p, row);
    assert_non_null(g);
    fill_normal(r, g, p->shape[1], std);
}

struct oracle {
    double w[64], m[64], v[64];
};

static void oracle_step(struct oracle *s, size_t from, size_t n, const float *g, double scale,
                        double lr, double decay, size_t t)
{
    for (size_t i = from; i < from + n; i++) {
        double gi = (double)g[i - from] * scale;
        s->m[i] = 0.9 * s->m[i] + 0.1 * gi;
        s->v[i] = 0.999 * s->v[i] + 0.001 * gi * gi;
        s->w[i] *= 1 - lr * decay;
        s->w[i] -= lr * (s->m[i] / (1 - pow(0.9, (double)t))) /
                   (sqrt(s->v[i] / (1 - pow(0.999, (double)t))) + 1e-8);
    }
}

static void agrees_with_the_formula(void **state)
{
    (void)state;
    struct gm_params ps;
    struct gm_rng r;
    struct gm_optim o = options();
    struct oracle s[3] = {{{0}, {0}, {0}}};
    gm_rng_init(&r, 2);
    open_params(&ps, GM_F32);
    ASSERT_OK(gm_params_ready(&ps, err));
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < ps.p[k].n; i++)
            s[k].w[i] = (double)ps.p[k].w[i];
    for (size_t t = 1; t <= 40; t++) {
        double sum = 0, norm, std = t % 3 ? 0.02 : 2; /* below and above the clipping norm of 1 */
        set_grad(&ps.p[0], &r, std);
        set_grad(&ps.p[1], &r, std);
        size_t rows[] = {t % 5, 5};
        struct gm_param *e = &ps.p[2];
        for (size_t i = 0; i < 2; i++)
            if (i == 0 || t % 2)
                touch(e, rows[i], &r, std);
        for (size_t k = 0; k < 3; k++)
            for (size_t i = 0; i < (k < 2 ? ps.p[k].n : e->n_touched * 4); i++)
                sum += (double)ps.p[k].g[i] * (double)ps.p[k].g[i];
        double scale = sqrt(sum) > 1 ? 1 / sqrt(sum) : 1;
        oracle_step(&s[0], 0, 35, ps.p[0].g, scale, 0.01, 0.01, t);
        oracle_step(&s[1], 0, 9, ps.p[1].g, scale, 0.03, 0, t); /* vectors do not decay */
        for (size_t i = 0; i < e->n_touched; i++)
            oracle_step(&s[2], rows[i] * 4, 4, e->g + 4 * i, scale, 0.1, 0.01, t);
        step(&ps, &o, t, &norm);
        check_near(norm, sqrt(sum), 0, 1e-6, "norm", t);
        for (size_t k = 0; k < 3; k++) {
            assert_true(!ps.p[k].has_g && !ps.p[k].n_touched);
            for (size_t i = 0; i < ps.p[k].n; i++)
                check_near((double)ps.p[k].w[i], s[k].w[i], 2e-5, 1e-5, ps.p[k].names[0], i);
        }
    }
    close_params(&ps);
}

static struct gm_tensor golden(const struct gm_safetensors *f, const char *name)
{
    struct gm_tensor t;
    if (!gm_safetensors_get(f, name, &t))
        fail_msg("%s has no %s", GOLDEN, name);
    return t;
}

static void agrees_with_torch(void **state)
{
    (void)state;
    struct gm_safetensors *f;
    struct gm_params ps;
    struct gm_optim o = gm_optim_default();
    size_t index;
    ASSERT_OK(gm_safetensors_open(&f, GOLDEN, err));
    struct gm_tensor start = golden(f, "start"), grads = golden(f, "grads"),
                     want = golden(f, "weights"), norms = golden(f, "norms");
    size_t steps = grads.shape[0], n = start.shape[0] * start.shape[1];
    gm_params_init(&ps, GM_F32, true);
    ASSERT_OK(gm_params_add(&ps, &index, GM_MATRIX, start.shape[0], start.shape[1], err, "start"));
    ASSERT_OK(gm_params_bind(&ps, f, err));
    ASSERT_OK(gm_params_ready(&ps, err));
    for (size_t t = 1; t <= steps; t++) {
        double norm;
        o.lr[0] = 0.02 / (double)t; /* as the script */
        memcpy(ps.p[0].g, (const float *)grads.data + (t - 1) * n, n * sizeof(float));
        ps.p[0].has_g = true;
        step(&ps, &o, t, &norm);
        check_near(norm, (double)((const float *)norms.data)[t - 1], 0, 1e-5, "norm", t);
        for (size_t i = 0; i < n; i++)
            check_near((double)ps.p[0].w[i], (double)((const float *)want.data)[(t - 1) * n + i],
                       2e-6, 2e-6, "weight", t * 100 + i);
    }
    gm_params_clear(&ps);
    gm_safetensors_free(f);
    assert_int_equal(gm_alloc_live(), 0);
}

static void rows_not_seen_stay(void **state)
{
    (void)state;
    struct gm_params ps;
    struct gm_rng r;
    struct gm_optim o = options();
    float w[24], matrix[35];
    gm_rng_init(&r, 3);
    open_params(&ps, GM_F32);
    ASSERT_OK(gm_params_ready(&ps, err));
    struct gm_param *e = &ps.p[2];
    memcpy(w, e->w, sizeof w);
    memcpy(matrix, ps.p[0].w, sizeof matrix);
    for (size_t t = 1; t <= 3; t++) {
        touch(e, 4, &r, 1);
        touch(e, 1, &r, 1);
        step(&ps, &o, t, NULL);
    }
    for (size_t row = 0; row < 6; row++)
        for (size_t j = 0; j < 4; j++) {
            size_t at = row * 4 + j;
            bool seen = row == 1 || row == 4;
            assert_true((e->w[at] != w[at]) == seen);
            assert_true((e->m[at] != 0) == seen && (e->v[at] != 0) == seen);
        }
    /* Parameters without a gradient: no decay either. */
    assert_memory_equal(matrix, ps.p[0].w, sizeof matrix);
    close_params(&ps);
}

static void frozen_never_change(void **state)
{
    (void)state;
    struct gm_params ps;
    struct gm_rng r;
    struct gm_optim o = options();
    float w[35];
    gm_rng_init(&r, 4);
    open_params(&ps, GM_F32);
    ps.p[0].frozen = ps.p[2].frozen = true;
    ASSERT_OK(gm_params_ready(&ps, err));
    memcpy(w, ps.p[0].w, sizeof w);
    assert_true(!ps.p[0].g && !ps.p[0].m && !ps.p[0].v && !ps.p[2].slot);
    set_grad(&ps.p[1], &r, 1);
    float before = ps.p[1].w[0];
    step(&ps, &o, 1, NULL);
    assert_true(ps.p[1].w[0] != before);
    assert_memory_equal(w, ps.p[0].w, sizeof w);
    close_params(&ps);
}

static void not_finite_changes_nothing(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f};
    struct gm_rng r;
    struct gm_optim o = options();
    gm_rng_init(&r, 5);
    for (size_t k = 0; k < 2 * sizeof bad / sizeof *bad; k++) {
        struct gm_params ps;
        float before[3][3][64];
        double norm = 0;
        open_params(&ps, GM_F32);
        ASSERT_OK(gm_params_ready(&ps, err));
        for (int round = 0; round < 2; round++) { /* moments that are not zero */
            set_grad(&ps.p[0], &r, 1);
            set_grad(&ps.p[1], &r, 1);
            touch(&ps.p[2], 3, &r, 1);
            if (!round)
                step(&ps, &o, 1, NULL);
        }
        for (size_t i = 0; i < 3; i++) {
            memcpy(before[i][0], ps.p[i].w, ps.p[i].n * sizeof(float));
            memcpy(before[i][1], ps.p[i].m, ps.p[i].n * sizeof(float));
            memcpy(before[i][2], ps.p[i].v, ps.p[i].n * sizeof(float));
        }
        ps.p[k % 2 ? 0 : 2].g[2] = bad[k / 2];
        step(&ps, &o, 2, &norm);
        assert_true(isfinite(norm) == 0);
        for (size_t i = 0; i < 3; i++) {
            assert_memory_equal(before[i][0], ps.p[i].w, ps.p[i].n * sizeof(float));
            assert_memory_equal(before[i][1], ps.p[i].m, ps.p[i].n * sizeof(float));
            assert_memory_equal(before[i][2], ps.p[i].v, ps.p[i].n * sizeof(float));
            assert_true(!ps.p[i].has_g && !ps.p[i].n_touched);
        }
        close_params(&ps);
    }
}

/* In bf16 the small weights of the products follow the f32 masters. */
static void bf16_copies_follow(void **state)
{
    (void)state;
    struct gm_params ps;
    struct gm_rng r;
    struct gm_optim o = options();
    gm_rng_init(&r, 6);
    open_params(&ps, GM_BF16);
    ASSERT_OK(gm_params_ready(&ps, err));
    for (size_t t = 1; t <= 5; t++) {
        set_grad(&ps.p[0], &r, 1);
        ps.p[0].packed_stale = false;
        step(&ps, &o, t, NULL);
        assert_true(ps.p[0].packed_stale);
        for (size_t i = 0; i < ps.p[0].n; i++)
            assert_int_equal(ps.p[0].w16[i], gm_bf16_from_f32(ps.p[0].w[i]));
    }
    close_params(&ps);
}

/* More than one block of work a parameter: the blocks' borders and the sum over them. */
static void large_parameters(void **state)
{
    (void)state;
    enum { ROWS = 700, COLS = 101 };
    struct gm_params ps;
    struct gm_rng r;
    struct gm_optim o = options();
    size_t index;
    double sum = 0, norm;
    gm_rng_init(&r, 7);
    gm_params_init(&ps, GM_F32, true);
    ASSERT_OK(gm_params_add(&ps, &index, GM_MATRIX, ROWS, COLS, err, "large"));
    ASSERT_OK(gm_params_init_const(&ps, index, 1, err));
    ASSERT_OK(gm_params_ready(&ps, err));
    set_grad(&ps.p[0], &r, 1);
    for (size_t i = 0; i < ps.p[0].n; i++)
        sum += (double)ps.p[0].g[i] * (double)ps.p[0].g[i];
    o.clip_norm = 0;
    float *g = gm_alloc(ps.p[0].n, sizeof *g);
    assert_non_null(g);
    memcpy(g, ps.p[0].g, ps.p[0].n * sizeof *g);
    step(&ps, &o, 1, &norm);
    check_near(norm, sqrt(sum), 0, 1e-6, "norm", 0);
    for (size_t i = 0; i < ps.p[0].n;
         i++) /* the first step moves by lr in the gradient's direction */
        check_near((double)ps.p[0].w[i],
                   1 - 0.01 * 0.01 - 0.01 * (double)g[i] / (fabs((double)g[i]) + 1e-8), 2e-6, 0,
                   "weight", i);
    gm_free(g);
    close_params(&ps);
}

/* Half the rate scale is half the rate. */
static void parameters_may_have_their_own_rate(void **state)
{
    (void)state;
    float w[2][9];
    for (int half = 0; half < 2; half++) {
        struct gm_params ps;
        struct gm_rng r;
        struct gm_optim o = options();
        gm_rng_init(&r, 5);
        open_params(&ps, GM_F32);
        ASSERT_OK(gm_params_ready(&ps, err));
        if (half)
            ps.p[1].lr_scale = 0.5f;
        else
            o.lr[1] /= 2;
        set_grad(&ps.p[1], &r, 1);
        step(&ps, &o, 1, NULL);
        memcpy(w[half], ps.p[1].w, sizeof w[half]);
        close_params(&ps);
    }
    assert_memory_equal(w[0], w[1], sizeof w[0]);
}

/* The average after some steps against the sum in double; swapped in it is what a product reads. */
static void average_of_the_weights(void **state)
{
    (void)state;
    enum { STEPS = 30 };
    struct gm_params ps;
    struct gm_rng r;
    struct gm_ema a;
    double want[35];
    float last[35], frozen[24];
    gm_rng_init(&r, 6);
    open_params(&ps, GM_BF16);
    ps.p[2].frozen = true;
    ASSERT_OK(gm_params_ready(&ps, err));
    ASSERT_OK(gm_ema_init(&a, &ps, err));
    for (size_t i = 0; i < 35; i++)
        want[i] = (double)ps.p[0].w[i];
    for (size_t t = 1; t <= STEPS; t++) {
        double d = t <= 4 ? (1 + (double)t) / (10 + (double)t) : 0.4;
        fill_normal(&r, ps.p[0].w, 35, 1);
        gm_ema_step(&a, 0.4, t);
        for (size_t i = 0; i < 35; i++)
            want[i] = d * want[i] + (1 - d) * (double)ps.p[0].w[i];
    }
    memcpy(last, ps.p[0].w, sizeof last);
    gm_param_values(&ps.p[2], frozen);
    gm_ema_swap(&a);
    for (size_t i = 0; i < 35; i++) {
        check_near((double)ps.p[0].w[i], want[i], 1e-6, 1e-6, "average", i);
        assert_int_equal(ps.p[0].w16[i], gm_bf16_from_f32(ps.p[0].w[i]));
    }
    gm_ema_swap(&a);
    assert_memory_equal(ps.p[0].w, last, sizeof last);
    assert_int_equal(ps.p[0].w16[7], gm_bf16_from_f32(last[7]));
    gm_ema_clear(&a);
    close_params(&ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_formula),
        cmocka_unit_test(agrees_with_torch),
        cmocka_unit_test(rows_not_seen_stay),
        cmocka_unit_test(frozen_never_change),
        cmocka_unit_test(not_finite_changes_nothing),
        cmocka_unit_test(bf16_copies_follow),
        cmocka_unit_test(large_parameters),
        cmocka_unit_test(parameters_may_have_their_own_rate),
        cmocka_unit_test(average_of_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
