/* The table of parameters: taking values from files of every kind, saving and loading them again,
 * and what happens when a tensor is missing or wrong or memory runs out. */
#include "nn/params.h"

#include "nn_check.h"

enum { ROWS = 4, COLS = 3, N = ROWS * COLS };

static const char *const qkv_names[3] = {"q", "k", "v"};
static const char *file, *file2; /* scratch */

struct model {
    struct gm_params ps;
    struct gm_safetensors *f;
    size_t embedding, qkv, matrix, vector;
};

static enum gm_status model_table(struct model *m, enum gm_dtype dtype, bool training,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *m = (struct model){.f = NULL};
    gm_params_init(&m->ps, dtype, training);
    GM_TRY(gm_params_add(&m->ps, &m->embedding, GM_EMBEDDING, 6, 2, err, "words.%s", "weight"));
    GM_TRY(gm_params_add_parts(&m->ps, &m->qkv, GM_MATRIX, ROWS, COLS, qkv_names, err));
    GM_TRY(gm_params_add(&m->ps, &m->matrix, GM_MATRIX, ROWS, COLS, err, "dense"));
    st = gm_params_add(&m->ps, &m->vector, GM_VECTOR, 5, 0, err, "bias");
done:
    return st;
}

static void model_clear(struct model *m)
{
    gm_params_clear(&m->ps);
    gm_safetensors_free(m->f);
    m->f = NULL;
}

static enum gm_status model_load(struct model *m, enum gm_dtype dtype, bool training,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(model_table(m, dtype, training, err));
    GM_TRY(gm_safetensors_open(&m->f, file, err));
    GM_TRY(gm_params_bind(&m->ps, m->f, err));
    st = gm_params_ready(&m->ps, err);
done:
    return st;
}

/* ---- files ---- */

static float values[6][N]; /* words, q, k, v, dense, bias */

static const float scales[ROWS + 1] = {0.125f, 0.0625f, 0.125f, 0.03125f, 1};

/* Halves that are exact in f32, bf16 and f16, and as int8 with `scales`. */
static void make_values(void)
{
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < N; j++)
            values[i][j] = (float)((int)(i * 7 + j * 3) % 31 - 15) / 8;
}

static uint16_t f16_of(float x) /* exact small numbers only */
{
    int e;
    double m = frexp(fabs((double)x), &e);
    if (x == 0)
        return 0;
    return (uint16_t)((x < 0 ? 0x8000 : 0) | (e + 14) << 10 | ((int)(m * 2048) & 1023));
}

struct layout {
    const char *prefix;
    enum gm_dtype dtype; /* of all but `bias`; I8: of the matrices, with `scale` beside each */
    bool qkv_apart;      /* other tensors between q, k and v */
    const char *absent;
    const char *odd; /* this tensor has one row too many */
};

