/* Adapters against peft itself: tests/ref/lora_live.sh makes model, adapter and what is expected, and starts this
 * program as `test_lora_live BASE_DIR ADAPTER_DIR EXPECTED.safetensors`. The merged weights are those that peft's
 * merge_and_unload gives; where EXPECTED has states, too, they and the factors' gradients are compared. */
#include "model/adapter.h"
#include "nn/encoder.h"
#include "nn/ops.h"

#include <math.h>

#include "nn_check.h"

enum { ARENA_BYTES = 1 << 28 };
static const char *base_dir, *adapter_dir, *expected_path;

struct fixture {
    struct gm_arena arena;
    struct gm_adapter adapter;
    struct gm_safetensors *base, *factors, *expected;
    struct gm_params params;
    struct gm_encoder enc;
};

static void open_all(struct fixture *f, bool training)
{
    struct gm_encoder_config c;
    char path[4096];
    bool found;
    memset(f, 0, sizeof *f);
    gm_arena_init(&f->arena, 0);
    ASSERT_OK(gm_adapter_read(&f->adapter, adapter_dir, NULL, &f->arena, &found, err));
    assert_true(found);
    snprintf(path, sizeof path, "%s/config.json", base_dir);
    ASSERT_OK(gm_encoder_config_load(&c, path, err));
    c.hidden_dropout = c.attention_dropout = 0;
    snprintf(path, sizeof path, "%s/" GM_ADAPTER_WEIGHTS, adapter_dir);
    ASSERT_OK(gm_safetensors_open(&f->factors, path, err));
    ASSERT_OK(gm_safetensors_open_dir(&f->base, base_dir, err));
    ASSERT_OK(gm_safetensors_open(&f->expected, expected_path, err));
    gm_params_init(&f->params, GM_F32, training);
    ASSERT_OK(gm_encoder_init(&f->enc, &c, &f->params, NULL, 0, err));
}

static void close_all(struct fixture *f)
{
    gm_params_clear(&f->params);
    gm_safetensors_free(f->base);
    gm_safetensors_free(f->factors);
    gm_safetensors_free(f->expected);
    gm_arena_clear(&f->arena);
}

/* The largest difference of n numbers, as a share of the largest of them where that is beyond 1: gradients are
 * sums of terms of that size. */
static double largest(const float *have, const float *want, size_t n)
{
    double most = 0, size = 1;
    for (size_t i = 0; i < n; i++) {
        size = fmax(size, fabs((double)want[i]));
        most = fmax(most, fabs((double)have[i] - (double)want[i]));
    }
    return most / size;
}

/* The parts of a parameter that EXPECTED has as `kind`.NAME; how many, and the largest difference. */
static size_t compare(const struct fixture *f, const struct gm_param *p, const char *kind,
                      const float *have, double *most)
{
    size_t n = 0, part = p->n / p->n_parts;
    for (size_t k = 0; k < p->n_parts; k++) {
        char name[400];
        struct gm_tensor t;
        snprintf(name, sizeof name, "%s.%s", kind, p->names[k]);
        if (!gm_safetensors_get(f->expected, name, &t))
            continue;
        assert_int_equal(gm_tensor_count(&t), part);
        *most = fmax(*most, largest(have + k * part, t.data, part));
        n++;
    }
    return n;
}

static size_t count(const struct gm_safetensors *f, const char *start)
{
    size_t n = 0;
    for (size_t i = 0; i < gm_safetensors_count(f); i++)
        n += gm_str_starts(gm_str(gm_safetensors_name(f, i)), gm_str(start));
    return n;
}

static void merged_weights_agree(void **state)
{
    (void)state;
    struct fixture f;
    double most = 0;
    size_t n = 0, n_matrices = 0;
    open_all(&f, false);
    ASSERT_OK(gm_params_bind(&f.params, f.factors, err)); /* what was trained whole */
    ASSERT_OK(gm_params_bind(&f.params, f.base, err));
    ASSERT_OK(gm_lora_merge(&f.params, f.factors, &f.adapter.lora, err));
    for (size_t i = 0; i < f.params.n; i++) {
        const struct gm_param *p = &f.params.p[i];
        float *w = gm_alloc(p->n, sizeof *w);
        assert_non_null(w);
        gm_param_values(p, w);
        n_matrices += p->kind == GM_MATRIX ? p->n_parts : 0;
        size_t have = compare(&f, p, "merged", w, &most);
        n += p->kind == GM_MATRIX ? have : 0;
        gm_free(w);
    }
    printf("merged: %zu matrices, largest difference %.2g\n", n, most);
    assert_int_equal(n, n_matrices);
    assert_true(n > 0 && most <= 1e-6);
    close_all(&f);
}

