/* The encoder against transformers on a tiny random model of each family: states and the gradients of
 * every parameter (tests/ref/encoder_reference.py made the expected values); configurations. */
#include "nn/encoder.h"

#include "base/file.h"

#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const dirs[] = {"tests/golden/tiny-bert",
                                   "tests/golden/tiny-xlm-roberta",
                                   "tests/golden/tiny-distilbert",
                                   "tests/golden/tiny-electra",
                                   "tests/golden/tiny-mpnet",
                                   "tests/golden/tiny-deberta-v2",
                                   "tests/golden/tiny-deberta-v2-conv",
                                   "tests/golden/tiny-modernbert"};

struct fixture {
    struct gm_safetensors *weights, *expected;
    struct gm_engine *engine;
    struct gm_params params;
    struct gm_encoder enc;
    struct gm_graph g;
    struct gm_batch batch;
    uint32_t ids[64], positions[64], offsets[8];
};

static struct gm_tensor expected(const struct fixture *f, const char *name)
{
    struct gm_tensor t;
    assert_true(gm_safetensors_get(f->expected, name, &t));
    return t;
}

static void open_model(struct fixture *f, const char *dir, enum gm_dtype dtype)
{
    char path[256];
    struct gm_error err;
    struct gm_encoder_config c;
    memset(f, 0, sizeof *f);
    snprintf(path, sizeof path, "%s/config.json", dir);
    assert_int_equal(gm_encoder_config_load(&c, path, &err), GM_OK);
    c.hidden_dropout = c.attention_dropout = 0;
    snprintf(path, sizeof path, "%s/expected.safetensors", dir);
    assert_int_equal(gm_safetensors_open_dir(&f->weights, dir, &err), GM_OK);
    assert_int_equal(gm_safetensors_open(&f->expected, path, &err), GM_OK);
    gm_params_init(&f->params, dtype, true);
    assert_int_equal(gm_encoder_init(&f->enc, &c, &f->params, NULL, 0, &err), GM_OK);
    assert_int_equal(gm_params_bind(&f->params, f->weights, &err), GM_OK);
    assert_int_equal(gm_params_ready(&f->params, &err), GM_OK);
    assert_int_equal(gm_engine_new(&f->engine, &err), GM_OK);
    assert_int_equal(gm_graph_init(&f->g, f->engine, &f->params, 1 << 26, &err), GM_OK);
    struct gm_tensor ids = expected(f, "ids"), offsets = expected(f, "offsets");
    f->batch = (struct gm_batch){.n_tokens = ids.shape[0],
                                 .n_seqs = offsets.shape[0] - 1,
                                 .ids = f->ids,
                                 .positions = f->positions,
                                 .offsets = f->offsets};
    memcpy(f->ids, ids.data, ids.shape[0] * 4);
    memcpy(f->offsets, offsets.data, offsets.shape[0] * 4);
    for (size_t s = 0; s < f->batch.n_seqs; s++)
        for (uint32_t i = f->offsets[s]; i < f->offsets[s + 1]; i++)
            f->positions[i] = i - f->offsets[s];
}

static void close_model(struct fixture *f)
{
    gm_graph_clear(&f->g);
    gm_params_clear(&f->params);
    gm_engine_free(f->engine);
    gm_safetensors_free(f->weights);
    gm_safetensors_free(f->expected);
    assert_int_equal(gm_alloc_live(), 0);
}

static void assert_close(const float *a, const float *b, size_t n, double atol, double rtol,
                         const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= atol + rtol * fabs((double)b[i])))
            fail_msg("%s[%zu]: %g, expected %g", what, i, (double)a[i], (double)b[i]);
}

static struct gm_var *forward(struct fixture *f, bool training)
{
    struct gm_error err;
    struct gm_var *hidden = NULL;
    gm_graph_begin(&f->g, training, 1);
    assert_int_equal(gm_encoder_forward(&f->enc, &f->g, &f->batch, &hidden, &err), GM_OK);
    return hidden;
}

