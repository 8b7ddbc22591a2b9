/* Every operation's gradient against central differences through the tape, in f32: towards its
 * inputs, its parameters, and where a variable has several users. Dropout is on where an operation
 * has it: the seed of a step fixes the mask. */
#include "nn/lora.h"
#include "nn/ops.h"

#include "base/parallel.h"

#include "nn_check.h"

enum { MAX_IN = 4096, ROWS = 37 /* padded to 48: more than one thread's chunk */ };

struct bench {
    struct gm_engine *engine;
    struct gm_params params;
    struct gm_graph g;
    size_t n_rows, cols; /* of the input */
    float input[MAX_IN]; /* [n_rows, cols] */
    float probe[MAX_IN]; /* the loss is the sum of output * probe */
    float probe_head[MAX_IN];
    float d_input[MAX_IN]; /* after a backward run */
    const struct op_case *c;
    size_t live; /* blocks of memory before */
};

/* What a case's forward function makes; a NULL var or head is not part of the loss. */
struct outputs {
    struct gm_var *y;
    size_t n_y; /* rows of y that count */
    float *head, *d_head;
    size_t n_head;
};

struct op_case {
    const char *name;
    size_t rows, cols;
    void (*params)(struct bench *b);
    enum gm_status (*forward)(struct bench *b, struct gm_var *x, struct outputs *o,
                              struct gm_error *err);
};

static void add_param(struct bench *b, enum gm_param_kind kind, size_t rows, size_t cols,
                      uint64_t seed)
{
    size_t index;
    struct gm_rng r;
    gm_rng_init(&r, seed);
    ASSERT_OK(gm_params_add(&b->params, &index, kind, rows, cols, err, "p%zu", b->params.n));
    ASSERT_OK(gm_params_init_normal(&b->params, index, 0.6, &r, err));
}

/* The loss of a step; with `back` also its gradients. Padding rows of the input hold a number that
 * must not matter. */
static double step(struct bench *b, bool back)
{
    struct gm_var *x;
    struct outputs o = {0};
    double loss = 0;
    gm_graph_begin(&b->g, true, 99);
    size_t rows = gm_rows_bucket(b->n_rows);
    ASSERT_OK(gm_graph_var(&b->g, &x, rows, b->cols, err));
    float *in = x->x;
    memcpy(in, b->input, b->n_rows * b->cols * sizeof *in);
    for (size_t i = b->n_rows * b->cols; i < rows * b->cols; i++)
        in[i] = 0.25f;
    ASSERT_OK(b->c->forward(b, x, &o, err));
    size_t n = o.y ? o.n_y * o.y->cols : 0;
    for (size_t i = 0; i < n; i++)
        loss += (double)((float *)o.y->x)[i] * (double)b->probe[i];
    for (size_t i = 0; i < o.n_head; i++)
        loss += (double)o.head[i] * (double)b->probe_head[i];
    if (!back)
        return loss;
    gm_params_zero_grad(&b->params);
    if (o.y) {
        ASSERT_OK(gm_graph_grad(&b->g, o.y, err));
        memset(o.y->d, 0, o.y->rows * o.y->cols * sizeof(float));
        memcpy(o.y->d, b->probe, n * sizeof(float));
        o.y->has_d = true;
    }
    for (size_t i = 0; i < o.n_head; i++)
        o.d_head[i] = b->probe_head[i];
    ASSERT_OK(gm_graph_backward(&b->g, err));
    if (!x->has_d)
        return loss; /* the operation has no variable as input */
    memcpy(b->d_input, x->d, b->n_rows * b->cols * sizeof *in);
    for (size_t i = b->n_rows * b->cols; i < rows * b->cols; i++)
        check_near((double)((float *)x->d)[i], 0, 0, 0, "gradient of padding", i);
    return loss;
}

