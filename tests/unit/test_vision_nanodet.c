/* Decoding of NanoDet's outputs against a slow reference written another way; suppression against
 * its definition. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "image/overlap.h"
#include "vision/nanodet.h"

#include <math.h>

static const size_t STRIDES[GM_NANODET_LEVELS] = {8, 16, 32};

struct outputs {
    struct gm_nanodet_level level[GM_NANODET_LEVELS];
    float *cls[GM_NANODET_LEVELS], *dis[GM_NANODET_LEVELS];
    size_t cells[GM_NANODET_LEVELS];
};

static void outputs_init(struct outputs *o, struct gm_rng *rng)
{
    for (size_t l = 0; l < GM_NANODET_LEVELS; l++) {
        size_t n = 416 / STRIDES[l];
        o->cells[l] = n * n;
        o->cls[l] = gm_alloc(n * n * 80, sizeof(float));
        o->dis[l] = gm_alloc(n * n * 44, sizeof(float));
        for (size_t i = 0; i < n * n * 80; i++) /* few high scores, as a real picture gives */
            o->cls[l][i] = (float)pow(gm_rng_uniform(rng), 40);
        for (size_t i = 0; i < n * n * 44; i++)
            o->dis[l][i] = (float)(3 * gm_rng_normal(rng));
        o->level[l] = (struct gm_nanodet_level){STRIDES[l], o->cls[l], o->dis[l]};
    }
}

static void outputs_clear(struct outputs *o)
{
    for (size_t l = 0; l < GM_NANODET_LEVELS; l++) {
        gm_free(o->cls[l]);
        gm_free(o->dis[l]);
    }
}

/* Distance of one side in pixels, from the definition: sum of i * e^x[i] / sum of e^x[i]. */
static double reference_side(const float *x, size_t stride)
{
    long double den = 0, num = 0;
    for (int i = 0; i < 11; i++) {
        den += expl((long double)x[i]);
        num += (long double)i * expl((long double)x[i]);
    }
    return (double)(num / den) * (double)stride;
}

static int by_score(const void *a, const void *b)
{
    const struct gm_detection *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

static size_t reference_decode(const struct outputs *o, double score_min, struct gm_detection *out)
{
    size_t n_out = 0;
    for (size_t l = 0; l < GM_NANODET_LEVELS; l++) {
        size_t n = 416 / STRIDES[l], s = STRIDES[l];
        for (size_t row = 0; row < n; row++)
            for (size_t col = 0; col < n; col++) {
                const float *cls = o->cls[l] + (row * n + col) * 80;
                const float *dis = o->dis[l] + (row * n + col) * 44;
                uint32_t best = 79;
                for (uint32_t c = 79; c-- > 0;)
                    best = cls[c] >= cls[best] ? c : best;
                if ((double)cls[best] < score_min)
                    continue;
                double x = (double)(col * s) + (double)s / 2, y = (double)(row * s) + (double)s / 2;
                out[n_out++] = (struct gm_detection){{(float)(x - reference_side(dis, s)),
                                                      (float)(y - reference_side(dis + 11, s)),
                                                      (float)(x + reference_side(dis + 22, s)),
                                                      (float)(y + reference_side(dis + 33, s))},
                                                     cls[best],
                                                     best};
            }
    }
    qsort(out, n_out, sizeof *out, by_score);
    return n_out;
}

static void decodes_as_reference(void **state)
{
    (void)state;
    struct gm_rng rng;
    struct outputs o;
    enum { ALL = 2704 + 676 + 169 };
    struct gm_detection *got = gm_alloc(ALL, sizeof *got), *want = gm_alloc(ALL, sizeof *want);
    gm_rng_init(&rng, 1);
    for (int round = 0; round < 3; round++) {
        outputs_init(&o, &rng);
        size_t n_want = reference_decode(&o, 0.97, want);
        assert_true(n_want > 100); /* the comparison is of something */
        assert_int_equal(gm_nanodet_decode(o.level, GM_NANODET_LEVELS, 0.97f, got, ALL), n_want);
        for (size_t i = 0; i < n_want; i++) {
            assert_int_equal(got[i].class_id, want[i].class_id);
            for (int k = 0; k < 4; k++)
                assert_float_equal(got[i].box[k], want[i].box[k], 1e-3);
        }
        /* A small capacity keeps the best. */
        assert_int_equal(gm_nanodet_decode(o.level, GM_NANODET_LEVELS, 0.97f, got, 20), 20);
        for (size_t i = 0; i < 20; i++)
            assert_float_equal(got[i].score, want[i].score, 0);
        outputs_clear(&o);
    }
    gm_free(got);
    gm_free(want);
}

static void one_cell_by_hand(void **state)
{
    (void)state;
    struct gm_rng rng;
    struct outputs o;
    struct gm_detection d[4];
    gm_rng_init(&rng, 2);
    outputs_init(&o, &rng);
    for (size_t l = 0; l < GM_NANODET_LEVELS; l++)
        for (size_t i = 0; i < o.cells[l] * 80; i++)
            o.cls[l][i] = 0.01f;
    /* Stride 16 has 26 cells a row: cell (row 3, col 5) has its centre at (88, 56). */
    size_t cell = 3 * 26 + 5;
    o.cls[1][cell * 80 + 16] = 0.9f;
    const int sides[4] = {2, 0, 10, 5};
    for (int s = 0; s < 4; s++)
        for (int b = 0; b < 11; b++) /* all of the distribution on one bin */
            o.dis[1][cell * 44 + (size_t)(s * 11 + b)] = b == sides[s] ? 100.0f : 0.0f;
    assert_int_equal(gm_nanodet_decode(o.level, GM_NANODET_LEVELS, 0.5f, d, 4), 1);
    assert_int_equal(d[0].class_id, 16); /* a dog */
    const float want[4] = {88 - 32, 56 - 0, 88 + 160, 56 + 80};
    for (int k = 0; k < 4; k++)
        assert_float_equal(d[0].box[k], want[k], 1e-4);
    outputs_clear(&o);
}

/* A kept box overlaps no better kept one of its class too much; a dropped one does. */
static void suppression_by_definition(void **state)
{
    (void)state;
    struct gm_rng rng;
    enum { N = 60 };
    struct gm_detection all[N], kept[N];
    gm_rng_init(&rng, 4);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < N; i++) {
            float x = (float)(40 * gm_rng_uniform(&rng)), y = (float)(40 * gm_rng_uniform(&rng));
            all[i] = (struct gm_detection){
                {x, y, x + 30, y + 25}, 1.0f - (float)i / N, (uint32_t)gm_rng_below(&rng, 3)};
            kept[i] = all[i];
        }
        size_t n = gm_nms(kept, N, 0.5f), at = 0;
        assert_in_range(n, 3, N - 1);
        for (size_t i = 0; i < N; i++) {
            bool covered = false;
            for (size_t k = 0; k < at; k++)
                covered = covered || (kept[k].class_id == all[i].class_id &&
                                      gm_box_iou(kept[k].box, all[i].box) > 0.5f);
            bool is_kept = at < n && kept[at].score >= all[i].score;
            assert_int_equal(is_kept, !covered);
            at += is_kept;
        }
        assert_int_equal(at, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_as_reference),
        cmocka_unit_test(one_cell_by_hand),
        cmocka_unit_test(suppression_by_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