static void states_agree(void **state)
{
    (void)state;
    struct fixture f;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        open_model(&f, dirs[i], GM_F32);
        for (int training = 0; training < 2; training++) {
            struct gm_var *hidden = forward(&f, training);
            struct gm_tensor t = expected(&f, "hidden");
            assert_int_equal(hidden->cols, t.shape[1]);
            assert_close(hidden->x, t.data, gm_tensor_count(&t), 2e-6, 1e-5, "hidden");
        }
        close_model(&f);
    }
}

static void check_gradients(struct fixture *f, double atol, double rtol)
{
    struct gm_error err;
    struct gm_var *hidden = forward(f, true);
    struct gm_tensor probe = expected(f, "probe");
    assert_int_equal(gm_graph_grad(&f->g, hidden, &err), GM_OK);
    memset(hidden->d, 0, hidden->rows * hidden->cols * gm_dtype_size(f->g.dtype));
    f->g.kn->from_f32(gm_tensor_count(&probe), probe.data, hidden->d);
    hidden->has_d = true;
    assert_int_equal(gm_graph_backward(&f->g, &err), GM_OK);
    for (size_t i = 0; i < f->params.n; i++) {
        const struct gm_param *p = &f->params.p[i];
        for (size_t k = 0; k < p->n_parts && !p->helper; k++) {
            char name[200];
            snprintf(name, sizeof name, "grad.%s", p->names[k]);
            struct gm_tensor t = expected(f, name);
            size_t n = gm_tensor_count(&t), width = p->shape[1];
            if (p->kind != GM_EMBEDDING) {
                assert_close(p->g + k * n, t.data, n, atol, rtol, name);
                continue;
            }
            static const float zero[64];
            for (size_t r = 0; r < p->shape[0]; r++)
                assert_close(p->slot[r] ? p->g + (p->slot[r] - 1) * width : zero,
                             (const float *)t.data + r * width, width, atol, rtol, name);
        }
    }
}

static void gradients_agree(void **state)
{
    (void)state;
    struct fixture f;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        open_model(&f, dirs[i], GM_F32);
        check_gradients(&f, 2e-5, 1e-4);
        close_model(&f);
    }
}

static void bf16_is_near(void **state)
{
    (void)state;
    struct fixture f;
    struct gm_precision p;
    if (gm_precision_pick("bf16", &p, NULL) != GM_OK) {
        skip_because("this CPU does not multiply bf16");
    }
    open_model(&f, dirs[0], GM_BF16);
    struct gm_var *hidden = forward(&f, true);
    struct gm_tensor e = expected(&f, "hidden");
    float values[26 * 20];
    f.g.kn->to_f32(26 * 20, hidden->x, values);
    assert_close(values, e.data, 26 * 20, 0.06, 0.02, "hidden");
    close_model(&f);
}

static void int8_is_near(void **state)
{
    (void)state;
    struct fixture f;
    struct gm_precision p;
    if (gm_precision_pick("int8", &p, NULL) != GM_OK) {
        skip_because("this CPU has no VNNI");
    }
    open_model(&f, dirs[0], GM_F32);
    f.params.int8 = true;
    struct gm_var *hidden = forward(&f, false);
    struct gm_tensor e = expected(&f, "hidden");
    assert_close(hidden->x, e.data, 26 * 20, 0.06, 0.02, "hidden");
    close_model(&f);
}

/* A model with one type does not care what types it is given: packed batches of two parts work. */
static void one_type(void **state)
{
    (void)state;
    struct fixture f;
    uint32_t types[64];
    for (size_t i = 0; i < 64; i++)
        types[i] = (uint32_t)i % 2;
    open_model(&f, dirs[1], GM_F32);
    f.batch.types = types;
    struct gm_var *hidden = forward(&f, false);
    struct gm_tensor t = expected(&f, "hidden");
    assert_close(hidden->x, t.data, gm_tensor_count(&t), 2e-6, 1e-5, "hidden");
    close_model(&f);
}

