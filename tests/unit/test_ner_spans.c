/* How likely spans are, and which the tagger may have missed, against the enumeration of all paths. */
#include "ner/ner_spans.h"
#include "base/rng.h"

#include "unit.h"

#include <math.h>

enum { T = 4, K_MAX = 9 };

/* A random CRF over two types, in either scheme. */
struct sample {
    struct gm_ner_labels labels;
    struct gm_crf crf;
    float trans[K_MAX * K_MAX], start[K_MAX], end[K_MAX], emit[T * K_MAX];
    struct gm_crf_lattice lattice;
    struct gm_arena arena;
};

static float draw(struct gm_rng *r, double spread)
{
    return (float)((gm_rng_uniform(r) * 2 - 1) * spread);
}

static void make(struct sample *s, struct gm_rng *r, enum gm_tag_scheme scheme)
{
    uint32_t id;
    *s = (struct sample){.labels = {.scheme = scheme}};
    gm_labels_init(&s->labels.types, 10);
    gm_arena_init(&s->labels.arena, 0);
    gm_arena_init(&s->arena, 0);
    assert_int_equal(gm_labels_add(&s->labels.types, GM_STR("LOC"), &id, NULL), GM_OK);
    assert_int_equal(gm_labels_add(&s->labels.types, GM_STR("PER"), &id, NULL), GM_OK);
    assert_int_equal(gm_ner_labels_build(&s->labels, NULL), GM_OK);
    size_t k = s->labels.k;
    for (size_t i = 0; i < k * k; i++)
        s->trans[i] = draw(r, 1);
    for (size_t i = 0; i < k; i++)
        s->start[i] = s->end[i] = draw(r, 1);
    for (size_t i = 0; i < T * k; i++)
        s->emit[i] = draw(r, 2);
    s->crf = (struct gm_crf){.k = k,
                             .trans = s->trans,
                             .start = s->start,
                             .end = s->end,
                             .allowed = s->labels.allowed,
                             .allowed_start = s->labels.allowed_start,
                             .allowed_end = s->labels.allowed_end};
    assert_int_equal(gm_crf_lattice_fill(&s->lattice, &s->crf, s->emit, T, &s->arena, NULL), GM_OK);
}

static void clear(struct sample *s)
{
    gm_ner_labels_clear(&s->labels);
    gm_arena_clear(&s->arena);
}

static double score_of(const struct sample *s, const uint16_t *y)
{
    size_t k = s->labels.k;
    if (!s->labels.allowed_start[y[0]] || !s->labels.allowed_end[y[T - 1]])
        return -INFINITY;
    double sum = (double)s->start[y[0]] + (double)s->end[y[T - 1]];
    for (size_t t = 0; t < T; t++) {
        sum += (double)s->emit[t * k + y[t]];
        if (t && !s->labels.allowed[y[t - 1] * k + y[t]])
            return -INFINITY;
        if (t)
            sum += (double)s->trans[y[t - 1] * k + y[t]];
    }
    return sum;
}

/* p [T][T + 1][2 types]: probability of an entity first .. end of that type, over all paths. */
static void all_paths(const struct sample *s, double p[T][T + 1][2])
{
    size_t k = s->labels.k, n = k * k * k * k;
    double z = 0;
    memset(p, 0, sizeof(double[T][T + 1][2]));
    for (size_t code = 0; code < n; code++) {
        uint16_t y[T];
        struct gm_tag tags[T];
        struct gm_span spans[T];
        size_t rest = code;
        for (size_t t = 0; t < T; t++, rest /= k) {
            y[t] = (uint16_t)(rest % k);
            tags[t] = gm_ner_tag(&s->labels, y[t]);
        }
        double w = exp(score_of(s, y));
        if (w <= 0)
            continue;
        z += w;
        size_t found = gm_tags_to_spans(tags, T, s->labels.scheme, GM_REPAIR_STRICT, spans);
        for (size_t i = 0; i < found; i++)
            p[spans[i].first][spans[i].end][spans[i].type] += w;
    }
    for (size_t i = 0; i < (size_t)T * (T + 1) * 2; i++)
        ((double *)p)[i] /= z;
}

static void spans_of_all_types(void **state)
{
    (void)state;
    struct gm_rng r;
    uint16_t work[T];
    gm_rng_init(&r, 5);
    for (int round = 0; round < 40; round++) {
        struct sample s;
        double p[T][T + 1][2];
        make(&s, &r, round % 2 ? GM_TAGS_BIOES : GM_TAGS_BIO);
        all_paths(&s, p);
        const struct gm_ner_lattice x = {.labels = &s.labels, .lattice = &s.lattice};
        for (size_t a = 0; a < T; a++)
            for (size_t b = a + 1; b <= T; b++) {
                struct gm_span_odds o = gm_ner_span_odds(&x, a, b, work);
                assert_true(fabs(o.any - p[a][b][0] - p[a][b][1]) < 1e-9);
                assert_true(fabs(o.best - fmax(p[a][b][0], p[a][b][1])) < 1e-9);
                assert_true(fabs(o.best - p[a][b][o.type]) < 1e-9);
            }
        clear(&s);
    }
    assert_int_equal(gm_alloc_live(), 0);
}

/* Take the likeliest free span again and again, among all of them. */
static size_t naive_candidates(double p[T][T + 1][2], const uint16_t *best, double min, size_t max,
                               struct gm_span *out)
{
    size_t n = 0;
    bool taken[T];
    for (size_t t = 0; t < T; t++)
        taken[t] = best[t] != 0;
    while (n < max) {
        double top = 0;
        for (size_t a = 0; a < T; a++)
            for (size_t b = a + 1; b <= T && !taken[b - 1]; b++) {
                double any = p[a][b][0] + p[a][b][1];
                if (any < min || any <= top)
                    continue;
                top = any;
                out[n] = (struct gm_span){a, b, p[a][b][1] > p[a][b][0]};
            }
        if (top <= 0)
            break;
        for (size_t t = out[n].first; t < out[n].end; t++)
            taken[t] = true;
        n++;
    }
    return n;
}

static void candidates_are_the_likeliest(void **state)
{
    (void)state;
    const struct gm_calibration as_it_is = {.fitted = false};
    struct gm_rng r;
    uint16_t work[T], best[T];
    size_t n_found = 0, n_several = 0;
    gm_rng_init(&r, 6);
    for (int round = 0; round < 120; round++) {
        struct sample s;
        double p[T][T + 1][2], min = round % 3 ? 0.05 : 0.2;
        struct gm_candidate got[2];
        struct gm_span want[2];
        make(&s, &r, round % 2 ? GM_TAGS_BIOES : GM_TAGS_BIO);
        all_paths(&s, p);
        assert_int_equal(gm_crf_viterbi(&s.crf, s.emit, T, best, NULL, &s.arena, NULL), GM_OK);
        for (size_t t = 0; round % 4 == 0 && t < T; t++)
            best[t] = 0; /* nothing was chosen: all of it is to be looked at */
        const struct gm_ner_lattice x = {&s.labels, &as_it_is, &s.lattice, best};
        size_t n = gm_ner_candidates(&x, min, 2, work, got);
        assert_int_equal(n, naive_candidates(p, best, min, 2, want));
        for (size_t i = 0; i < n; i++)
            assert_true(got[i].span.first == want[i].first && got[i].span.end == want[i].end &&
                        got[i].span.type == want[i].type);
        n_found += n;
        n_several += n > 1;
        clear(&s);
    }
    assert_true(n_found > 60 && n_several > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_of_all_types),
        cmocka_unit_test(candidates_are_the_likeliest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