/* Difference quotient over one number; packed copies of weights are renewed. */
static double slope(struct bench *b, float *at)
{
    const float h = 0x1p-7f, keep = *at;
    double loss[2];
    for (int k = 0; k < 2; k++) {
        *at = k ? keep - h : keep + h;
        for (size_t i = 0; i < b->params.n; i++)
            b->params.p[i].packed_stale = true;
        loss[k] = step(b, false);
    }
    *at = keep;
    return (loss[0] - loss[1]) / (2 * (double)h);
}

static void check_param(struct bench *b, size_t index)
{
    struct gm_param *p = &b->params.p[index];
    float grad[2048] = {0};
    char what[64];
    if (p->frozen)
        return;
    assert_true(p->n <= 2048);
    for (size_t i = 0; i < p->n; i++)
        if (p->kind != GM_EMBEDDING)
            grad[i] = p->has_g ? p->g[i] : 0;
        else if (p->slot[i / p->shape[1]])
            grad[i] = p->g[(p->slot[i / p->shape[1]] - 1) * p->shape[1] + i % p->shape[1]];
    snprintf(what, sizeof what, "%s: %s", b->c->name, p->names[0]);
    for (size_t i = 0; i < p->n; i++)
        check_near((double)grad[i], slope(b, &p->w[i]), 4e-3, 4e-3, what, i);
}

static void bench_open(struct bench *b, const struct op_case *c)
{
    struct gm_rng r;
    *b = (struct bench){.n_rows = c->rows, .cols = c->cols, .c = c, .live = gm_alloc_live()};
    assert_true(c->rows * c->cols <= MAX_IN);
    gm_rng_init(&r, 3);
    fill_normal(&r, b->input, MAX_IN, 1);
    fill_normal(&r, b->probe, MAX_IN, 1);
    fill_normal(&r, b->probe_head, MAX_IN, 1);
    gm_params_init(&b->params, GM_F32, true);
    c->params(b);
    ASSERT_OK(gm_params_ready(&b->params, err));
    ASSERT_OK(gm_engine_new(&b->engine, err));
    ASSERT_OK(gm_graph_init(&b->g, b->engine, &b->params, 1 << 24, err));
}

static void bench_close(struct bench *b)
{
    gm_graph_clear(&b->g);
    gm_params_clear(&b->params);
    gm_engine_free(b->engine);
    assert_int_equal(gm_alloc_live(), b->live);
}

static void check_case(const struct op_case *c)
{
    static struct bench b;
    bench_open(&b, c);
    double loss = step(&b, true);
    /* The same seed gives the same masks; summed twice, nothing may depend on what was there. */
    check_near(step(&b, true), loss, 0, 0, c->name, 0);
    /* A sample of the large inputs: an odd stride meets all rows and columns. */
    for (size_t n = c->rows * c->cols, i = 0; i<n; i += n> 300 ? 5 : 1)
        check_near((double)b.d_input[i], slope(&b, &b.input[i]), 4e-3, 4e-3, c->name, i);
    step(&b, true);
    for (size_t i = 0; i < b.params.n; i++)
        check_param(&b, i);
    bench_close(&b);
}

/* ---- the cases ---- */

#define GM_RETURN_IF(call)           \
    do {                             \
        enum gm_status st_ = (call); \
        if (st_ != GM_OK)            \
            return st_;              \
    } while (0)

#define FORWARD(name)                                                                \
    static enum gm_status name(struct bench *b, struct gm_var *x, struct outputs *o, \
                               struct gm_error *err)

static const uint32_t ids[2][ROWS] = {
    {0, 3, 3, 1, 0, 3, 4, 4, 3, 0, 1, 1, 1, 3, 0, 0, 4, 3, 1,
     0, 3, 3, 1, 0, 3, 4, 4, 3, 0, 1, 1, 1, 3, 0, 0, 4, 3},
    {1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1, 1,
     0, 1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1},
};

static void embed_params(struct bench *b)
{
    add_param(b, GM_EMBEDDING, 6, 5, 1); /* rows 2 and 5 are never asked for */
    add_param(b, GM_EMBEDDING, 2, 5, 2);
    add_param(b, GM_EMBEDDING, 3, 5, 3); /* only its row 0, by ids NULL */
}