/* Positions count from 0 up to what the table has behind the padding id. */
static void positions_end(void **state)
{
    (void)state;
    struct fixture f;
    struct gm_error err;
    struct gm_var *hidden;
    open_model(&f, dirs[1], GM_F32);
    assert_int_equal(f.enc.config.position_offset, 2);
    assert_int_equal(f.enc.config.positions, 16);
    assert_int_equal(f.params.p[f.enc.position].shape[0], 18);
    f.positions[3] = 15;
    forward(&f, false);
    f.positions[3] = 16;
    gm_graph_begin(&f.g, false, 1);
    assert_int_equal(gm_encoder_forward(&f.enc, &f.g, &f.batch, &hidden, &err), GM_EARG);
    close_model(&f);
}

static void configs(void **state)
{
    static const char base[] =
        "{\"model_type\":\"roberta\",\"vocab_size\":9,\"hidden_size\":8,\"num_hidden_layers\":1,"
        "\"num_attention_heads\":2,\"intermediate_size\":8,\"max_position_embeddings\":514";
    static const struct {
        const char *more, *message; /* NULL = it loads */
    } cases[] = {
        {",\"pad_token_id\":1,\"position_embedding_type\":\"absolute\"}", NULL},
        {",\"pad_token_id\":null}", NULL},
        {",\"pad_token_id\":9}", "\"pad_token_id\" must be a whole number from 0 to 8"},
        {",\"hidden_act\":\"relu\"}", NULL},
        {",\"hidden_act\":\"mish\"}", "hidden_act \"mish\" is not supported (gelu, "},
        {",\"position_embedding_type\":\"relative_key\"}", "position_embedding_type"},
        {",\"is_decoder\":true}", "is_decoder true is not supported"},
        {",\"model_type\":\"deberta\"}", "model_type \"deberta\" is not supported; known: bert, "},
        {",\"max_position_embeddings\":9}", "from 10 to"},
        {",\"hidden_size\":4096}", NULL}, /* of two values for a key the last one counts */
        {",\"hidden_size\":4098}",
         "\"hidden_size\" must be a whole number from 1 to 4096, not 4098"},
        {",\"hidden_size\":0}", "from 1 to 4096, not 0"},
        {",\"model_type\":\"modernbert\",\"layer_types\":[\"full_attention\",\"full_attention\"]}",
         "layer_types has 2 entries for num_hidden_layers 1"},
        {",\"model_type\":\"deberta-v2\",\"conv_kernel_size\":4}", "conv_kernel_size 4 is not odd"},
        {",\"model_type\":\"deberta-v2\",\"conv_kernel_size\":3,\"conv_groups\":3}",
         "hidden_size 8 is no multiple of conv_groups 3"},
        {",\"model_type\":\"deberta-v2\",\"conv_kernel_size\":3,\"conv_act\":\"mish\"}",
         "conv_act \"mish\" is not supported"},
        {",\"model_type\":\"deberta-v2\",\"attention_head_size\":8}",
         "attention_head_size 8 is not supported (4 is)"},
        {",\"model_type\":\"modernbert\",\"head_dim\":8}", "head_dim 8 is not supported (4 is)"},
        {",\"hidden_size\":8.5}", "\"hidden_size\" must be a whole number from 1 to 4096"},
    };
    (void)state;
    char path[] = "/tmp/gm_test_config_XXXXXX", text[1024];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_encoder_config c;
        struct gm_error err;
        int n = snprintf(text, sizeof text, "%s%s", base, cases[i].more);
        assert_int_equal(gm_file_write(path, (struct gm_str){text, (size_t)n}, NULL), GM_OK);
        enum gm_status st = gm_encoder_config_load(&c, path, &err);
        if (cases[i].message) {
            assert_int_equal(st, GM_EMODEL);
            if (!strstr(err.msg, cases[i].message))
                fail_msg("case %zu: %s", i, err.msg);
        } else {
            if (st != GM_OK)
                fail_msg("case %zu: %s", i, err.msg);
            assert_int_equal(c.positions, 512);
            assert_int_equal(c.position_offset, 2);
        }
    }
    close(fd);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_agree), cmocka_unit_test(gradients_agree),
        cmocka_unit_test(bf16_is_near), cmocka_unit_test(int8_is_near),
        cmocka_unit_test(one_type),     cmocka_unit_test(positions_end),
        cmocka_unit_test(configs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
