/* Adapters: which layers get them, what merging gives beside the formula in f64, that a model with adapters
 * computes what the merged one does, and what is refused. */
#include "nn/lora.h"

#include "nn/ops.h"

#include <math.h>

#include "nn_check.h"

enum { OUT = 6, IN = 5, RANK = 3, ROWS = 40, PARTS = 3 };
static const char *const qkv[GM_PARAM_PARTS] = {"layer.0.q.weight", "layer.0.k.weight",
                                                "layer.0.v.weight"};
static char file[256]; /* in the scratch folder */

/* Matrices [3 OUT, IN] in three parts and [OUT, OUT], with biases. */
struct model {
    struct gm_params ps;
    size_t w[2], b[2];
};

static void model_open(struct model *m, bool training, uint64_t seed)
{
    struct gm_rng r;
    gm_rng_init(&r, seed);
    gm_params_init(&m->ps, GM_F32, training);
    ASSERT_OK(gm_params_add_parts(&m->ps, &m->w[0], GM_MATRIX, OUT, IN, qkv, err));
    ASSERT_OK(
        gm_params_add(&m->ps, &m->w[1], GM_MATRIX, OUT, OUT, err, "layer.0.out.dense.weight"));
    ASSERT_OK(gm_params_add(&m->ps, &m->b[0], GM_VECTOR, PARTS * OUT, 0, err, "b0"));
    ASSERT_OK(gm_params_add(&m->ps, &m->b[1], GM_VECTOR, OUT, 0, err, "b1"));
    for (size_t i = 0; i < m->ps.n; i++)
        ASSERT_OK(gm_params_init_normal(&m->ps, i, 0.5, &r, err));
}

static void add(struct model *m, const struct gm_lora_opts *o)
{
    struct gm_rng r;
    size_t n = m->ps.n;
    gm_rng_init(&r, 77);
    ASSERT_OK(gm_lora_add(&m->ps, o, err));
    for (size_t i = n; i < m->ps.n; i++)
        ASSERT_OK(gm_params_init_normal(&m->ps, i, 0.5, &r, err));
}

/* What the tensor of this name holds, and its shape. */
static const float *tensor(const struct gm_safetensors *f, const char *layer, const char *end)
{
    char name[200];
    struct gm_tensor t;
    snprintf(name, sizeof name, "base_model.model.%s.lora_%s.weight", layer, end);
    assert_true(gm_safetensors_get(f, name, &t));
    assert_int_equal(t.dtype, GM_F32);
    return t.data;
}

static void save(const struct model *m)
{
    const struct gm_params_saving how = {.trained_only = true, .prefix = "base_model.model."};
    ASSERT_OK(gm_params_save(&m->ps, file, &how, NULL, err));
}

static void freeze(struct model *m)
{
    for (size_t i = 0; i < 4; i++)
        m->ps.p[i].frozen = true;
}

/* The merged value of row i, column j of matrix `layer`, by the formula. */
static double merged(const struct gm_safetensors *f, const char *layer, float w, size_t in,
                     size_t i, size_t j, double scale)
{
    const float *a = tensor(f, layer, "A"), *b = tensor(f, layer, "B");
    double sum = 0;
    for (size_t r = 0; r < RANK; r++)
        sum += (double)b[i * RANK + r] * (double)a[r * in + j];
    return (double)w + scale * sum;
}