static void write_file(const struct layout *l)
{
    static const char *const names[2][6] = {{"words.weight", "q", "k", "v", "dense", "bias"},
                                            {"q", "words.weight", "k", "dense", "v", "bias"}};
    static const size_t which[2][6] = {{0, 1, 2, 3, 4, 5}, {1, 0, 2, 4, 3, 5}};
    static const size_t shapes[6][2] = {{6, 2},       {ROWS, COLS}, {ROWS, COLS},
                                        {ROWS, COLS}, {ROWS, COLS}, {5, 0}};
    static uint16_t half[6][2 * N];
    static float whole[6][2 * N];
    static int8_t bytes[6][2 * N];
    struct gm_tensor t[12];
    const char *used[12];
    char texts[12][64];
    size_t n = 0;
    for (size_t i = 0; i < 6; i++) {
        const char *name = names[l->qkv_apart][i];
        size_t k = which[l->qkv_apart][i], extra = l->odd && strcmp(l->odd, name) == 0;
        if (l->absent && strcmp(l->absent, name) == 0)
            continue;
        bool matrix = k > 0 && k < 5;
        enum gm_dtype type = k == 5 || (!matrix && l->dtype == GM_I8) ? GM_F32 : l->dtype;
        for (size_t j = 0; j < N; j++) {
            half[k][j] = type == GM_BF16 ? gm_bf16_from_f32(values[k][j]) : f16_of(values[k][j]);
            whole[k][j] = values[k][j];
            bytes[k][j] = (int8_t)(values[k][j] / scales[j / COLS % ROWS]);
        }
        t[n] = (struct gm_tensor){.dtype = type,
                                  .rank = k == 5 ? 1 : 2,
                                  .shape = {shapes[k][0] + extra, shapes[k][1]},
                                  .data = type == GM_I8              ? (void *)bytes[k]
                                          : gm_dtype_size(type) == 2 ? (void *)half[k]
                                                                     : (void *)whole[k]};
        snprintf(texts[n], sizeof texts[n], "%s%s", l->prefix, name);
        used[n] = texts[n];
        n++;
        if (type != GM_I8)
            continue;
        t[n] =
            (struct gm_tensor){.dtype = GM_F32, .rank = 1, .shape = {ROWS + extra}, .data = scales};
        snprintf(texts[n], sizeof texts[n], "%s%s.scale", l->prefix, name);
        used[n] = texts[n];
        n++;
    }
    ASSERT_OK(gm_safetensors_write(file, t, used, n, NULL, err));
}

static void check_param(const struct gm_param *p, const float *want, const char *what)
{
    float got[3 * N];
    assert_true(p->n <= 3 * N);
    gm_param_values(p, got);
    for (size_t i = 0; i < p->n; i++)
        if (got[i] != want[i])
            fail_msg("%s[%zu]: %g, expected %g", what, i, (double)got[i], (double)want[i]);
}

static void check_model(const struct model *m)
{
    const float *qkv = values[1]; /* q, k and v follow each other in `values` */
    const struct gm_param *p = m->ps.p;
    float row[2];
    check_param(&p[m->embedding], values[0], "words");
    check_param(&p[m->qkv], qkv, "qkv");
    check_param(&p[m->matrix], values[4], "dense");
    check_param(&p[m->vector], values[5], "bias");
    for (size_t r = 0; r < 6; r++) {
        gm_param_row(&p[m->embedding], r, row);
        assert_memory_equal(row, values[0] + 2 * r, sizeof row);
    }
    const void *x = gm_param_matrix(&p[m->qkv], m->ps.dtype);
    if (!x) /* int8, to be packed */
        assert_true(gm_param_view(&p[m->qkv]).dtype == GM_I8 && !m->ps.training);
    for (size_t i = 0; x && i < 3 * N; i++)
        if (m->ps.dtype == GM_BF16)
            assert_int_equal(((const uint16_t *)x)[i], gm_bf16_from_f32(qkv[i]));
        else
            assert_true(((const float *)x)[i] == qkv[i]);
    for (size_t i = 0; i < 5; i++)
        assert_true(p[m->vector].w[i] == values[5][i]); /* vectors are always f32 */
}

static void binds_every_layout(void **state)
{
    (void)state;
    static const enum gm_dtype stored[] = {GM_F32, GM_BF16, GM_F16, GM_I8},
                               used[] = {GM_F32, GM_BF16};
    for (int apart = 0; apart < 2; apart++)
        for (int prefix = 0; prefix < 2; prefix++)
            for (size_t s = 0; s < 4; s++)
                for (size_t u = 0; u < 2; u++)
                    for (int training = 0; training < 2; training++) {
                        struct model m;
                        write_file(
                            &(struct layout){prefix ? "bert." : "", stored[s], apart, NULL, NULL});
                        ASSERT_OK(model_load(&m, used[u], training, err));
                        assert_null(gm_params_missing(&m.ps));
                        check_model(&m);
                        /* What can be used as it is stays mapped. */
                        if (!training && !apart && (stored[s] == used[u] || stored[s] == GM_I8))
                            assert_true(m.ps.p[m.qkv].stored.data && !m.ps.p[m.qkv].w &&
                                        !m.ps.p[m.qkv].w16);
                        if (!training)
                            assert_true(m.ps.p[m.embedding].stored.data && !m.ps.p[m.embedding].w);
                        model_clear(&m);
                        assert_int_equal(gm_alloc_live(), 0);
                    }
}

