/* Weights that are NaN or infinite, in every type and at every place: found, and named with file,
 * tensor and element. */
#include "nn/finite.h"
#include "nn/graph.h"
#include "nn/ops.h"

#include "nn_check.h"

enum { N = 4096 * 2 + 5 };

static void put(enum gm_dtype t, void *data, size_t i, uint32_t bits)
{
    uint16_t half = (uint16_t)bits;
    if (t == GM_F32)
        memcpy((char *)data + 4 * i, &bits, 4);
    else
        memcpy((char *)data + 2 * i, &half, 2);
}

static void every_type_and_place(void **state)
{
    (void)state;
    static const struct {
        enum gm_dtype t;
        uint32_t good[4], bad[4]; /* the largest and the smallest numbers; NaN and infinity */
    } cases[] = {
        {GM_F32,
         {0x7F7FFFFF, 0xFF7FFFFF, 1, 0x80000000},
         {0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001}},
        {GM_BF16, {0x7F7F, 0xFF7F, 1, 0x8000}, {0x7F80, 0xFF80, 0x7FC0, 0xFF81}},
        {GM_F16, {0x7BFF, 0xFBFF, 1, 0x8000}, {0x7C00, 0xFC00, 0x7E00, 0xFC01}},
    };
    static const size_t places[] = {0, 1, 7, 8, 31, 4095, 4096, 4097, 8191, 8192, N - 1};
    static uint32_t data[N];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct gm_tensor t = {cases[c].t, 1, {N}, data};
        for (size_t i = 0; i < N; i++)
            put(t.dtype, data, i, cases[c].good[i % 4]);
        assert_true(gm_tensor_not_finite(&t, 0, N) == SIZE_MAX);
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            size_t at = places[i];
            put(t.dtype, data, at, cases[c].bad[i % 4]);
            put(t.dtype, data, N - 1, cases[c].bad[0]);
            assert_int_equal(gm_tensor_not_finite(&t, 0, N), at);
            assert_int_equal(gm_tensor_not_finite(&t, at, N - at), at);
            assert_true(gm_tensor_not_finite(&t, 0, at) == SIZE_MAX);
            put(t.dtype, data, at, cases[c].good[0]);
            put(t.dtype, data, N - 1, cases[c].good[0]);
        }
    }
    memset(data, 0xFF, sizeof data);
    struct gm_tensor bytes = {GM_I8, 1, {N}, data};
    assert_true(gm_tensor_not_finite(&bytes, 0, N) == SIZE_MAX);
}

/* A model of an embedding, a matrix in three tensors and a vector; one element is bad. */
struct model {
    struct gm_params ps;
    struct gm_safetensors *f;
    size_t words, qkv, bias;
};

static float tensors[5][12];

static void model_load(struct model *m, const char *path, bool adjacent)
{
    static const char *const apart[] = {"words", "k", "q", "bias", "v"};
    static const char *const whole[] = {"words", "q", "k", "v", "bias"};
    const char *const *names = adjacent ? whole : apart;
    struct gm_tensor t[5];
    for (size_t i = 0; i < 5; i++) {
        size_t k = strcmp(names[i], "words") == 0 ? 0
                   : strcmp(names[i], "bias") == 0
                       ? 4
                       : (size_t)(strchr("qkv", names[i][0]) - "qkv") + 1;
        t[i] = (struct gm_tensor){.dtype = GM_F32, .rank = 2, .shape = {4, 3}, .data = tensors[k]};
        if (k == 4)
            t[i] = (struct gm_tensor){GM_F32, 1, {12}, tensors[4]};
    }
    ASSERT_OK(gm_safetensors_write(path, t, names, 5, NULL, err));
    *m = (struct model){.f = NULL};
    gm_params_init(&m->ps, GM_F32, false);
    ASSERT_OK(gm_params_add(&m->ps, &m->words, GM_EMBEDDING, 4, 3, err, "words"));
    ASSERT_OK(gm_params_add_parts(&m->ps, &m->qkv, GM_MATRIX, 4, 3,
                                  (const char *const[3]){"q", "k", "v"}, err));
    ASSERT_OK(gm_params_add(&m->ps, &m->bias, GM_VECTOR, 12, 0, err, "bias"));
    ASSERT_OK(gm_safetensors_open(&m->f, path, err));
    ASSERT_OK(gm_params_bind(&m->ps, m->f, err));
}

static void model_clear(struct model *m)
{
    gm_params_clear(&m->ps);
    gm_safetensors_free(m->f);
}

static void tensors_are_named(void **state)
{
    (void)state;
    static const char *const names[] = {"words", "q", "k", "v", "bias"};
    char path[256], want[400];
    snprintf(path, sizeof path, "%s", scratch_path("a.safetensors"));
    for (size_t k = 0; k < 5; k++)
        for (int adjacent = 0; adjacent < 2; adjacent++) {
            struct gm_error fault = {0};
            struct model m;
            tensors[k][7] = k % 2 ? NAN : -INFINITY;
            model_load(&m, path, adjacent);
            snprintf(want, sizeof want, "%s: tensor %s: element 7 is %s", path, names[k],
                     k % 2 ? "nan" : "-inf");
            assert_int_equal(gm_params_check_finite(&m.ps, true, &fault), GM_EMODEL);
            check_message(&fault, want);
            /* A table of embeddings is looked at by the rows that are read. */
            assert_int_equal(gm_params_check_finite(&m.ps, false, NULL), k ? GM_EMODEL : GM_OK);
            ASSERT_OK(gm_param_check_row(&m.ps.p[m.words], 1, err));
            assert_int_equal(gm_param_check_row(&m.ps.p[m.words], 2, &fault),
                             k ? GM_OK : GM_EMODEL);
            tensors[k][7] = 0;
            model_clear(&m);
        }
    struct model m;
    model_load(&m, path, true);
    ASSERT_OK(gm_params_check_finite(&m.ps, true, err));
    model_clear(&m);
}

/* The embedding's operation refuses a row that is not finite when it is read, and only then. */
static void rows_that_are_read(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s", scratch_path("a.safetensors"));
    struct gm_engine *engine;
    struct gm_graph g;
    struct gm_var *y;
    struct model m;
    tensors[0][7] = INFINITY;
    model_load(&m, path, true);
    tensors[0][7] = 0;
    ASSERT_OK(gm_params_ready(&m.ps, err));
    ASSERT_OK(gm_engine_new(&engine, err));
    ASSERT_OK(gm_graph_init(&g, engine, &m.ps, (size_t)1 << 24, err));
    for (uint32_t bad = 0; bad < 2; bad++) {
        uint32_t ids[50] = {0};
        ids[41] = bad ? 2 : 3;
        const struct gm_embed_input in = {m.words, ids};
        struct gm_error fault = {0};
        gm_graph_begin(&g, false, 1);
        assert_int_equal(gm_op_embed(&g, &in, 1, 50, &y, &fault), bad ? GM_EMODEL : GM_OK);
        if (bad)
            check_message(&fault, "tensor words: element 7 is inf");
    }
    gm_graph_clear(&g);
    gm_engine_free(engine);
    model_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_place),
        cmocka_unit_test(tensors_are_named),
        cmocka_unit_test(rows_that_are_read),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + !scratch_remove((const char *const[]){"a.safetensors", NULL});
}
