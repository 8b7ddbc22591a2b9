/* A batch in parts, each on a lane of its own: the same gradients as in one go, the same bytes each
 * time, values that all lanes see, and the first error. */
#include "nn/lanes.h"
#include "nn/ops.h"
#include "nn/optim.h"

#include "base/parallel.h"

#include "nn_check.h"

enum { WORDS = 20, WIDTH = 32, OUT = 3, ROWS = 600, LANES = 3 };
enum { EMBEDDING, WEIGHT, BIAS, HEAD_W, HEAD_B };

struct model {
    struct gm_params params;
    struct gm_lanes lanes;
    uint32_t ids[ROWS];
    float target[ROWS * OUT], out[ROWS * OUT];
    size_t n_parts;
    bool training;
    size_t failing; /* part; SIZE_MAX = none */
};

static void open_model(struct model *m, bool training)
{
    struct gm_rng r;
    size_t index;
    gm_rng_init(&r, 5);
    gm_threads_set(LANES);
    *m = (struct model){.training = training, .failing = SIZE_MAX};
    struct gm_params *ps = &m->params;
    gm_params_init(ps, GM_F32, training);
    ASSERT_OK(gm_params_add(ps, &index, GM_EMBEDDING, WORDS, WIDTH, err, "embedding"));
    ASSERT_OK(gm_params_add(ps, &index, GM_MATRIX, WIDTH, WIDTH, err, "weight"));
    ASSERT_OK(gm_params_add(ps, &index, GM_VECTOR, WIDTH, 0, err, "bias"));
    ASSERT_OK(gm_params_add(ps, &index, GM_VECTOR, OUT, WIDTH, err, "head.weight"));
    ASSERT_OK(gm_params_add(ps, &index, GM_VECTOR, OUT, 0, err, "head.bias"));
    for (size_t i = 0; i < ps->n; i++)
        ASSERT_OK(gm_params_init_normal(ps, i, 0.2, &r, err));
    ASSERT_OK(gm_params_ready(ps, err));
    ASSERT_OK(gm_lanes_init(&m->lanes, ps, 1 << 24, err));
    assert_int_equal(m->lanes.n, LANES);
    for (size_t i = 0; i < ROWS; i++) /* the last words are in the last rows only */
        m->ids[i] = (uint32_t)(i * WORDS / ROWS);
    fill_normal(&r, m->target, ROWS * OUT, 1);
}

static void close_model(struct model *m)
{
    gm_lanes_clear(&m->lanes);
    gm_params_clear(&m->params);
    assert_int_equal(gm_alloc_live(), 0);
}

static enum gm_status one_part(void *self, struct gm_graph *g, size_t part, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct model *m = self;
    size_t from = ROWS * part / m->n_parts, n = ROWS * (part + 1) / m->n_parts - from;
    struct gm_var *x;
    float *out, *d_out;
    if (part == m->failing)
        return GM_FAIL(err, GM_EFORMAT, "part %zu fails", part);
    gm_graph_begin(g, m->training, 7 + part);
    GM_TRY(gm_op_embed(g, &(struct gm_embed_input){EMBEDDING, m->ids + from}, 1, n, &x, err));
    GM_TRY(gm_op_linear_activate(g, x, WEIGHT, BIAS, GM_GELU, &x, err));
    GM_TRY(gm_op_head(g, x, n, HEAD_W, HEAD_B, &out, &d_out, err));
    memcpy(m->out + from * OUT, out, n * OUT * sizeof *out);
    for (size_t i = 0; m->training && i < n * OUT; i++)
        d_out[i] = out[i] - m->target[from * OUT + i];
    if (m->training)
        st = gm_graph_backward(g, err);
done:
    return st;
}

static void run(struct model *m, size_t n_parts)
{
    m->n_parts = n_parts;
    ASSERT_OK(gm_lanes_run(&m->lanes, n_parts, one_part, m, err));
}

/* Element i of parameter k's gradient, of all lanes together. */
static double gradient(const struct model *m, size_t k, size_t i)
{
    double sum = 0;
    for (size_t lane = 0; lane < m->lanes.n; lane++) {
        const struct gm_param *p = &m->lanes.params[lane]->p[k];
        if (p->kind == GM_EMBEDDING && p->slot[i / WIDTH])
            sum += (double)p->g[(p->slot[i / WIDTH] - 1) * WIDTH + i % WIDTH];
        else if (p->kind != GM_EMBEDDING && p->has_g)
            sum += (double)p->g[i];
    }
    return sum;
}

