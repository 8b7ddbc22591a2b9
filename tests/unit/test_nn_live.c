/* The encoder against transformers itself on a real model: tests/ref/encoder_live.sh makes the
 * expected states and starts this program as `test_nn_live MODEL_DIR EXPECTED.safetensors`. */
#include "nn/encoder.h"

#include "nn_check.h"

enum { ARENA_BYTES = 1 << 29 }; /* eight sequences, the longest of 512 */
static const double TOLERANCE = 1e-4;

static const char *model_dir, *expected_path;

struct fixture {
    struct gm_safetensors *weights, *expected;
    struct gm_engine *engine;
    struct gm_params params;
    struct gm_encoder enc;
    struct gm_graph g;
    struct gm_batch batch;
    uint32_t *positions;
};

static struct gm_tensor expected(const struct fixture *f, const char *name)
{
    struct gm_tensor t;
    if (!gm_safetensors_get(f->expected, name, &t))
        fail_msg("%s: no tensor %s", expected_path, name);
    return t;
}

static void open_batch(struct fixture *f)
{
    struct gm_tensor ids = expected(f, "ids"), offsets = expected(f, "offsets");
    const uint32_t *from = offsets.data;
    f->positions = gm_alloc(ids.shape[0], sizeof *f->positions);
    assert_non_null(f->positions);
    f->batch = (struct gm_batch){.n_tokens = ids.shape[0],
                                 .n_seqs = offsets.shape[0] - 1,
                                 .ids = ids.data,
                                 .positions = f->positions,
                                 .offsets = from};
    for (size_t s = 0; s < f->batch.n_seqs; s++)
        for (uint32_t i = from[s]; i < from[s + 1]; i++)
            f->positions[i] = i - from[s];
}

static void open_model(struct fixture *f)
{
    struct gm_encoder_config c;
    char path[4096];
    memset(f, 0, sizeof *f);
    snprintf(path, sizeof path, "%s/config.json", model_dir);
    ASSERT_OK(gm_encoder_config_load(&c, path, err));
    ASSERT_OK(gm_safetensors_open_dir(&f->weights, model_dir, err));
    ASSERT_OK(gm_safetensors_open(&f->expected, expected_path, err));
    gm_params_init(&f->params, GM_F32, false);
    ASSERT_OK(gm_encoder_init(&f->enc, &c, &f->params, NULL, 0, err));
    ASSERT_OK(gm_params_bind(&f->params, f->weights, err));
    ASSERT_OK(gm_params_ready(&f->params, err));
    ASSERT_OK(gm_engine_new(&f->engine, err));
    ASSERT_OK(gm_graph_init(&f->g, f->engine, &f->params, ARENA_BYTES, err));
    open_batch(f);
}

static void close_model(struct fixture *f)
{
    gm_graph_clear(&f->g);
    gm_params_clear(&f->params);
    gm_engine_free(f->engine);
    gm_safetensors_free(f->weights);
    gm_safetensors_free(f->expected);
    gm_free(f->positions);
    assert_int_equal(gm_alloc_live(), 0);
}

static void agrees_with_transformers(void **state)
{
    (void)state;
    struct fixture f;
    struct gm_var *hidden = NULL;
    double worst = 0;
    open_model(&f);
    gm_graph_begin(&f.g, false, 1);
    ASSERT_OK(gm_encoder_forward(&f.enc, &f.g, &f.batch, &hidden, err));
    struct gm_tensor t = expected(&f, "hidden");
    assert_true(hidden->rows >= t.shape[0]); /* padded to a bucket of rows */
    assert_int_equal(hidden->cols, t.shape[1]);
    const float *got = hidden->x, *want = t.data;
    for (size_t i = 0; i < gm_tensor_count(&t); i++) {
        check_near((double)got[i], (double)want[i], TOLERANCE, 0, "hidden", i);
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
    }
    print_message("%zu states of %zu pieces, largest difference %.2g\n", gm_tensor_count(&t),
                  f.batch.n_tokens, worst);
    close_model(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_transformers)};
    if (argc != 3) {
        fprintf(stderr, "usage: test_nn_live MODEL_DIR EXPECTED.safetensors\n");
        return 2;
    }
    model_dir = argv[1];
    expected_path = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
