/* The CRF against enumeration of all paths, its gradient against differences, and its behaviour on
 * posts and scores far from ordinary. */
#include "nn/crf.h"
#include "nn/crf_moves.h"

#include "nn_check.h"

enum { MAX_K = 4, MAX_T = 5, MAX_PATHS = 1024 };

struct sample {
    struct gm_crf crf;
    size_t t;
    float trans[MAX_K * MAX_K], start[MAX_K], end[MAX_K], emit[MAX_T * MAX_K];
    uint8_t may[MAX_K * MAX_K], may_start[MAX_K], may_end[MAX_K];
};

/* All paths of a sample with their scores. */
struct paths {
    size_t n;
    uint16_t y[MAX_PATHS][MAX_T];
    double score[MAX_PATHS]; /* -INFINITY: not allowed */
    double log_z;
};

static double naive_score(const struct sample *s, const uint16_t *y)
{
    const struct gm_crf *c = &s->crf;
    double sum = (double)c->start[y[0]] + (double)c->end[y[s->t - 1]];
    bool ok = (!c->allowed_start || c->allowed_start[y[0]]) &&
              (!c->allowed_end || c->allowed_end[y[s->t - 1]]);
    for (size_t i = 0; i < s->t; i++) {
        sum += (double)s->emit[i * c->k + y[i]];
        if (i) {
            sum += (double)c->trans[y[i - 1] * c->k + y[i]];
            ok = ok && (!c->allowed || c->allowed[y[i - 1] * c->k + y[i]]);
        }
    }
    return ok ? sum : -INFINITY;
}

static void enumerate(const struct sample *s, struct paths *p)
{
    double top = -INFINITY, sum = 0;
    p->n = 1;
    for (size_t i = 0; i < s->t; i++)
        p->n *= s->crf.k;
    for (size_t i = 0; i < p->n; i++) {
        size_t code = i; /* word 0 is the most significant digit */
        for (size_t t = s->t; t-- > 0; code /= s->crf.k)
            p->y[i][t] = (uint16_t)(code % s->crf.k);
        p->score[i] = naive_score(s, p->y[i]);
        top = p->score[i] > top ? p->score[i] : top;
    }
    for (size_t i = 0; i < p->n; i++)
        sum += exp(p->score[i] - top);
    p->log_z = top + log(sum);
}

/* A random CRF; `strict` forbids some moves but always leaves a path (label 0 may do everything). */
static void sample_make(struct sample *s, struct gm_rng *r, size_t k, size_t t, double spread,
                        bool strict)
{
    *s = (struct sample){.t = t};
    fill_normal(r, s->trans, k * k, 1);
    fill_normal(r, s->start, k, 1);
    fill_normal(r, s->end, k, 1);
    fill_normal(r, s->emit, t * k, spread);
    s->crf = (struct gm_crf){.k = k, .trans = s->trans, .start = s->start, .end = s->end};
    if (!strict)
        return;
    for (size_t i = 0; i < k * k; i++)
        s->may[i] = i < k || i % k == 0 || gm_rng_below(r, 2);
    for (size_t i = 0; i < k; i++) {
        s->may_start[i] = i == 0 || gm_rng_below(r, 2);
        s->may_end[i] = i == 0 || gm_rng_below(r, 2);
    }
    s->crf.allowed = s->may;
    s->crf.allowed_start = s->may_start;
    s->crf.allowed_end = s->may_end;
}

/* Sum of the probabilities of the paths that have labels[0..n) from word `from` on, and not
 * `not_next` behind them. */
static double naive_span(const struct sample *s, const struct paths *p, size_t from, size_t to,
                         const uint16_t *labels, size_t not_next)
{
    double sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        bool hit = memcmp(p->y[i] + from, labels, (to - from) * sizeof *labels) == 0;
        if (hit && !(to < s->t && p->y[i][to] == not_next))
            sum += exp(p->score[i] - p->log_z);
    }
    return sum;
}