static void parts_add_up(void **state)
{
    (void)state;
    static double want[HEAD_B + 1][WIDTH * WIDTH];
    struct model m;
    open_model(&m, true);
    for (size_t parts = 1; parts <= LANES; parts += LANES - 1) {
        run(&m, parts);
        for (size_t k = 0; k < m.params.n; k++)
            for (size_t i = 0; i < m.params.p[k].n; i++)
                if (parts == 1)
                    want[k][i] = gradient(&m, k, i);
                else
                    check_near(gradient(&m, k, i), want[k][i], 1e-4, 1e-4, m.params.p[k].names[0],
                               i);
        for (size_t lane = 0; lane < LANES; lane++) /* each part has its lane */
            assert_int_equal(m.lanes.params[lane]->p[WEIGHT].has_g, lane < parts);
        for (size_t lane = 0; lane < LANES; lane++)
            gm_params_zero_grad(m.lanes.params[lane]);
    }
    close_model(&m);
}

/* Steps of training by parts: the weights of steps by the sum, and the same bytes each time. */
static void steps_by_parts(void **state)
{
    (void)state;
    static float weights[2][WIDTH * WIDTH];
    struct gm_optim o = gm_optim_default();
    o.lr[0] = 0.01;
    for (int round = 0; round < 3; round++) {
        struct model m;
        open_model(&m, true);
        for (size_t t = 1; t <= 5; t++) {
            run(&m, round < 2 ? LANES : 1);
            ASSERT_OK(gm_optim_step(m.lanes.params, m.lanes.n, &o, t, NULL, err));
            for (size_t lane = 0; lane < LANES; lane++)
                for (size_t k = 0; k < m.params.n; k++)
                    assert_true(!m.lanes.params[lane]->p[k].has_g &&
                                !m.lanes.params[lane]->p[k].n_touched);
        }
        const float *w = m.params.p[WEIGHT].w;
        if (round < 2)
            memcpy(weights[round], w, sizeof weights[round]);
        for (size_t i = 0; round == 2 && i < WIDTH * WIDTH; i++)
            check_near((double)w[i], (double)weights[0][i], 1e-4, 1e-3, "weight", i);
        close_model(&m);
    }
    assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
}

/* More parts than lanes, after the values changed. */
static void prediction(void **state)
{
    (void)state;
    struct model m;
    float want[ROWS * OUT];
    open_model(&m, false);
    run(&m, 1);
    memcpy(want, m.out, sizeof want);
    memset(m.out, 0, sizeof m.out);
    run(&m, 11);
    for (size_t i = 0; i < ROWS * OUT; i++)
        check_near((double)m.out[i], (double)want[i], 1e-5, 1e-5, "out", i);
    close_model(&m);
}

static void new_values_reach_all_lanes(void **state)
{
    (void)state;
    struct model m;
    float zeros[WIDTH * WIDTH] = {0};
    open_model(&m, true);
    run(&m, LANES);
    gm_param_set(&m.params.p[WEIGHT], zeros);
    gm_param_set(&m.params.p[BIAS], zeros);
    run(&m, LANES);
    for (size_t i = 0; i < ROWS * OUT; i++) /* gelu(0) = 0 leaves the head's bias */
        check_near((double)m.out[i], (double)m.params.p[HEAD_B].w[i % OUT], 1e-6, 0, "out", i);
    close_model(&m);
}

static void an_error_comes_back(void **state)
{
    (void)state;
    struct model m;
    struct gm_error err;
    open_model(&m, false);
    for (size_t n = 2; n < 12; n += 3) {
        m.n_parts = n;
        m.failing = n - 1;
        assert_int_equal(gm_lanes_run(&m.lanes, n, one_part, &m, &err), GM_EFORMAT);
        assert_non_null(strstr(err.msg, "fails"));
        assert_int_equal(gm_lanes_run(&m.lanes, n, one_part, &m, NULL), GM_EFORMAT);
    }
    m.failing = SIZE_MAX; /* and does not stay */
    run(&m, 5);
    close_model(&m);
}

static void parts_for_rows(void **state)
{
    (void)state;
    struct model m;
    open_model(&m, true);
    assert_int_equal(gm_lanes_parts(&m.lanes, 100, true), 1);
    assert_int_equal(gm_lanes_parts(&m.lanes, 100, false), 1);
    assert_int_equal(gm_lanes_parts(&m.lanes, 100000, true), LANES);
    size_t n = gm_lanes_parts(&m.lanes, 100000, false);
    assert_true(n % LANES == 0 && n >= 100000 / 512);
    close_model(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_add_up),        cmocka_unit_test(steps_by_parts),
        cmocka_unit_test(prediction),          cmocka_unit_test(new_values_reach_all_lanes),
        cmocka_unit_test(an_error_comes_back), cmocka_unit_test(parts_for_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