FORWARD(embed_forward)
{
    (void)x;
    o->n_y = ROWS;
    return gm_op_embed(&b->g, (const struct gm_embed_input[]){{0, ids[0]}, {1, ids[1]}, {2, NULL}},
                       3, ROWS, &o->y, err);
}

static void linear_params(struct bench *b)
{
    add_param(b, GM_MATRIX, 7, 5, 1);
    add_param(b, GM_VECTOR, 7, 0, 2);
}

FORWARD(linear_forward)
{
    o->n_y = b->n_rows;
    return gm_op_linear(&b->g, x, 0, 1, &o->y, err);
}

/* Of a frozen matrix in three parts the first and the last have adapters, B not zero. */
static void lora_params(struct bench *b)
{
    static const char *const names[GM_PARAM_PARTS] = {"l.q.weight", "l.k.weight", "l.v.weight"};
    const struct gm_lora_opts o = {.rank = 2, .alpha = 3, .dropout = 0.3, .targets = "q, v"};
    struct gm_rng r;
    size_t w;
    gm_rng_init(&r, 1);
    ASSERT_OK(gm_params_add_parts(&b->params, &w, GM_MATRIX, 4, 5, names, err));
    ASSERT_OK(gm_params_init_normal(&b->params, w, 0.6, &r, err));
    add_param(b, GM_VECTOR, 12, 0, 2);
    ASSERT_OK(gm_lora_add(&b->params, &o, err));
    b->params.p[w].frozen = true;
    assert_int_equal(b->params.n, 5);
    for (size_t i = 2; i < b->params.n; i++)
        ASSERT_OK(gm_params_init_normal(&b->params, i, 0.6, &r, err));
}

static void norm_params(struct bench *b)
{
    add_param(b, GM_VECTOR, 9, 0, 1);
    add_param(b, GM_VECTOR, 9, 0, 2);
}

FORWARD(norm_forward)
{
    o->n_y = b->n_rows;
    return gm_op_layernorm(&b->g, x, NULL, 0.3, 0, 1, 1e-5, &o->y, err);
}

/* x is both what is dropped out and the residual. */
FORWARD(norm_residual_forward)
{
    o->n_y = b->n_rows;
    return gm_op_layernorm(&b->g, x, x, 0.3, 0, 1, 1e-5, &o->y, err);
}

static void no_params(struct bench *b) { (void)b; }

#define ACTIVATION(name, f)                             \
    FORWARD(name)                                       \
    {                                                   \
        o->n_y = b->n_rows;                             \
        return gm_op_activate(&b->g, x, f, &o->y, err); \
    }
ACTIVATION(gelu_forward, GM_GELU)
ACTIVATION(gelu_tanh_forward, GM_GELU_TANH)
ACTIVATION(quick_gelu_forward, GM_QUICK_GELU)
ACTIVATION(silu_forward, GM_SILU)
ACTIVATION(tanh_forward, GM_TANH)

FORWARD(gated_forward)
{
    o->n_y = b->n_rows;
    return gm_op_gated(&b->g, x, GM_GELU, &o->y, err);
}

/* x through an activation, and x itself. */
FORWARD(add_forward)
{
    struct gm_var *a;
    GM_RETURN_IF(gm_op_activate(&b->g, x, GM_SILU, &a, err));
    o->n_y = b->n_rows;
    return gm_op_add(&b->g, a, x, 0.3, &o->y, err);
}

FORWARD(dropout_forward)
{
    o->n_y = b->n_rows;
    return gm_op_dropout(&b->g, x, 0.4, &o->y, err);
}

static const uint32_t sequences[] = {0, 5, 5, 6, 23, ROWS}; /* one of them empty */

#define attention_of(x)           \
    ((struct gm_attention_input){ \
        .qkv = x, .offsets = sequences, .n_seqs = 5, .heads = 2, .drop_p = 0.2})

FORWARD(attention_forward)
{
    o->n_y = ROWS;
    return gm_op_attention(&b->g, &attention_of(x), &o->y, err);
}