static void merging(void **state)
{
    (void)state;
    for (int stabilised = 0; stabilised < 2; stabilised++) {
        static const char *const layers[PARTS] = {"layer.0.q", "layer.0.k", "layer.0.v"};
        const struct gm_lora_opts o = {.rank = RANK, .alpha = 4, .rank_stabilised = stabilised};
        double scale = 4 / (stabilised ? sqrt(RANK) : RANK);
        struct gm_safetensors *f;
        struct model m, plain, to;
        model_open(&m, true, 5);
        add(&m, &o);
        freeze(&m);
        save(&m);
        ASSERT_OK(gm_safetensors_open(&f, file, err));
        assert_int_equal(gm_safetensors_count(f), 2 * (PARTS + 1)); /* nothing that is frozen */
        model_open(&plain, false, 5);
        model_open(&to, false, 5);
        ASSERT_OK(gm_lora_merge(
            &to.ps, f, &(struct gm_lora_opts){.alpha = 4, .rank_stabilised = stabilised}, err));
        for (size_t i = 0; i < PARTS * OUT; i++)
            for (size_t j = 0; j < IN; j++)
                check_near(
                    (double)to.ps.p[0].w[i * IN + j],
                    merged(f, layers[i / OUT], plain.ps.p[0].w[i * IN + j], IN, i % OUT, j, scale),
                    1e-6, 1e-6, "merged", i * IN + j);
        for (size_t i = 0; i < OUT * OUT; i++)
            check_near(
                (double)to.ps.p[1].w[i],
                merged(f, "layer.0.out.dense", plain.ps.p[1].w[i], OUT, i / OUT, i % OUT, scale),
                1e-6, 1e-6, "merged out", i);
        gm_safetensors_free(f);
        gm_params_clear(&m.ps);
        gm_params_clear(&plain.ps);
        gm_params_clear(&to.ps);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

/* y = W_out (W_qkv x)[:OUT], through the graph. */
static void run(struct model *m, const float *x, float *y)
{
    struct gm_engine *e;
    struct gm_graph g;
    struct gm_var *in, *mid, *first, *out;
    ASSERT_OK(gm_engine_new(&e, err));
    ASSERT_OK(gm_graph_init(&g, e, &m->ps, 1 << 22, err));
    gm_graph_begin(&g, false, 1);
    size_t rows = gm_rows_bucket(ROWS);
    ASSERT_OK(gm_graph_var(&g, &in, rows, IN, err));
    memset(in->x, 0, rows * IN * sizeof(float));
    memcpy(in->x, x, ROWS * IN * sizeof(float));
    ASSERT_OK(gm_op_linear(&g, in, m->w[0], m->b[0], &mid, err));
    ASSERT_OK(gm_graph_var(&g, &first, rows, OUT, err));
    for (size_t i = 0; i < rows; i++)
        memcpy((float *)first->x + i * OUT, (float *)mid->x + i * PARTS * OUT, OUT * sizeof(float));
    ASSERT_OK(gm_op_linear_activate(&g, first, m->w[1], m->b[1], GM_GELU, &out, err));
    memcpy(y, out->x, ROWS * OUT * sizeof(float));
    gm_graph_clear(&g);
    gm_engine_free(e);
}

static void computes_what_the_merged_model_does(void **state)
{
    (void)state;
    const struct gm_lora_opts o = {.rank = RANK, .alpha = 4};
    struct gm_safetensors *f;
    struct model m, to;
    struct gm_rng r;
    float x[ROWS * IN], y[2][ROWS * OUT];
    gm_rng_init(&r, 9);
    fill_normal(&r, x, ROWS * IN, 1);
    model_open(&m, true, 5);
    add(&m, &o);
    freeze(&m);
    save(&m);
    ASSERT_OK(gm_params_ready(&m.ps, err));
    run(&m, x, y[0]);
    ASSERT_OK(gm_safetensors_open(&f, file, err));
    model_open(&to, false, 5);
    ASSERT_OK(gm_lora_merge(&to.ps, f, &o, err));
    ASSERT_OK(gm_params_ready(&to.ps, err));
    run(&to, x, y[1]);
    for (size_t i = 0; i < ROWS * OUT; i++)
        check_near((double)y[0][i], (double)y[1][i], 1e-5, 1e-5, "state", i);
    gm_safetensors_free(f);
    gm_params_clear(&m.ps);
    gm_params_clear(&to.ps);
}

static void begins_as_peft_does(void **state)
{
    (void)state;
    const struct gm_lora_opts o = {.rank = RANK, .alpha = 4, .targets = "q, out.dense"};
    struct model m;
    float most = 0;
    model_open(&m, true, 5);
    ASSERT_OK(gm_lora_add(&m.ps, &o, err));
    ASSERT_OK(gm_lora_init(&m.ps, 1, err));
    const struct gm_lora *l = m.ps.p[m.w[0]].lora;
    assert_int_equal(l->n, 1);
    assert_string_equal(m.ps.p[l->a].names[0], "layer.0.q.lora_A.weight");
    assert_string_equal(m.ps.p[l->part[0].b].names[0], "layer.0.q.lora_B.weight");
    for (size_t i = 0; i < m.ps.p[l->part[0].b].n; i++)
        assert_true(m.ps.p[l->part[0].b].w[i] == 0);
    for (size_t i = 0; i < m.ps.p[l->a].n; i++)
        most = fmaxf(most, fabsf(m.ps.p[l->a].w[i]));
    assert_true(most <= 1 / sqrtf(IN) && most > 0.5f / sqrtf(IN));
    assert_non_null(m.ps.p[m.w[1]].lora);
    gm_params_clear(&m.ps);
}

static void unknown_targets(void **state)
{
    (void)state;
    struct gm_error err = {0};
    struct model m;
    model_open(&m, true, 5);
    /* The end of a name counts from a dot on: "ense" is no layer. */
    assert_int_equal(
        gm_lora_add(&m.ps, &(struct gm_lora_opts){.rank = 2, .targets = "q, ense"}, &err), GM_EARG);
    assert_non_null(strstr(err.msg, "\"ense\" (there are q, k, v, dense)"));
    gm_params_clear(&m.ps);
}

static void foreign_tensors(void **state)
{
    (void)state;
    static const float zeros[OUT * IN];
    static const char *const names[] = {"base_model.model.embeddings.lora_embedding_A",
                                        "base_model.model.layer.0.q.lora_magnitude_vector",
                                        "base_model.model.layer.7.q.lora_A.weight"};
    for (size_t i = 0; i < 3; i++) {
        struct gm_tensor t = {GM_F32, 2, {OUT, IN}, zeros};
        struct gm_safetensors *f;
        struct gm_error err = {0};
        struct model m;
        assert_int_equal(gm_safetensors_write(file, &t, &names[i], 1, NULL, &err), GM_OK);
        assert_int_equal(gm_safetensors_open(&f, file, &err), GM_OK);
        model_open(&m, false, 5);
        assert_int_equal(gm_lora_merge(&m.ps, f, &(struct gm_lora_opts){.alpha = 1}, &err),
                         GM_EMODEL);
        assert_non_null(strstr(err.msg, names[i]));
        gm_safetensors_free(f);
        gm_params_clear(&m.ps);
    }
    /* One factor without the other. */
    struct gm_tensor t = {GM_F32, 2, {2, IN}, zeros};
    const char *name = "base_model.model.layer.0.q.lora_A.weight";
    struct gm_safetensors *f;
    struct gm_error err = {0};
    struct model m;
    assert_int_equal(gm_safetensors_write(file, &t, &name, 1, NULL, &err), GM_OK);
    assert_int_equal(gm_safetensors_open(&f, file, &err), GM_OK);
    model_open(&m, false, 5);
    assert_int_equal(gm_lora_merge(&m.ps, f, &(struct gm_lora_opts){.alpha = 1}, &err), GM_EMODEL);
    assert_non_null(strstr(err.msg, "one of its two tensors is missing"));
    gm_safetensors_free(f);
    gm_params_clear(&m.ps);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging),
        cmocka_unit_test(computes_what_the_merged_model_does),
        cmocka_unit_test(begins_as_peft_does),
        cmocka_unit_test(unknown_targets),
        cmocka_unit_test(foreign_tensors),
    };
    snprintf(file, sizeof file, "%s", scratch_path("lora.safetensors"));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + !scratch_remove((const char *const[]){"lora.safetensors", NULL});
}