static void expect_model_error(const char *says, const char *names_file)
{
    struct model m;
    struct gm_error err = {0};
    assert_int_equal(model_load(&m, GM_F32, false, &err), GM_EMODEL);
    check_message(&err, says);
    if (names_file)
        check_message(&err, names_file);
    model_clear(&m);
    assert_int_equal(gm_alloc_live(), 0);
}

static void missing_tensors(void **state)
{
    (void)state;
    static const char *const names[] = {"words.weight", "q", "k", "v", "dense", "bias"};
    for (size_t i = 0; i < 6; i++) {
        char says[64];
        write_file(&(struct layout){"", GM_F32, i % 2, names[i], NULL});
        snprintf(says, sizeof says, "tensor %s is missing", names[i]);
        expect_model_error(says, NULL);
    }
}

static void wrong_tensors(void **state)
{
    (void)state;
    static const char *const names[] = {"words.weight", "q", "k", "v", "dense", "bias"};
    for (size_t i = 0; i < 6; i++) {
        write_file(&(struct layout){"bert.", GM_F32, false, NULL, names[i]});
        expect_model_error(names[i], file);
        expect_model_error("has shape", file);
    }
    static const int32_t ints[N];
    static const float f[N];
    static const struct gm_tensor odd[] = {
        {GM_I32, 2, {ROWS, COLS}, ints}, {GM_F32, 1, {N}, f}, {GM_F32, 3, {ROWS, COLS, 1}, f},
        {GM_F32, 2, {COLS, ROWS}, f},    {GM_F32, 0, {0}, f}, {GM_F32, 2, {ROWS, 0}, f},
        {GM_I8, 2, {ROWS, COLS}, ints},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        ASSERT_OK(
            gm_safetensors_write(file, &odd[i], (const char *const[]){"dense"}, 1, NULL, err));
        expect_model_error("tensor dense", file);
    }
}

/* Scales that are missing, of another shape or type, or no numbers to multiply with. */
static void wrong_scales(void **state)
{
    (void)state;
    static const int8_t q[N];
    static const float good[] = {0, 1, 2, 3, 4},
                       numbers[][ROWS] = {{1, NAN, 1, 1}, {1, 1, -1, 1}, {1, 1, 1, INFINITY}};
    static const struct gm_tensor bad[] = {
        {GM_F32, 1, {ROWS + 1}, good},   {GM_F32, 1, {ROWS - 1}, good},
        {GM_F32, 2, {ROWS, 1}, good},    {GM_BF16, 1, {ROWS}, good},
        {GM_F32, 1, {ROWS}, numbers[0]}, {GM_F32, 1, {ROWS}, numbers[1]},
        {GM_F32, 1, {ROWS}, numbers[2]},
    };
    static const char *const says[] = {"shape [4]",      "shape [4]",   "shape [4]",
                                       "must be F32",    "element 1, ", "element 2, -1,",
                                       "element 3, inf,"};
    struct gm_tensor t[2] = {{GM_I8, 2, {ROWS, COLS}, q}, {.dtype = GM_F32}};
    const char *const names[] = {"bert.dense", "bert.dense.scale"};
    ASSERT_OK(gm_safetensors_write(file, t, names, 1, NULL, err));
    expect_model_error("tensor bert.dense.scale is missing", file);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t[1] = bad[i];
        ASSERT_OK(gm_safetensors_write(file, t, names, 2, NULL, err));
        expect_model_error("tensor bert.dense.scale", file);
        expect_model_error(says[i], NULL);
    }
    /* Only matrices may be int8. */
    t[0] = (struct gm_tensor){GM_I8, 1, {5}, q};
    ASSERT_OK(gm_safetensors_write(file, t, (const char *const[]){"bias"}, 1, NULL, err));
    expect_model_error("tensor bias is no float tensor", file);
}