/* Distances of up to 17 tokens, in four rows. */
static const uint32_t distance_row[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1,
                                        2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3};

static void table_params(struct bench *b) { add_param(b, GM_VECTOR, 4, 2, 1); }

FORWARD(attention_table)
{
    struct gm_distance_bias bias = {
        .row = distance_row, .row_max = 17, .has_table = true, .table = 0, .window = 9};
    struct gm_attention_input in = attention_of(x);
    in.bias = &bias;
    o->n_y = ROWS;
    return gm_op_attention(&b->g, &in, &o->y, err);
}

static void vectors_params(struct bench *b)
{
    add_param(b, GM_EMBEDDING, 4, 6, 1);
    add_param(b, GM_MATRIX, 18, 6, 2);
    add_param(b, GM_VECTOR, 18, 0, 3);
}

/* Vectors of distances, shared by both terms and through one projection, as in DeBERTa. */
FORWARD(attention_vectors)
{
    static const uint32_t all[] = {0, 1, 2, 3};
    struct gm_distance_bias bias = {.row = distance_row, .row_max = 17, .rel_k_at = 6};
    struct gm_attention_input in = attention_of(x);
    struct gm_var *rel;
    GM_RETURN_IF(gm_op_embed(&b->g, &(struct gm_embed_input){0, all}, 1, 4, &rel, err));
    GM_RETURN_IF(gm_op_linear(&b->g, rel, 1, 2, &rel, err));
    bias.rel_k = bias.rel_q = rel;
    in.bias = &bias;
    in.scale = 0.3f;
    o->n_y = ROWS;
    return gm_op_attention(&b->g, &in, &o->y, err);
}

FORWARD(rotated)
{
    struct gm_angles *angles;
    GM_RETURN_IF(gm_op_angles(&b->g, gm_longest_sequence(sequences, 5), x->cols / 3 / 2 / 2, 10,
                              &angles, err));
    GM_RETURN_IF(gm_op_rotate(&b->g, x, sequences, 5, 2, angles, err));
    o->n_y = ROWS;
    return gm_op_attention(&b->g, &attention_of(x), &o->y, err);
}

static void conv_param(struct bench *b, size_t out, size_t in, size_t kernel)
{
    size_t index;
    struct gm_rng r;
    gm_rng_init(&r, 1);
    ASSERT_OK(gm_params_add_conv(&b->params, &index, out, in, kernel, "p0", err));
    ASSERT_OK(gm_params_init_normal(&b->params, index, 0.6, &r, err));
    add_param(b, GM_VECTOR, out, 0, 2);
}

static void conv_params(struct bench *b) { conv_param(b, 7, 5, 3); }
static void conv_group_params(struct bench *b) { conv_param(b, 6, 2, 5); }

FORWARD(conv_forward)
{
    o->n_y = ROWS;
    return gm_op_conv(&b->g, x, sequences, 5,
                      x->cols / (b->params.p[0].shape[1] / b->params.p[0].kernel), 0, 1, &o->y,
                      err);
}

static const uint32_t begins[] = {0, 2, 2, 0, 20, 36}, ends[] = {1, 7, 3, 37, 25, 37};

FORWARD(mean_forward)
{
    o->n_y = 6;
    return gm_op_mean_rows(&b->g, x, begins, ends, 6, &o->y, err);
}

static void head_params(struct bench *b)
{
    add_param(b, GM_VECTOR, 3, 6, 1);
    add_param(b, GM_VECTOR, 3, 0, 2);
}

FORWARD(head_forward)
{
    o->n_head = ROWS * 3;
    return gm_op_head(&b->g, x, ROWS, 0, 1, &o->head, &o->d_head, err);
}

/* ---- variables with several users, in both orders of recording ---- */

static void square_params(struct bench *b)
{
    add_param(b, GM_VECTOR, 6, 0, 1);
    add_param(b, GM_VECTOR, 6, 0, 2);
    add_param(b, GM_MATRIX, 6, 6, 3);
    add_param(b, GM_VECTOR, 6, 0, 4);
    add_param(b, GM_VECTOR, 3, 6, 5);
    add_param(b, GM_VECTOR, 3, 0, 6);
}