static void check_lattice(const struct sample *s, const struct paths *p, struct gm_arena *a)
{
    struct gm_crf_lattice l;
    ASSERT_OK(gm_crf_lattice_fill(&l, &s->crf, s->emit, s->t, a, err));
    check_near(l.log_z, p->log_z, 1e-9, 1e-12, "log z", s->t);
    for (size_t t = 0; t < s->t; t++)
        for (uint16_t k = 0; k < s->crf.k; k++)
            check_near(gm_crf_marginal(&l, t, k), naive_span(s, p, t, t + 1, &k, SIZE_MAX), 1e-10,
                       0, "marginal", t * s->crf.k + k);
    for (size_t from = 0; from < s->t; from++)
        for (size_t to = from + 1; to <= s->t; to++)
            for (size_t i = 0; i < p->n; i += 1 + p->n / 64)
                for (size_t not_next = 0; not_next <= s->crf.k; not_next++)
                    check_near(gm_crf_span(&l, from, to, p->y[i] + from, not_next),
                               naive_span(s, p, from, to, p->y[i] + from, not_next), 1e-10, 0,
                               "span", from * 100 + to * 10 + not_next);
}

static void check_viterbi(const struct sample *s, const struct paths *p, struct gm_arena *a)
{
    uint16_t best[MAX_T];
    double score, top = -INFINITY;
    for (size_t i = 0; i < p->n; i++)
        top = p->score[i] > top ? p->score[i] : top;
    ASSERT_OK(gm_crf_viterbi(&s->crf, s->emit, s->t, best, &score, a, err));
    check_near(score, top, 1e-9, 1e-12, "best score", s->t);
    check_near(naive_score(s, best), top, 1e-9, 1e-12, "score of the best path", s->t);
    ASSERT_OK(gm_crf_viterbi(&s->crf, s->emit, s->t, best, NULL, a, err));
}

static void check_max_marginals(const struct sample *s, const struct paths *p, struct gm_arena *a)
{
    double best[MAX_T * 4];
    size_t k = s->crf.k;
    ASSERT_OK(gm_crf_max_marginals(&s->crf, s->emit, s->t, best, a, err));
    for (size_t t = 0; t < s->t; t++)
        for (size_t j = 0; j < k; j++) {
            double top = -INFINITY;
            for (size_t i = 0; i < p->n; i++)
                if (p->y[i][t] == j && p->score[i] > top)
                    top = p->score[i];
            if (isinf(top))
                assert_true(best[t * k + j] == top);
            else
                check_near(best[t * k + j], top, 1e-9, 1e-12, "max marginal", t * k + j);
        }
}

/* Loss and gradient from the enumeration: expected counts less the gold path's. */
static void check_loss(const struct sample *s, const struct paths *p, struct gm_arena *a)
{
    size_t k = s->crf.k, gold = 0;
    float d_emit[MAX_T * MAX_K], trans[MAX_K * MAX_K], start[MAX_K], end[MAX_K];
    double want_emit[MAX_T * MAX_K] = {0}, want_trans[MAX_K * MAX_K] = {0}, want_start[MAX_K] = {0},
                             want_end[MAX_K] = {0}, loss = 3, weight = 0.5;
    while (isinf(p->score[gold]) || gold % 3 != 1)
        if (++gold >= p->n) {
            for (gold = 0; isinf(p->score[gold]); gold++) {
            }
            break;
        }
    for (size_t i = 0; i < p->n; i++) {
        double c = weight * (exp(p->score[i] - p->log_z) - (i == gold));
        for (size_t t = 0; t < s->t; t++) {
            want_emit[t * k + p->y[i][t]] += c;
            if (t)
                want_trans[p->y[i][t - 1] * k + p->y[i][t]] += c;
        }
        want_start[p->y[i][0]] += c;
        want_end[p->y[i][s->t - 1]] += c;
    }
    for (size_t i = 0; i < MAX_T * MAX_K; i++)
        d_emit[i] = 1; /* what is there is added to */
    for (size_t i = 0; i < k * k; i++)
        trans[i] = 2;
    for (size_t i = 0; i < k; i++)
        start[i] = end[i] = 3;
    ASSERT_OK(gm_crf_nll(&s->crf, s->emit, (const uint32_t[]){0, (uint32_t)s->t}, 1, p->y[gold],
                         weight, d_emit, &(struct gm_crf_grad){trans, start, end}, &loss, a, err));
    check_near(loss, 3 + weight * (p->log_z - p->score[gold]), 1e-8, 1e-12, "loss", s->t);
    for (size_t i = 0; i < s->t * k; i++)
        check_near((double)d_emit[i], 1 + want_emit[i], 1e-6, 0, "d_emit", i);
    for (size_t i = 0; i < k * k; i++)
        check_near((double)trans[i], 2 + want_trans[i], 2e-6, 0, "d_trans", i);
    for (size_t i = 0; i < k; i++) {
        check_near((double)start[i], 3 + want_start[i], 1e-6, 0, "d_start", i);
        check_near((double)end[i], 3 + want_end[i], 1e-6, 0, "d_end", i);
    }
}