/* Only layers that the file has adapters of get some: those whose tensors are missing are dropped. */
static void add_adapters(struct fixture *f)
{
    char targets[1 << 14] = "";
    size_t at = 0;
    for (size_t i = 0; i < gm_safetensors_count(f->factors); i++) {
        const char *name = gm_safetensors_name(f->factors, i), *end = strstr(name, ".lora_A");
        if (end)
            at += (size_t)snprintf(targets + at, sizeof targets - at, "%.*s,",
                                   (int)(end - name - (int)strlen(GM_ADAPTER_PREFIX)),
                                   name + strlen(GM_ADAPTER_PREFIX));
    }
    assert_true(at < sizeof targets);
    f->adapter.lora.targets = targets;
    ASSERT_OK(gm_lora_add(&f->params, &f->adapter.lora, err));
    ASSERT_OK(gm_params_bind(&f->params, f->factors, err));
    ASSERT_OK(gm_params_bind(&f->params, f->base, err));
    ASSERT_OK(gm_lora_check(&f->params, f->factors, f->adapter.lora.rank, err));
    for (size_t i = 0; i < f->params.n; i++)
        f->params.p[i].frozen = !strstr(f->params.p[i].names[0], ".lora_");
    ASSERT_OK(gm_params_ready(&f->params, err));
}

static void states_and_gradients_agree(void **state)
{
    (void)state;
    struct fixture f;
    struct gm_tensor hidden, probe, ids, offsets;
    open_all(&f, true);
    if (!gm_safetensors_get(f.expected, "hidden", &hidden)) {
        close_all(&f);
        skip_because("%s has no states", expected_path);
    }
    assert_true(gm_safetensors_get(f.expected, "probe", &probe));
    assert_true(gm_safetensors_get(f.expected, "ids", &ids));
    assert_true(gm_safetensors_get(f.expected, "offsets", &offsets));
    add_adapters(&f);
    uint32_t positions[64];
    const uint32_t *from = offsets.data;
    struct gm_batch batch = {.n_tokens = ids.shape[0],
                             .n_seqs = offsets.shape[0] - 1,
                             .ids = ids.data,
                             .positions = positions,
                             .offsets = from};
    assert_true(batch.n_tokens <= 64);
    for (size_t s = 0; s < batch.n_seqs; s++)
        for (uint32_t i = from[s]; i < from[s + 1]; i++)
            positions[i] = i - from[s];
    struct gm_engine *engine;
    struct gm_graph g;
    struct gm_var *out;
    ASSERT_OK(gm_engine_new(&engine, err));
    ASSERT_OK(gm_graph_init(&g, engine, &f.params, ARENA_BYTES, err));
    gm_graph_begin(&g, true, 1);
    ASSERT_OK(gm_encoder_forward(&f.enc, &g, &batch, &out, err));
    size_t n = gm_tensor_count(&hidden);
    double most = largest(out->x, hidden.data, n), most_grad = 0;
    ASSERT_OK(gm_graph_grad(&g, out, err));
    memset(out->d, 0, out->rows * out->cols * sizeof(float));
    memcpy(out->d, probe.data, n * sizeof(float));
    out->has_d = true;
    ASSERT_OK(gm_graph_backward(&g, err));
    n = 0;
    for (size_t i = 0; i < f.params.n; i++)
        if (!f.params.p[i].frozen) {
            assert_true(f.params.p[i].has_g);
            n += compare(&f, &f.params.p[i], "grad", f.params.p[i].g, &most_grad);
        }
    printf("states: largest difference %.2g; %zu gradients: %.2g\n", most, n, most_grad);
    assert_true(most <= 1e-4 && most_grad <= 1e-4);
    assert_int_equal(n, count(f.expected, "grad."));
    gm_graph_clear(&g);
    gm_engine_free(engine);
    close_all(&f);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    base_dir = argv[1];
    adapter_dir = argv[2];
    expected_path = argv[3];
    const struct CMUnitTest tests[] = {cmocka_unit_test(merged_weights_agree),
                                       cmocka_unit_test(states_and_gradients_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