/* y = LN(op(x) + x): the layer norm reaches x before op does. */
static enum gm_status residual_of(struct bench *b, struct gm_var *a, struct gm_var *x,
                                  struct outputs *o, struct gm_error *err)
{
    o->n_y = b->n_rows;
    return gm_op_layernorm(&b->g, a, x, 0.1, 0, 1, 1e-5, &o->y, err);
}

FORWARD(gelu_shared)
{
    struct gm_var *a;
    GM_RETURN_IF(gm_op_activate(&b->g, x, GM_GELU, &a, err));
    return residual_of(b, a, x, o, err);
}

FORWARD(linear_shared)
{
    struct gm_var *a;
    GM_RETURN_IF(gm_op_linear(&b->g, x, 2, 3, &a, err));
    return residual_of(b, a, x, o, err);
}

/* One weight used twice, one input used three times. */
FORWARD(linear_twice)
{
    struct gm_var *a, *c;
    GM_RETURN_IF(gm_op_linear(&b->g, x, 2, 3, &a, err));
    GM_RETURN_IF(gm_op_linear(&b->g, a, 2, 3, &c, err));
    GM_RETURN_IF(residual_of(b, c, a, o, err));
    return residual_of(b, o->y, x, o, err);
}

FORWARD(dropout_shared)
{
    struct gm_var *a;
    GM_RETURN_IF(gm_op_dropout(&b->g, x, 0.4, &a, err));
    return residual_of(b, a, x, o, err);
}