static void check_all(struct gm_rng *r, double spread)
{
    static struct paths p;
    struct sample s;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    for (size_t k = 1; k <= MAX_K; k++)
        for (size_t t = 1; t <= MAX_T; t++)
            for (int strict = 0; strict < 2; strict++)
                for (int round = 0; round < 3; round++) {
                    sample_make(&s, r, k, t, spread, strict);
                    enumerate(&s, &p);
                    check_lattice(&s, &p, &a);
                    check_viterbi(&s, &p, &a);
                    check_max_marginals(&s, &p, &a);
                    check_loss(&s, &p, &a);
                }
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

static void agrees_with_enumeration(void **state)
{
    (void)state;
    struct gm_rng r;
    gm_rng_init(&r, 5);
    check_all(&r, 1);
    check_all(&r, 10);
}

/* Scores hundreds of nats apart, as a network gone wild gives them: exp() of them is zero. */
static void extreme_scores(void **state)
{
    (void)state;
    struct gm_rng r;
    gm_rng_init(&r, 6);
    check_all(&r, 50);
    check_all(&r, 250);
    check_all(&r, 500);
}

/* The network is sure of a label that the rules forbid there. */
static void sure_of_the_forbidden(void **state)
{
    (void)state;
    static struct paths p;
    struct sample s;
    struct gm_rng r;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    gm_rng_init(&r, 7);
    for (size_t t = 1; t <= MAX_T; t++)
        for (size_t wild = 0; wild < 2 * MAX_K; wild++) {
            /* O, B, I, E of one type: B I* E, all else forbidden. */
            static const uint8_t may[] = {1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0};
            static const uint8_t may_start[] = {1, 1, 0, 0}, may_end[] = {1, 0, 0, 1};
            sample_make(&s, &r, 4, t, 1, false);
            s.crf.allowed = may;
            s.crf.allowed_start = may_start;
            s.crf.allowed_end = may_end;
            for (size_t i = 0; i < t; i++)
                for (size_t j = 0; j < 4; j++)
                    s.emit[i * 4 + j] += j == wild % 4 ? 500.0f : wild < 4 ? -500.0f : 0.0f;
            enumerate(&s, &p);
            check_lattice(&s, &p, &a);
            check_viterbi(&s, &p, &a);
            check_max_marginals(&s, &p, &a);
            check_loss(&s, &p, &a);
        }
    gm_arena_clear(&a);
}

/* The allowed moves of a sample as sets: one for each label, in ranges. */
static struct gm_crf_moves moves_of(const struct sample *s, uint16_t *set_of, uint32_t *first,
                                    struct gm_crf_range *ranges)
{
    size_t k = s->crf.k, n = 0;
    for (size_t j = 0; j < k; j++) {
        set_of[j] = (uint16_t)j;
        first[j] = (uint32_t)n;
        for (size_t i = 0; i < k; i++) {
            if (s->crf.allowed && !s->may[i * k + j])
                continue;
            if (n > first[j] && ranges[n - 1].to == i)
                ranges[n - 1].to++;
            else
                ranges[n++] = (struct gm_crf_range){(uint16_t)i, (uint16_t)(i + 1)};
        }
    }
    first[k] = (uint32_t)n;
    return (struct gm_crf_moves){k, set_of, first, ranges};
}

/* With transitions that weigh nothing: the same against all paths, whether moves are sets or a matrix. */
static void moves_agree_with_enumeration(void **state)
{
    (void)state;
    static struct paths p;
    struct sample s;
    struct gm_rng r;
    struct gm_arena a;
    uint16_t set_of[MAX_K];
    uint32_t first[MAX_K + 1];
    struct gm_crf_range ranges[MAX_K * MAX_K];
    gm_arena_init(&a, 0);
    gm_rng_init(&r, 11);
    for (size_t k = 1; k <= MAX_K; k++)
        for (size_t t = 1; t <= MAX_T; t++)
            for (int round = 0; round < 24; round++) {
                static const double spreads[] = {1, 10, 50, 500};
                sample_make(&s, &r, k, t, spreads[round % 4], round % 3 > 0);
                memset(s.trans, 0, sizeof s.trans);
                enumerate(&s, &p);
                const struct gm_crf_moves m = moves_of(&s, set_of, first, ranges);
                s.crf.moves = &m;
                s.crf.trans = NULL;
                s.crf.allowed = NULL;
                check_lattice(&s, &p, &a);
                uint16_t best[MAX_T], dense[MAX_T];
                double score, max_dense[MAX_T * MAX_K], max_sets[MAX_T * MAX_K];
                ASSERT_OK(gm_crf_viterbi(&s.crf, s.emit, t, best, &score, &a, err));
                ASSERT_OK(gm_crf_max_marginals(&s.crf, s.emit, t, max_sets, &a, err));
                s.crf.moves = NULL;
                s.crf.trans = s.trans;
                s.crf.allowed = round % 3 > 0 ? s.may : NULL;
                check_viterbi(&s, &p, &a);
                ASSERT_OK(gm_crf_viterbi(&s.crf, s.emit, t, dense, NULL, &a, err));
                ASSERT_OK(gm_crf_max_marginals(&s.crf, s.emit, t, max_dense, &a, err));
                assert_memory_equal(best, dense, t * sizeof *best);
                assert_memory_equal(max_sets, max_dense, t * k * sizeof *max_sets);
            }
    gm_arena_clear(&a);
}

static void forbidden_gold_is_infinite(void **state)
{
    (void)state;
    struct sample s;
    struct gm_rng r;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    gm_rng_init(&r, 8);
    sample_make(&s, &r, 3, 3, 1, true);
    s.may[1 * 3 + 2] = 0;
    float d_emit[9] = {0}, trans[9] = {0}, start[3] = {0}, end[3] = {0};
    double loss = 0;
    ASSERT_OK(gm_crf_nll(&s.crf, s.emit, (const uint32_t[]){0, 3}, 1, (const uint16_t[]){1, 2, 0},
                         1, d_emit, &(struct gm_crf_grad){trans, start, end}, &loss, &a, err));
    assert_true(isinf(loss) && loss > 0);
    gm_arena_clear(&a);
}

static void ties_take_the_smaller_label(void **state)
{
    (void)state;
    static const float zero[64];
    uint16_t best[4] = {9, 9, 9, 9};
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const struct gm_crf crf = {.k = 4, .trans = zero, .start = zero, .end = zero};
    ASSERT_OK(gm_crf_viterbi(&crf, zero, 4, best, NULL, &a, err));
    for (size_t t = 0; t < 4; t++)
        assert_int_equal(best[t], 0);
    gm_arena_clear(&a);
}

/* Posts of several lengths at once, empty ones among them, equal the posts one by one. */
static void posts_in_one_call(void **state)
{
    (void)state;
    static const uint32_t offsets[] = {0, 0, 3, 3, 4, 9, 9};
    static const uint16_t gold[] = {0, 1, 2, 2, 1, 0, 0, 2, 1};
    float emit[27], trans[9], start[3], end[3], d1[27] = {0}, d2[27] = {0}, p1[15] = {0},
                                                p2[15] = {0};
    double l1 = 0, l2 = 0;
    struct gm_rng r;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    gm_rng_init(&r, 9);
    fill_normal(&r, emit, 27, 2);
    fill_normal(&r, trans, 9, 1);
    fill_normal(&r, start, 3, 1);
    fill_normal(&r, end, 3, 1);
    const struct gm_crf crf = {.k = 3, .trans = trans, .start = start, .end = end};
    ASSERT_OK(gm_crf_nll(&crf, emit, offsets, 6, gold, 0.25, d1,
                         &(struct gm_crf_grad){p1, p1 + 9, p1 + 12}, &l1, &a, err));
    for (size_t b = 0; b < 6; b++) {
        size_t at = offsets[b];
        const uint32_t one[] = {0, offsets[b + 1] - offsets[b]};
        ASSERT_OK(gm_crf_nll(&crf, emit + 3 * at, one, 1, gold + at, 0.25, d2 + 3 * at,
                             &(struct gm_crf_grad){p2, p2 + 9, p2 + 12}, &l2, &a, err));
    }
    assert_true(l1 == l2 && l1 > 0);
    assert_memory_equal(d1, d2, sizeof d1);
    assert_memory_equal(p1, p2, sizeof p1);
    uint16_t none;
    struct gm_crf_lattice l;
    double score = 5;
    ASSERT_OK(gm_crf_viterbi(&crf, emit, 0, &none, &score, &a, err));
    ASSERT_OK(gm_crf_lattice_fill(&l, &crf, emit, 0, &a, err));
    assert_true(score == 0 && l.log_z == 0);
    gm_arena_clear(&a);
}

static double loss_of(const struct gm_crf *crf, const float *emit, const uint32_t *offsets,
                      size_t b, const uint16_t *gold)
{
    float waste[64] = {0}, p[64] = {0};
    double loss = 0;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    ASSERT_OK(gm_crf_nll(crf, emit, offsets, b, gold, 1, waste,
                         &(struct gm_crf_grad){p, p + 16, p + 20}, &loss, &a, err));
    gm_arena_clear(&a);
    return loss;
}

static void gradient_agrees_with_differences(void **state)
{
    (void)state;
    static const uint32_t offsets[] = {0, 4, 9};
    static const uint16_t gold[] = {0, 1, 2, 0, 3, 0, 1, 2, 2};
    /* One block, so that one loop perturbs all: emissions, transitions, start, end. */
    float x[36 + 16 + 4 + 4], d[60] = {0};
    double loss = 0;
    struct gm_rng r;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    gm_rng_init(&r, 10);
    fill_normal(&r, x, 60, 1.5);
    const struct gm_crf crf = {.k = 4, .trans = x + 36, .start = x + 52, .end = x + 56};
    ASSERT_OK(gm_crf_nll(&crf, x, offsets, 2, gold, 1, d,
                         &(struct gm_crf_grad){d + 36, d + 52, d + 56}, &loss, &a, err));
    for (size_t i = 0; i < 60; i++) {
        float keep = x[i], up = keep + 0x1p-10f, down = keep - 0x1p-10f;
        x[i] = up;
        double above = loss_of(&crf, x, offsets, 2, gold);
        x[i] = down;
        double below = loss_of(&crf, x, offsets, 2, gold);
        x[i] = keep;
        check_near((double)d[i], (above - below) / ((double)up - (double)down), 1e-5, 1e-5,
                   "gradient", i);
    }
    gm_arena_clear(&a);
}

/* Loss of learning from label probabilities, by enumeration of all paths. */
static double naive_soft(const struct sample *s, const float *target)
{
    static struct paths p;
    double loss = 0;
    enumerate(s, &p);
    for (size_t t = 0; t < s->t; t++)
        for (uint16_t j = 0; j < s->crf.k; j++) {
            double m = naive_span(s, &p, t, t + 1, &j, s->crf.k);
            loss -= m > 0 ? (double)target[t * s->crf.k + j] * log(m) : 0;
        }
    return loss;
}

/* Loss by enumeration, gradient by differences of it; rows that are no distributions too. */
static void soft_agrees_with_enumeration(void **state)
{
    (void)state;
    struct gm_rng r;
    struct gm_arena a;
    gm_rng_init(&r, 12);
    gm_arena_init(&a, 0);
    for (int round = 0; round < 60; round++) {
        struct sample s;
        float target[MAX_T * MAX_K], d[MAX_T * MAX_K] = {0}, p[24] = {0};
        size_t k = 1 + (size_t)round % MAX_K, n = 1 + (size_t)round / MAX_K % MAX_T;
        const uint32_t offsets[] = {0, (uint32_t)n};
        double loss = 0;
        sample_make(&s, &r, k, n, 2, round % 3 == 0);
        for (size_t i = 0; i < n * k; i++)
            target[i] = (float)gm_rng_uniform(&r);
        const struct gm_crf_grad grad = {p, p + 16, p + 20};
        ASSERT_OK(gm_crf_soft(&s.crf, s.emit, offsets, 1, target, 0.5, d, &grad, &loss, &a, err));
        check_near(loss, 0.5 * naive_soft(&s, target), 1e-9, 1e-9, "loss", (size_t)round);
        struct {
            float *x, *d;
            size_t n;
        } parts[] = {
            {s.emit, d, n * k}, {s.trans, p, k * k}, {s.start, p + 16, k}, {s.end, p + 20, k}};
        for (size_t i = 0; i < 4; i++)
            for (size_t j = 0; j < parts[i].n; j++) {
                float *x = &parts[i].x[j], keep = *x, up = keep + 0x1p-10f, down = keep - 0x1p-10f;
                *x = up;
                double above = naive_soft(&s, target);
                *x = down;
                double below = naive_soft(&s, target);
                *x = keep;
                check_near((double)parts[i].d[j],
                           0.5 * (above - below) / ((double)up - (double)down), 1e-5, 1e-5,
                           "gradient", i * 100 + j);
            }
    }
    gm_arena_clear(&a);
}

/* Who gives the same probabilities has nothing to learn; what is given to the impossible is left out. */
static void soft_rests_at_its_own_marginals(void **state)
{
    (void)state;
    enum { K = 3, T = 7 };
    static const uint8_t start_at_0[K] = {1, 0, 0};
    static const uint32_t offsets[] = {0, 0, T};
    struct gm_rng r;
    struct gm_arena a;
    struct gm_crf_lattice l;
    float emit[T * K], trans[K * K], ends[2 * K], target[T * K], d[T * K] = {0},
                                                                       p[K * K + 2 * K] = {0};
    double loss = 0, entropy = 0;
    gm_rng_init(&r, 13);
    gm_arena_init(&a, 0);
    fill_normal(&r, emit, T * K, 3);
    fill_normal(&r, trans, K * K, 1);
    fill_normal(&r, ends, 2 * K, 1);
    const struct gm_crf crf = {
        .k = K, .trans = trans, .start = ends, .end = ends + K, .allowed_start = start_at_0};
    ASSERT_OK(gm_crf_lattice_fill(&l, &crf, emit, T, &a, err));
    for (size_t i = 0; i < T * K; i++) {
        double q = gm_crf_marginal(&l, i / K, i % K);
        target[i] = (float)q;
        entropy -= q > 0 ? q * log(q) : 0;
    }
    const struct gm_crf_grad grad = {p, p + K * K, p + K * K + K};
    target[1] = 0.5f; /* not possible there */
    ASSERT_OK(gm_crf_soft(&crf, emit, offsets, 2, target, 1, d, &grad, &loss, &a, err));
    check_near(loss, entropy, 1e-6, 0, "loss", 0);
    for (size_t i = 0; i < T * K; i++)
        check_near((double)d[i], 0, 1e-6, 0, "gradient", i);
    for (size_t i = 0; i < K * K + 2 * K; i++)
        check_near((double)p[i], 0, 1e-6, 0, "gradient of parameters", i);
    gm_arena_clear(&a);
}

static void very_long_post(void **state)
{
    (void)state;
    enum { N = 100000, K = 9 };
    struct gm_rng r;
    struct gm_arena a;
    float trans[K * K], start[K], end[K], d[K * K + 2 * K] = {0};
    double loss = 0;
    gm_arena_init(&a, 0);
    gm_rng_init(&r, 12);
    float *emit = gm_alloc(N * K, sizeof *emit), *d_emit = gm_alloc(N * K, sizeof *d_emit);
    uint16_t *gold = gm_alloc(N, sizeof *gold);
    assert_true(emit && d_emit && gold);
    fill_normal(&r, emit, N * K, 8);
    fill_normal(&r, trans, K * K, 1);
    fill_normal(&r, start, K, 1);
    fill_normal(&r, end, K, 1);
    const struct gm_crf crf = {.k = K, .trans = trans, .start = start, .end = end};
    ASSERT_OK(gm_crf_viterbi(&crf, emit, N, gold, NULL, &a, err));
    ASSERT_OK(gm_crf_nll(&crf, emit, (const uint32_t[]){0, N}, 1, gold, 1, d_emit,
                         &(struct gm_crf_grad){d, d + K * K, d + K * K + K}, &loss, &a, err));
    assert_true(isfinite(loss) && loss > 0); /* the best path is one of many */
    for (size_t t = 0; t < N; t++) {
        double sum = 0; /* the marginals of a word sum to 1, so its gradient to 0 */
        for (size_t k = 0; k < K; k++)
            sum += (double)d_emit[t * K + k];
        check_near(sum, 0, 1e-6, 0, "sum of the gradient of word", t);
    }
    for (size_t i = 0; i < K * K; i++)
        assert_true(isfinite(d[i]));
    gm_free(emit);
    gm_free(d_emit);
    gm_free(gold);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

static void memory_runs_out(void **state)
{
    (void)state;
    static const float zero[64];
    uint16_t best[8];
    struct gm_arena a;
    struct gm_crf_lattice l;
    struct gm_error err = {0};
    const struct gm_crf crf = {.k = 4, .trans = zero, .start = zero, .end = zero};
    gm_arena_init(&a, 64);
    assert_int_equal(gm_crf_viterbi(&crf, zero, 8, best, NULL, &a, &err), GM_ENOMEM);
    check_message(&err, "8 words");
    assert_int_equal(gm_crf_lattice_fill(&l, &crf, zero, 8, &a, &err), GM_ENOMEM);
    check_message(&err, "8 words");
    assert_int_equal(gm_crf_lattice_fill(&l, &crf, zero, 8, &a, NULL), GM_ENOMEM);
    gm_arena_clear(&a);
    assert_int_equal(gm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_enumeration),
        cmocka_unit_test(extreme_scores),
        cmocka_unit_test(sure_of_the_forbidden),
        cmocka_unit_test(moves_agree_with_enumeration),
        cmocka_unit_test(forbidden_gold_is_infinite),
        cmocka_unit_test(ties_take_the_smaller_label),
        cmocka_unit_test(posts_in_one_call),
        cmocka_unit_test(gradient_agrees_with_differences),
        cmocka_unit_test(soft_agrees_with_enumeration),
        cmocka_unit_test(soft_rests_at_its_own_marginals),
        cmocka_unit_test(very_long_post),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
