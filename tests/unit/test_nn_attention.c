/* Attention of one head of one sequence, for every table of kernels, against the plain loops of its
 * formula in double (naive_attention); memory behind each output and the columns of other heads must
 * stay as they were. */
#include "kernel_check.h"

struct shape {
    size_t len, dim;
};

/* p = softmax(scale q k'), o = (p * mask) v, in double; p and mask are [key, query]. */
static void naive_attention(const struct gm_attention *a, const double *qkv, const double *mask,
                            double *p, double *o)
{
    for (size_t i = 0; i < a->len; i++) {
        double row[70], top = -INFINITY, sum = 0;
        for (size_t j = 0; j < a->len; j++) {
            row[j] = 0;
            for (size_t c = 0; c < a->dim; c++)
                row[j] += qkv[i * a->qkv_stride + c] * qkv[j * a->qkv_stride + a->k_at + c] *
                          (double)a->scale;
            top = row[j] > top ? row[j] : top;
        }
        for (size_t j = 0; j < a->len; j++)
            sum += row[j] = exp(row[j] - top);
        for (size_t j = 0; j < a->len; j++)
            p[j * a->len + i] = row[j] / sum;
        for (size_t c = 0; c < a->dim; c++) {
            o[i * a->dim + c] = 0;
            for (size_t j = 0; j < a->len; j++)
                o[i * a->dim + c] +=
                    p[j * a->len + i] * mask[j * a->len + i] * qkv[j * a->qkv_stride + a->v_at + c];
        }
    }
}

/* d_qkv [len, qkv_stride] from the probabilities as stored. */
static void naive_attention_back(const struct gm_attention *a, const double *qkv, const double *p,
                                 const double *mask, const struct block *d_o, double *d)
{
    static double ds[MAX_N];
    size_t n = a->len, w = a->qkv_stride;
    memset(d, 0, n * w * sizeof *d);
    for (size_t i = 0; i < n; i++) {
        double dot = 0;
        for (size_t j = 0; j < n; j++) {
            double dp = 0, m = mask[j * n + i];
            for (size_t c = 0; c < a->dim; c++) {
                double go = d_o->v[i * a->out_stride + c];
                dp += go * qkv[j * w + a->v_at + c] * m;
                d[j * w + a->v_at + c] += go * p[j * n + i] * m;
            }
            ds[i * n + j] = dp;
            dot += dp * p[j * n + i];
        }
        for (size_t j = 0; j < n; j++)
            for (size_t c = 0; c < a->dim; c++) {
                double s = p[j * n + i] * (ds[i * n + j] - dot) * (double)a->scale;
                d[i * w + c] += s * qkv[j * w + a->k_at + c];
                d[j * w + a->k_at + c] += s * qkv[i * w + c];
            }
    }
}

static void attention_at(struct shape s, double p_drop, double std)
{
    static double mask[MAX_N], p[MAX_N], o[MAX_N], d[MAX_N];
    static struct block qkv, out, probs, d_out, d_qkv;
    /* The head lies between others: q of `dim` columns, 3 columns of somebody else, and so on. */
    struct gm_attention a = {.len = s.len,
                             .dim = s.dim,
                             .qkv_stride = 3 * (s.dim + 3),
                             .k_at = s.dim + 3,
                             .v_at = 2 * (s.dim + 3),
                             .out_stride = s.dim + 3,
                             .scale = (float)(1 / sqrt((double)s.dim)),
                             .drop = {.scale = 1}};
    if (p_drop > 0)
        a.drop =
            (struct gm_dropout){31, (uint32_t)(p_drop * 4294967296.0), (float)(1 / (1 - p_drop))};
    struct gm_rng r;
    gm_rng_init(&r, s.len * 100 + s.dim);
    fill(&qkv, s.len * a.qkv_stride, &r, std);
    fill(&d_out, s.len * a.out_stride, &r, 1);
    fill(&out, 0, &r, 0);
    fill(&probs, 0, &r, 0);
    fill(&d_qkv, 0, &r, 0);
    size_t n = kn->attention_scratch(s.len, s.dim);
    float *scratch = gm_alloc_aligned(n + 16, sizeof *scratch);
    assert_non_null(scratch);
    memset(scratch, 0xA5, (n + 16) * sizeof *scratch); /* as NaN-like garbage as memory may hold */
    mask_of(s.len * s.len, &a.drop, mask);
    naive_attention(&a, qkv.v, mask, p, o);
    kn->attention(&a, qkv.x, out.x, probs.x, scratch);
    check_block(&probs, p, s.len * s.len, 1e-6 * (1 + std), 1e-5 * (1 + std), "probs");
    for (size_t i = 0; i < s.len; i++)
        for (size_t c = 0; c < s.dim; c++)
            check_near(element(&out, i * a.out_stride + c), o[i * s.dim + c], 1e-5 * (1 + std),
                       1e-5 * (1 + std) + var->eps, "attention", i * s.dim + c);
    static struct block again;
    fill(&again, 0, &r, 0);
    kn->attention(&a, qkv.x, again.x, NULL, scratch);
    assert_memory_equal(out.x, again.x, sizeof out.x);

    for (size_t i = 0; i < s.len * s.len; i++)
        p[i] = element(&probs, i); /* backward starts from what was stored */
    naive_attention_back(&a, qkv.v, p, mask, &d_out, d);
    memset(scratch, 0xA5, (n + 16) * sizeof *scratch);
    kn->attention_back(&a, qkv.x, probs.x, d_out.x, d_qkv.x, scratch);
    for (size_t i = 0; i < s.len; i++)
        for (size_t c = 0; c < a.qkv_stride; c++) {
            size_t at = i * a.qkv_stride + c;
            if (c % (s.dim + 3) < s.dim)
                check_near(element(&d_qkv, at), d[at], 2e-5 * (1 + std),
                           1e-5 * (1 + std) + var->eps, "d_qkv", at);
            else /* the neighbour's columns */
                for (size_t b = 0; b < width_of(); b++)
                    assert_int_equal(d_qkv.x[at * width_of() + b], 0xA5);
        }
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(((unsigned char *)(scratch + n))[4 * i], 0xA5);
    gm_free(scratch);
}

static void attention(void **state)
{
    (void)state;
    static const size_t dims[] = {4, 8, 12, 32, 64};
    for (size_t len = 1; len <= 70; len += len < 20 ? 1 : 5)
        for (size_t k = 0; k < 5; k++)
            attention_at((struct shape){len, dims[k]}, len % 3 ? 0.25 : 0, 1);
    for (size_t len = 1; len <= 33; len += 8)
        attention_at((struct shape){len, 12}, 0, 12); /* sharp: nearly all weight on one key */
    assert_int_equal(gm_alloc_live(), 0);
}
int main(void)
{
    static const struct kernel_test each[] = {{"attention", attention}};
    static struct CMUnitTest tests[KERNEL_TESTS];
    size_t n = kernel_tests(each, 1, tests);
    return run_group("attention", tests, n, NULL, NULL);
}