FORWARD(mean_shared)
{
    static const uint32_t from[ROWS] = {0, 0, 1, 2, 3, 4, 5},
                          to[ROWS] = {1, 3, 2, 9, 4, 6, 37, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                      1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct gm_var *a;
    GM_RETURN_IF(gm_op_mean_rows(&b->g, x, from, to, ROWS, &a, err));
    return residual_of(b, a, x, o, err);
}

FORWARD(head_shared)
{
    struct gm_var *a;
    GM_RETURN_IF(gm_op_head(&b->g, x, 20, 4, 5, &o->head, &o->d_head, err));
    o->n_head = 20 * 3;
    GM_RETURN_IF(gm_op_activate(&b->g, x, GM_GELU, &a, err));
    return residual_of(b, a, x, o, err);
}

FORWARD(head_after)
{
    struct gm_var *a;
    GM_RETURN_IF(gm_op_activate(&b->g, x, GM_GELU, &a, err));
    GM_RETURN_IF(residual_of(b, a, x, o, err));
    o->n_head = 20 * 3;
    return gm_op_head(&b->g, x, 20, 4, 5, &o->head, &o->d_head, err);
}

static void attention_shared_params(struct bench *b)
{
    add_param(b, GM_VECTOR, 4, 0, 1);
    add_param(b, GM_VECTOR, 4, 0, 2);
    add_param(b, GM_MATRIX, 4, 12, 3);
    add_param(b, GM_VECTOR, 4, 0, 4);
}

FORWARD(attention_shared)
{
    struct gm_var *a, *c;
    GM_RETURN_IF(gm_op_attention(&b->g, &attention_of(x), &a, err));
    GM_RETURN_IF(gm_op_linear(&b->g, x, 2, 3, &c, err));
    return residual_of(b, a, c, o, err);
}

static const struct op_case cases[] = {
    {"embed", 1, 1, embed_params, embed_forward},
    {"linear", ROWS, 5, linear_params, linear_forward},
    {"linear, packed weights", 70, 5, linear_params, linear_forward},
    {"layernorm", ROWS, 9, norm_params, norm_forward},
    {"layernorm, residual", ROWS, 9, norm_params, norm_residual_forward},
    {"gelu", ROWS, 5, no_params, gelu_forward},
    {"dropout", ROWS, 5, no_params, dropout_forward},
    {"attention", ROWS, 18, no_params, attention_forward},
    {"mean of rows", ROWS, 5, no_params, mean_forward},
    {"head", ROWS, 6, head_params, head_forward},
    {"gelu, shared input", ROWS, 6, square_params, gelu_shared},
    {"linear, shared input", ROWS, 6, square_params, linear_shared},
    {"linear, shared weight", ROWS, 6, square_params, linear_twice},
    {"dropout, shared input", ROWS, 6, square_params, dropout_shared},
    {"mean of rows, shared input", ROWS, 6, square_params, mean_shared},
    {"head, shared input", ROWS, 6, square_params, head_shared},
    {"head first to reach its input", ROWS, 6, square_params, head_after},
    {"attention, shared input", ROWS, 12, attention_shared_params, attention_shared},
    {"gelu, tanh", ROWS, 5, no_params, gelu_tanh_forward},
    {"quick gelu", ROWS, 5, no_params, quick_gelu_forward},
    {"silu", ROWS, 5, no_params, silu_forward},
    {"tanh", ROWS, 5, no_params, tanh_forward},
    {"gated", ROWS, 10, no_params, gated_forward},
    {"add", ROWS, 5, no_params, add_forward},
    {"attention, table of distances", ROWS, 18, table_params, attention_table},
    {"attention, vectors of distances", ROWS, 18, vectors_params, attention_vectors},
    {"attention, rotated", ROWS, 24, no_params, rotated},
    {"convolution", ROWS, 5, conv_params, conv_forward},
    {"convolution, groups", ROWS, 4, conv_group_params, conv_forward},
    {"adapters", ROWS, 5, lora_params, linear_forward},
    {"adapters, packed weights", 70, 5, lora_params, linear_forward},
};

static void gradients(void **state) { check_case(*state); }

/* ---- what differences do not show ---- */

static void embeddings_touch_their_rows_only(void **state)
{
    (void)state;
    static struct bench b;
    bench_open(&b, &cases[0]);
    step(&b, true);
    const struct gm_param *p = b.params.p;
    assert_int_equal(p[0].n_touched, 4);
    assert_int_equal(p[1].n_touched, 2);
    assert_int_equal(p[2].n_touched, 1);
    assert_true(p[0].slot[2] == 0 && p[0].slot[5] == 0 && p[2].slot[1] == 0);
    for (size_t i = 0; i < p[0].n_touched; i++)
        assert_int_equal(p[0].slot[p[0].touched[i]], i + 1);
    gm_params_zero_grad(&b.params);
    for (size_t r = 0; r < 6; r++)
        assert_int_equal(p[0].slot[r], 0);
    assert_int_equal(p[0].n_touched, 0);
    bench_close(&b);
}

/* Gradients of two steps add up until they are cleared. */
static void gradients_accumulate(void **state)
{
    (void)state;
    static struct bench b;
    float once[35];
    bench_open(&b, &cases[1]);
    step(&b, true);
    memcpy(once, b.params.p[0].g, sizeof once);
    struct gm_var *x;
    struct outputs o = {0};
    gm_graph_begin(&b.g, true, 99); /* the second step, without clearing */
    ASSERT_OK(gm_graph_var(&b.g, &x, gm_rows_bucket(ROWS), 5, err));
    memset(x->x, 0, x->rows * 5 * sizeof(float));
    memcpy(x->x, b.input, ROWS * 5 * sizeof(float));
    ASSERT_OK(b.c->forward(&b, x, &o, err));
    ASSERT_OK(gm_graph_grad(&b.g, o.y, err));
    memset(o.y->d, 0, o.y->rows * 7 * sizeof(float));
    memcpy(o.y->d, b.probe, ROWS * 7 * sizeof(float));
    o.y->has_d = true;
    ASSERT_OK(gm_graph_backward(&b.g, err));
    for (size_t i = 0; i < 35; i++)
        check_near((double)b.params.p[0].g[i], 2 * (double)once[i], 1e-5, 1e-5, "sum of two steps",
                   i);
    bench_close(&b);
}

/* A frozen parameter has no gradient memory: nothing is written, what flows through it is the same. */
static void frozen_parameters_pass_gradients_on(void **state)
{
    (void)state;
    static const size_t which[] = {0, 1, 3, 9};
    static struct bench b;
    static float want[MAX_IN];
    for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
        const struct op_case *c = &cases[which[i]];
        bench_open(&b, c);
        step(&b, true);
        memcpy(want, b.d_input, sizeof want);
        bench_close(&b);
        b = (struct bench){.n_rows = c->rows, .cols = c->cols, .c = c, .live = gm_alloc_live()};
        struct gm_rng r;
        gm_rng_init(&r, 3);
        fill_normal(&r, b.input, MAX_IN, 1);
        fill_normal(&r, b.probe, MAX_IN, 1);
        fill_normal(&r, b.probe_head, MAX_IN, 1);
        gm_params_init(&b.params, GM_F32, true);
        c->params(&b);
        for (size_t k = 0; k < b.params.n; k++)
            b.params.p[k].frozen = true;
        ASSERT_OK(gm_params_ready(&b.params, err));
        ASSERT_OK(gm_engine_new(&b.engine, err));
        ASSERT_OK(gm_graph_init(&b.g, b.engine, &b.params, 1 << 24, err));
        step(&b, true);
        assert_memory_equal(want, b.d_input, sizeof want);
        for (size_t k = 0; k < b.params.n; k++)
            assert_true(!b.params.p[k].g && !b.params.p[k].has_g && !b.params.p[k].n_touched);
        bench_close(&b);
    }
}