static void names_of_matrices(void **state)
{
    (void)state;
    static const char *const matrices[] = {"q", "v", "dense", "bert.dense", "roberta.k"};
    static const char *const others[] = {"words.weight", "bias",    "bert.bias", "dense.scale",
                                         "qq",           "x.dense", ""};
    struct model m;
    ASSERT_OK(model_table(&m, GM_F32, false, err));
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        assert_true(gm_params_is_matrix(&m.ps, matrices[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(gm_params_is_matrix(&m.ps, others[i]));
    model_clear(&m);
}

/* Values already there are kept: the second file fills only what the first one lacks. */
static void first_file_wins(void **state)
{
    (void)state;
    struct model m;
    struct gm_safetensors *second;
    static float others[5] = {9, 9, 9, 9, 9}, dense[N];
    const struct gm_tensor t[] = {{GM_F32, 1, {5}, others}, {GM_F32, 2, {ROWS, COLS}, dense}};
    write_file(&(struct layout){"", GM_F32, false, "dense", NULL});
    ASSERT_OK(model_table(&m, GM_F32, false, err));
    assert_string_equal(gm_params_missing(&m.ps), "words.weight");
    ASSERT_OK(gm_safetensors_open(&m.f, file, err));
    ASSERT_OK(gm_params_bind(&m.ps, m.f, err));
    assert_string_equal(gm_params_missing(&m.ps), "dense");
    ASSERT_OK(gm_safetensors_write(file2, t, (const char *const[]){"bias", "dense"}, 2, NULL, err));
    ASSERT_OK(gm_safetensors_open(&second, file2, err));
    ASSERT_OK(gm_params_bind(&m.ps, second, err));
    assert_null(gm_params_missing(&m.ps));
    ASSERT_OK(gm_params_ready(&m.ps, err));
    check_param(&m.ps.p[m.vector], values[5], "bias");
    check_param(&m.ps.p[m.matrix], dense, "dense");
    model_clear(&m);
    gm_safetensors_free(second);
    assert_int_equal(gm_alloc_live(), 0);
}

/* So are the parts that the first file has of a parameter: the second one gives the others. */
static void parts_of_two_files(void **state)
{
    (void)state;
    static float q[N] = {9}, k[N] = {7, 8, 9}, want[3 * N];
    const struct gm_tensor t[] = {{GM_F32, 2, {ROWS, COLS}, q}, {GM_F32, 2, {ROWS, COLS}, k}};
    struct model m;
    struct gm_safetensors *second;
    write_file(&(struct layout){"", GM_F32, false, "k", NULL});
    ASSERT_OK(model_table(&m, GM_F32, false, err));
    ASSERT_OK(gm_safetensors_open(&m.f, file, err));
    ASSERT_OK(gm_params_bind(&m.ps, m.f, err));
    assert_string_equal(gm_params_missing(&m.ps), "k");
    ASSERT_OK(gm_safetensors_write(file2, t, (const char *const[]){"q", "bert.k"}, 2, NULL, err));
    ASSERT_OK(gm_safetensors_open(&second, file2, err));
    ASSERT_OK(gm_params_bind(&m.ps, second, err));
    ASSERT_OK(gm_params_ready(&m.ps, err));
    memcpy(want, values[1], sizeof k);
    memcpy(want + N, k, sizeof k);
    memcpy(want + 2 * N, values[3], sizeof k);
    check_param(&m.ps.p[m.qkv], want, "qkv");
    model_clear(&m);
    gm_safetensors_free(second);
}

static void new_values(struct model *m, enum gm_dtype dtype, bool training)
{
    struct gm_rng r;
    gm_rng_init(&r, 3);
    ASSERT_OK(model_table(m, dtype, training, err));
    for (size_t i = 0; i < m->ps.n; i++)
        ASSERT_OK(gm_params_init_normal(&m->ps, i, 1, &r, err));
    ASSERT_OK(gm_params_init_const(&m->ps, m->vector, 0.1f, err));
    ASSERT_OK(gm_params_ready(&m->ps, err));
}

static void save_and_load(void **state)
{
    (void)state;
    static const enum gm_dtype saved[] = {GM_F32, GM_BF16};
    for (int training = 0; training < 2; training++)
        for (size_t s = 0; s < 2; s++) {
            struct model a, b;
            struct gm_str v;
            new_values(&a, GM_F32, training);
            ASSERT_OK(gm_params_save(&a.ps, file, &(struct gm_params_saving){.dtype = saved[s]},
                                     (const char *const[]){"a", "b", NULL}, err));
            ASSERT_OK(model_load(&b, GM_F32, false, err));
            assert_true(gm_safetensors_metadata(b.f, "a", &v) && gm_str_eq_c(v, "b"));
            for (size_t i = 0; i < a.ps.n; i++) {
                float want[3 * N];
                gm_param_values(&a.ps.p[i], want);
                if (saved[s] == GM_BF16 && a.ps.p[i].kind != GM_VECTOR)
                    for (size_t j = 0; j < a.ps.p[i].n; j++)
                        want[j] = gm_bf16_to_f32(gm_bf16_from_f32(want[j]));
                check_param(&b.ps.p[i], want, a.ps.p[i].names[0]);
            }
            /* The parts of one parameter lie side by side again: mapped, not copied. */
            if (saved[s] == GM_F32)
                assert_non_null(b.ps.p[b.qkv].stored.data);
            /* Saving what was loaded gives the same file. */
            ASSERT_OK(gm_params_save(&b.ps, file2, &(struct gm_params_saving){.dtype = saved[s]},
                                     (const char *const[]){"a", "b", NULL}, err));
            struct gm_safetensors *x;
            ASSERT_OK(gm_safetensors_open(&x, file2, err));
            assert_int_equal(gm_safetensors_count(x), gm_safetensors_count(b.f));
            for (size_t i = 0; i < gm_safetensors_count(x); i++) {
                struct gm_tensor t, u;
                assert_true(gm_safetensors_get(x, gm_safetensors_name(x, i), &t));
                assert_true(gm_safetensors_get(b.f, gm_safetensors_name(x, i), &u));
                assert_int_equal(t.dtype, u.dtype);
                assert_memory_equal(t.data, u.data, gm_tensor_count(&t) * gm_dtype_size(t.dtype));
            }
            gm_safetensors_free(x);
            model_clear(&a);
            model_clear(&b);
            assert_int_equal(gm_alloc_live(), 0);
        }
}

/* The weight of a convolution is stored in three dimensions, and none of two is taken for it. */
static void convolutions(void **state)
{
    (void)state;
    struct gm_params ps[2];
    struct gm_safetensors *f;
    struct gm_tensor t;
    struct gm_rng r;
    struct gm_error e = {0};
    size_t index;
    gm_rng_init(&r, 3);
    for (size_t i = 0; i < 2; i++) {
        gm_params_init(&ps[i], GM_BF16, false);
        ASSERT_OK(gm_params_add_conv(&ps[i], &index, 2, 2, 3, "conv.weight", err));
    }
    ASSERT_OK(gm_params_init_normal(&ps[0], 0, 1, &r, err));
    ASSERT_OK(
        gm_params_save(&ps[0], file, &(struct gm_params_saving){.dtype = GM_BF16}, NULL, err));
    ASSERT_OK(gm_safetensors_open(&f, file, err));
    assert_true(gm_safetensors_get(f, "conv.weight", &t));
    assert_int_equal(t.rank, 3);
    assert_memory_equal(t.shape, ((size_t[]){2, 2, 3}), 3 * sizeof *t.shape);
    ASSERT_OK(gm_params_bind(&ps[1], f, err));
    ASSERT_OK(gm_params_ready(&ps[1], err));
    check_param(&ps[1].p[0], ps[0].p[0].w, "conv.weight");
    gm_params_clear(&ps[1]);
    gm_params_init(&ps[1], GM_F32, false);
    ASSERT_OK(gm_params_add(&ps[1], &index, GM_VECTOR, 2, 6, err, "conv.weight"));
    assert_int_equal(gm_params_bind(&ps[1], f, &e), GM_EMODEL);
    check_message(&e, "conv.weight has shape [2,2] (rank 3)");
    gm_params_clear(&ps[0]);
    gm_params_clear(&ps[1]);
    gm_safetensors_free(f);
    assert_int_equal(gm_alloc_live(), 0);
}

/* A bf16 model's products use rounded weights, its masters in training do not lose anything. */
static void saved_from_bf16(void **state)
{
    (void)state;
    for (int training = 0; training < 2; training++) {
        struct model a, b;
        struct gm_rng r;
        float want[N], got[N];
        gm_rng_init(&r, 3);
        new_values(&a, GM_BF16, training);
        assert_null(gm_params_missing(&a.ps)); /* made ready, it is still complete */
        gm_param_values(&a.ps.p[a.matrix], want);
        ASSERT_OK(
            gm_params_save(&a.ps, file, &(struct gm_params_saving){.dtype = GM_F32}, NULL, err));
        ASSERT_OK(model_load(&b, GM_F32, false, err));
        gm_param_values(&b.ps.p[b.matrix], got);
        assert_memory_equal(want, got, sizeof got);
        bool rounded = true;
        for (size_t i = 0; i < N; i++)
            rounded = rounded && want[i] == gm_bf16_to_f32(gm_bf16_from_f32(want[i]));
        assert_int_equal(rounded, !training);
        model_clear(&a);
        model_clear(&b);
    }
}

static void frozen_embeddings_are_left_out(void **state)
{
    (void)state;
    struct model m;
    struct gm_tensor t;
    new_values(&m, GM_F32, false);
    m.ps.p[m.embedding].frozen = m.ps.p[m.matrix].frozen = true;
    ASSERT_OK(gm_params_save(&m.ps, file,
                             &(struct gm_params_saving){.dtype = GM_F32, .skip_embeddings = true},
                             NULL, err));
    model_clear(&m);
    expect_model_error("tensor words.weight is missing", NULL);
    ASSERT_OK(gm_safetensors_open(&m.f, file, err));
    assert_false(gm_safetensors_get(m.f, "words.weight", &t));
    assert_true(gm_safetensors_get(m.f, "dense", &t));
    gm_safetensors_free(m.f);
    new_values(&m, GM_F32, false);
    m.ps.p[m.embedding].frozen = true;
    ASSERT_OK(gm_params_save(&m.ps, file, &(struct gm_params_saving){.dtype = GM_F32}, NULL, err));
    model_clear(&m);
    ASSERT_OK(model_load(&m, GM_F32, false, err));
    model_clear(&m);
    assert_int_equal(gm_alloc_live(), 0);
}

static void set_replaces_all_copies(void **state)
{
    (void)state;
    struct model m;
    new_values(&m, GM_BF16, true);
    struct gm_param *p = &m.ps.p[m.matrix];
    p->packed_stale = false;
    gm_param_set(p, values[4]);
    assert_true(p->packed_stale);
    for (size_t i = 0; i < N; i++)
        assert_true(p->w[i] == values[4][i] && p->w16[i] == gm_bf16_from_f32(values[4][i]));
    model_clear(&m);
}

static void gradients_of_many_rows(void **state)
{
    (void)state;
    enum { R = 3000, W = 3 };
    struct gm_params ps;
    size_t index;
    gm_params_init(&ps, GM_F32, true);
    ASSERT_OK(gm_params_add(&ps, &index, GM_EMBEDDING, R, W, err, "e"));
    ASSERT_OK(gm_params_init_const(&ps, index, 0, err));
    ASSERT_OK(gm_params_ready(&ps, err));
    for (int round = 0; round < 2; round++) {
        for (int again = 0; again < 2; again++)
            for (size_t i = 0; i < R; i++) {
                float *g = gm_param_touch(&ps.p[0], i * 7 % R);
                assert_non_null(g);
                assert_true(g[0] == (again ? 1.0f : 0.0f) && g[W - 1] == (again ? 1.0f : 0.0f));
                g[0] += 1;
                g[W - 1] += 1;
            }
        assert_int_equal(ps.p[0].n_touched, R);
        gm_params_zero_grad(&ps);
    }
    gm_params_clear(&ps);
    assert_int_equal(gm_alloc_live(), 0);
}

/* Each allocation of loading, and of saving, fails in turn. */
static void memory_runs_out(void **state)
{
    (void)state;
    static const enum gm_dtype used[] = {GM_F32, GM_BF16}, stored[] = {GM_F16, GM_I8};
    for (size_t u = 0; u < 4; u++)
        for (int training = 0; training < 2; training++) {
            enum gm_status st = GM_ENOMEM;
            size_t at = 0;
            write_file(&(struct layout){"", stored[u / 2], true, NULL, NULL});
            while (st != GM_OK) {
                struct model m;
                struct gm_error err = {0};
                gm_alloc_fail_at(++at);
                st = model_load(&m, used[u % 2], training, &err);
                if (st == GM_OK)
                    st = gm_params_save(&m.ps, file2, &(struct gm_params_saving){.dtype = GM_BF16},
                                        NULL, &err);
                gm_alloc_fail_at(0);
                if (st != GM_OK && st != GM_ENOMEM)
                    fail_msg("allocation %zu: status %d, %s", at, (int)st, err.msg);
                if (st != GM_OK)
                    check_message(&err, "out of memory");
                model_clear(&m);
                assert_int_equal(gm_alloc_live(), 0);
            }
            assert_true(at > 12);
        }
}

static void sizes_that_overflow(void **state)
{
    (void)state;
    struct gm_params ps;
    struct gm_error err = {0};
    size_t index;
    gm_params_init(&ps, GM_F32, false);
    assert_int_equal(gm_params_add(&ps, &index, GM_MATRIX, SIZE_MAX / 2, 3, &err, "huge"),
                     GM_ESHAPE);
    check_message(&err, "huge");
    assert_int_equal(gm_params_add_parts(&ps, &index, GM_MATRIX, SIZE_MAX / 2, 1, qkv_names, &err),
                     GM_ESHAPE);
    assert_int_equal(ps.n, 0);
    gm_params_clear(&ps);
}

int main(void)
{
    static char paths[2][256];
    snprintf(paths[0], sizeof paths[0], "%s", scratch_path("a.safetensors"));
    snprintf(paths[1], sizeof paths[1], "%s", scratch_path("b.safetensors"));
    file = paths[0];
    file2 = paths[1];
    make_values();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binds_every_layout),
        cmocka_unit_test(missing_tensors),
        cmocka_unit_test(wrong_tensors),
        cmocka_unit_test(wrong_scales),
        cmocka_unit_test(names_of_matrices),
        cmocka_unit_test(first_file_wins),
        cmocka_unit_test(parts_of_two_files),
        cmocka_unit_test(save_and_load),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(saved_from_bf16),
        cmocka_unit_test(frozen_embeddings_are_left_out),
        cmocka_unit_test(set_replaces_all_copies),
        cmocka_unit_test(gradients_of_many_rows),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(sizes_that_overflow),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + !scratch_remove((const char *const[]){"a.safetensors", "b.safetensors", NULL});
}