static void no_dropout_in_prediction(void **state)
{
    (void)state;
    static struct bench b;
    struct gm_var *x, *y;
    float *out, *d_out;
    bench_open(&b, &cases[9]);
    gm_graph_begin(&b.g, false, 1);
    ASSERT_OK(gm_graph_var(&b.g, &x, 48, 6, err));
    memset(x->x, 0, 48 * 6 * sizeof(float));
    ASSERT_OK(gm_op_dropout(&b.g, x, 0.9, &y, err));
    assert_ptr_equal(x, y);
    ASSERT_OK(gm_op_head(&b.g, x, ROWS, 0, 1, &out, &d_out, err));
    assert_null(d_out);
    for (size_t i = 0; i < ROWS * 3; i++)
        check_near((double)out[i], (double)b.params.p[1].w[i % 3], 1e-7, 0, "bias", i);
    bench_close(&b);
}

/* A bound on activations that is too small: NOMEM from every operation, said with how to mend it. */
static void activations_out_of_memory(void **state)
{
    (void)state;
    static struct bench b;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_error e = {0};
        struct outputs o = {0};
        struct gm_var *x;
        bench_open(&b, &cases[i]);
        gm_graph_begin(&b.g, true, 99);
        ASSERT_OK(gm_graph_var(&b.g, &x, gm_rows_bucket(b.n_rows), b.cols, err));
        memset(x->x, 0, x->rows * x->cols * sizeof(float));
        while (gm_workspace_alloc(b.g.ws, 1, 1 << 12))
            ;
        while (gm_workspace_alloc(b.g.ws, 1, 64))
            ;
        assert_int_equal(b.c->forward(&b, x, &o, &e), GM_ENOMEM);
        check_message(&e, "--batch-tokens");
        bench_close(&b);
    }
}

int main(void)
{
    enum { N = sizeof cases / sizeof *cases };
    gm_threads_set(2);
    struct CMUnitTest tests[N + 5];
    for (size_t i = 0; i < N; i++)
        tests[i] =
            (struct CMUnitTest){cases[i].name, gradients, NULL, NULL, (void *)(uintptr_t)&cases[i]};
    const struct CMUnitTest more[] = {
        cmocka_unit_test(embeddings_touch_their_rows_only),
        cmocka_unit_test(gradients_accumulate),
        cmocka_unit_test(frozen_parameters_pass_gradients_on),
        cmocka_unit_test(no_dropout_in_prediction),
        cmocka_unit_test(activations_out_of_memory),
    };
    memcpy(tests + N, more, sizeof more);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
