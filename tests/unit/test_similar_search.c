/* The search for similar posts against its definition, computed pair by pair in f64 over all pairs. */
#include "unit.h"

#include "base/parallel.h"
#include "base/rng.h"
#include "similar/index.h"
#include "similar/pair_score.h"
#include "similar/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 21, IMAGE_DIM = 11, N_TYPES = 3, N_NAMES = 40, WORDS = 10 };

/* ---- made-up posts ---- */

static void unit_row(struct gm_rng *r, float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(gm_rng_normal(r) + 0.4); /* cosines are mostly above 0, as real ones */
        sum += (double)x[i] * (double)x[i];
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] / sqrt(sum));
}

static void add_names(struct gm_similar_vectors *v, struct gm_rng *r)
{
    for (uint32_t i = 0, id; i < N_NAMES; i++) {
        struct gm_error err;
        char name[16];
        float x[DIM];
        snprintf(name, sizeof name, "name %u", i);
        unit_row(r, x, DIM);
        must(gm_labels_add(&v->names, gm_str(name), &id, &err), &err);
        must(gm_buf_add(&v->name, x, sizeof x, &err), &err);
    }
}

/* The text of post `number`: ten words of its own. Every seventh sample has the words of a post, in
 * another order and one of them changed: a Jaccard similarity of 9/11. */
static void text_of(char *text, size_t size, const char *word, size_t number, bool changed)
{
    size_t n = 0;
    for (size_t i = 0; i < WORDS; i++)
        n += (size_t)snprintf(text + n, size - n, " %s%zuword%zu", changed && i == 3 ? "new" : word,
                              number, changed ? WORDS - 1 - i : i);
}

static bool copies(size_t sample, size_t n_posts, size_t *post)
{
    *post = sample / 7;
    return sample % 7 == 0 && *post < n_posts;
}

static void add_post(struct gm_similar_vectors *v, struct gm_rng *r, size_t most_entities,
                     const char *text)
{
    struct gm_error err;
    float x[DIM], image[IMAGE_DIM];
    struct gm_similar_entity e[64];
    size_t n = gm_rng_below(r, 4) ? gm_rng_below(r, most_entities + 1) : 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t type = (uint32_t)gm_rng_below(r, N_TYPES + 1); /* the last: none */
        e[i] = (struct gm_similar_entity){(uint32_t)gm_rng_below(r, N_NAMES),
                                          type < N_TYPES ? type : GM_LABEL_NONE};
    }
    unit_row(r, x, DIM);
    unit_row(r, image, IMAGE_DIM);
    must(gm_similar_vectors_add(v, gm_str(text), x, gm_rng_below(r, 5) ? image : NULL, e, n, &err),
         &err);
}

struct data {
    struct gm_similar_vectors posts, pool;
};

static void data_init(struct data *d, size_t n_posts, size_t n_pool, size_t most_entities)
{
    struct gm_error err;
    struct gm_rng r;
    char text[512];
    gm_rng_init(&r, n_posts * 1000 + n_pool);
    gm_similar_vectors_init(&d->posts, DIM, IMAGE_DIM);
    gm_similar_vectors_init(&d->pool, DIM, IMAGE_DIM);
    add_names(&d->posts, &r);
    add_names(&d->pool, &r);
    for (size_t i = 0; i < n_posts; i++) {
        text_of(text, sizeof text, "q", i, false);
        add_post(&d->posts, &r, most_entities, text);
    }
    for (size_t i = 0, of; i < n_pool; i++) {
        bool copy = copies(i, n_posts, &of);
        text_of(text, sizeof text, copy ? "q" : "p", copy ? of : i, copy);
        add_post(&d->pool, &r, most_entities, text);
    }
    must(gm_similar_vectors_count_types(&d->pool, N_TYPES, &err), &err);
}

static void data_clear(struct data *d)
{
    gm_similar_vectors_clear(&d->posts);
    gm_similar_vectors_clear(&d->pool);
}

/* ---- by the definition ---- */

static double cosine(const struct gm_buf *a, size_t i, const struct gm_buf *b, size_t k, size_t dim)
{
    double sum = 0;
    for (size_t c = 0; c < dim; c++)
        sum += (double)gm_similar_vectors_row(a, dim, i)[c] *
               (double)gm_similar_vectors_row(b, dim, k)[c];
    return sum;
}

static double entity_value(const struct data *d, size_t q, size_t s, bool best)
{
    size_t nq, ns;
    const struct gm_similar_entity *a = gm_similar_vectors_entities(&d->posts, q, &nq);
    const struct gm_similar_entity *b = gm_similar_vectors_entities(&d->pool, s, &ns);
    double sum = 0, mean = 0;
    if (!nq || !ns)
        return 0;
    for (size_t i = 0; i < nq; i++) {
        double most = -1e9;
        for (size_t k = 0; k < ns; k++) {
            double x = cosine(&d->posts.name, a[i].name, &d->pool.name, b[k].name, DIM) +
                       (a[i].type == b[k].type && a[i].type < N_TYPES ? 0.8 : 0);
            sum += x;
            most = x > most ? x : most;
        }
        mean += most / (double)nq;
    }
    return best ? mean : sum;
}

/* T, I, E of all pairs [posts][pool]; I is NAN where one has no picture. */
static double *matrix(const struct data *d, enum gm_similar_part part, bool best)
{
    double *m = gm_alloc(d->posts.n * d->pool.n, sizeof *m);
    for (size_t q = 0; q < d->posts.n; q++)
        for (size_t s = 0; s < d->pool.n; s++) {
            bool images = gm_similar_vectors_has_image(&d->posts, q) &&
                          gm_similar_vectors_has_image(&d->pool, s);
            m[q * d->pool.n + s] =
                part == GM_SIMILAR_TEXT     ? cosine(&d->posts.text, q, &d->pool.text, s, DIM)
                : part == GM_SIMILAR_ENTITY ? entity_value(d, q, s, best)
                : images ? cosine(&d->posts.image, q, &d->pool.image, s, IMAGE_DIM)
                         : NAN;
        }
    return m;
}

/* Adds weight * N(m) to the scores. */
static void add_part(double *scores, const double *m, size_t n, double weight)
{
    double min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        min = m[i] < min ? m[i] : min;
        max = m[i] > max ? m[i] : max;
    }
    for (size_t i = 0; i < n; i++)
        if (!isnan(m[i]) && max > min)
            scores[i] += weight * (m[i] - min) / (max - min);
}

static double *naive_scores(const struct data *d, const struct gm_similar_rule *rule)
{
    size_t n = d->posts.n * d->pool.n;
    double *scores = gm_alloc(n, sizeof *scores);
    for (enum gm_similar_part k = 0; k < GM_SIMILAR_PARTS; k++) {
        double *m = matrix(d, k, rule->best);
        add_part(scores, m, n, rule->weight[k]);
        gm_free(m);
    }
    for (size_t s = 0, of; s < d->pool.n; s++)
        if (copies(s, d->posts.n, &of))
            scores[of * d->pool.n + s] = -INFINITY;
    return scores;
}

struct ranked {
    double score;
    size_t post;
};

static int best_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->post > y->post) - (x->post < y->post);
}

/* ---- both ---- */

/* The hits of a post beside its row of scores: the same samples in the same order, but that two whose
 * scores are equal to 1e-6 may have changed places. */
static void check_row(const double *row, size_t n, size_t q, const struct gm_similar_hit *hits,
                      size_t n_hits, size_t k)
{
    struct ranked *ranked = gm_alloc(n, sizeof *ranked);
    size_t there = 0;
    for (size_t s = 0; s < n; s++) {
        ranked[s] = (struct ranked){row[s], s};
        there += row[s] > -INFINITY;
    }
    qsort(ranked, n, sizeof *ranked, best_first);
    assert_int_equal(n_hits, there < k ? there : k);
    for (size_t i = 0; i < n_hits; i++) {
        const struct gm_similar_hit *h = &hits[i];
        if (fabs(h->score - ranked[i].score) > 1e-5 ||
            (h->post != ranked[i].post && fabs(row[h->post] - ranked[i].score) > 1e-6))
            fail_msg("post %zu, hit %zu: sample %zu with %.7f, not %zu with %.7f", q, i, h->post,
                     h->score, ranked[i].post, ranked[i].score);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(hits[j].post, h->post);
    }
    gm_free(ranked);
}

static void check(const struct data *d, const struct gm_similar_rule *rule, size_t k)
{
    struct gm_error err;
    struct gm_similar_scale scale;
    size_t n = d->posts.n;
    struct gm_similar_hit *hits = gm_alloc(n * k, sizeof *hits);
    size_t *n_hits = gm_alloc(n, sizeof *n_hits);
    double *scores = naive_scores(d, rule);
    must(gm_similar_extremes(&d->pool, &d->posts, rule, NULL, &scale, &err), &err);
    must(gm_similar_search(&d->pool, &d->posts, rule, &scale, k, NULL, hits, n_hits, &err), &err);
    for (size_t q = 0; q < n; q++)
        check_row(scores + q * d->pool.n, d->pool.n, q, hits + q * k, n_hits[q], k);
    gm_free(scores);
    gm_free(n_hits);
    gm_free(hits);
}

static const struct gm_similar_rule RULES[] = {
    {.weight = {0.4, 0.2, 0.6}, .duplicate = 0.8},
    {.weight = {0.4, 0.2, 0.6}, .duplicate = 0.8, .best = true},
    {.weight = {0.4, 0, 0.6}, .duplicate = 0.8},
    {.weight = {0, 1, 0}, .duplicate = 0.8},
    {.weight = {0, 0, 2}, .duplicate = 0.8, .best = true},
};

/* Less and more than a block of posts and of samples; one post, for which the pool is dealt out. */
static void equals_the_definition(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 3},    {3, 40, 4},     {1, 2300, 4},
                                       {130, 70, 5}, {300, 1100, 3}, {7, 600, 60}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct data d;
        data_init(&d, shapes[i][0], shapes[i][1], shapes[i][2]);
        for (size_t k = 0; k < sizeof RULES / sizeof *RULES; k++)
            check(&d, &RULES[k], i % 2 ? 3 : 12);
        data_clear(&d);
    }
}

/* A sample whose entities do not fit into one product is not torn apart. */
static void many_entities_of_one_sample(void **state)
{
    (void)state;
    enum { MANY = 1500 };
    struct gm_error err;
    struct gm_rng r;
    struct data d;
    static struct gm_similar_entity e[MANY];
    float x[DIM];
    data_init(&d, 3, 10, 4);
    gm_rng_init(&r, 5);
    for (size_t i = 0; i < MANY; i++)
        e[i] = (struct gm_similar_entity){(uint32_t)gm_rng_below(&r, N_NAMES), 0};
    unit_row(&r, x, DIM);
    for (int k = 0; k < 3; k++) {
        char text[512];
        text_of(text, sizeof text, "p", 10 + (size_t)k, false);
        must(gm_similar_vectors_add(&d.pool, gm_str(text), x, NULL, e, MANY, &err), &err);
    }
    must(gm_similar_vectors_count_types(&d.pool, N_TYPES, &err), &err);
    for (size_t k = 0; k < 2; k++)
        check(&d, &RULES[k], 5);
    data_clear(&d);
}

/* Posts that are their own pool do not find themselves. */
static void a_post_does_not_find_itself(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_similar_scale scale;
    struct gm_similar_hit hits[20 * 2];
    size_t n_hits[20];
    struct data d;
    data_init(&d, 20, 1, 3);
    must(gm_similar_vectors_count_types(&d.posts, N_TYPES, &err), &err);
    must(gm_similar_extremes(&d.posts, &d.posts, &RULES[0], NULL, &scale, &err), &err);
    assert_float_equal(scale.max[GM_SIMILAR_TEXT], 1, 1e-6);
    must(gm_similar_search(&d.posts, &d.posts, &RULES[0], &scale, 2, NULL, hits, n_hits, &err),
         &err);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(n_hits[i], 2);
        assert_int_not_equal(hits[2 * i].post, i);
        assert_int_not_equal(hits[2 * i + 1].post, i);
    }
    data_clear(&d);
}

static void nothing_to_find(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_similar_scale scale;
    struct gm_similar_hit hits[6];
    size_t n_hits[3] = {9, 9, 9};
    struct data d;
    data_init(&d, 3, 0, 3);
    must(gm_similar_extremes(&d.pool, &d.posts, &RULES[0], NULL, &scale, &err), &err);
    assert_true(scale.min[0] > scale.max[0]);
    must(gm_similar_search(&d.pool, &d.posts, &RULES[0], &scale, 2, NULL, hits, n_hits, &err),
         &err);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(n_hits[i], 0);
    data_clear(&d);
}

/* ---- through an index ---- */

/* The share of the exact answers' places that the index fills as well (samples may be equally similar); what it
 * has is scored and ordered alike. */
static double recall(const struct data *d, const struct gm_similar_rule *rule, size_t k)
{
    struct gm_error err;
    struct gm_similar_scale scale;
    struct gm_similar_index *x;
    size_t n = d->posts.n, n_all = 0, n_same = 0;
    struct gm_similar_hit *a = calloc(n * k, sizeof *a), *b = calloc(n * k, sizeof *b);
    size_t *n_a = calloc(n, sizeof *n_a), *n_b = calloc(n, sizeof *n_b);
    const struct gm_similar_sides sides = {&d->pool, &d->posts, rule};
    assert_true(a && b && n_a && n_b);
    must(gm_similar_extremes(&d->pool, &d->posts, rule, NULL, &scale, &err), &err);
    must(gm_similar_search(&d->pool, &d->posts, rule, &scale, k, NULL, a, n_a, &err), &err);
    must(gm_similar_index_new(&x, &d->pool, rule, &scale, NULL, &err), &err);
    must(gm_similar_index_search(x, &d->posts, k, NULL, b, n_b, &err), &err);
    for (size_t q = 0; q < n; q++) {
        assert_int_equal(n_b[q], n_a[q]);
        for (size_t i = 0; i < n_b[q]; i++) {
            struct gm_similar_hit own;
            const struct gm_similar_hit *h = &b[q * k + i];
            gm_similar_score(&sides, &scale, q, h->post, &own);
            assert_true(h->score == own.score && (i == 0 || h[-1].score >= h->score));
            assert_false(
                gm_similar_vectors_alike(&d->posts, q, &d->pool, h->post, rule->duplicate));
            n_same += h->score >= a[q * k + i].score - 1e-9;
        }
        n_all += n_a[q];
    }
    gm_similar_index_free(x);
    free(a);
    free(b);
    free(n_a);
    free(n_b);
    return (double)n_same / (double)n_all;
}

static void an_index_finds_nearly_all(void **state)
{
    static const struct gm_similar_rule rules[] = {
        {{0.4, 0.2, 0.6}, false, 0.8}, {{0.4, 0, 0.6}, false, 0.8},  {{1, 0, 0}, false, 0.8},
        {{0, 1, 0}, false, 0.8},       {{0.4, 0.2, 0.6}, true, 0.8}, {{0, 0, 1}, true, 0.8}};
    (void)state;
    struct data d;
    data_init(&d, 60, 3000, 4);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        assert_true(recall(&d, &rules[i], 5) > 0.97);
    data_clear(&d);
    data_init(&d, 20, 200, 4); /* as many as are looked at */
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        assert_true(recall(&d, &rules[i], 5) == 1);
    data_clear(&d);
}

static void extremes_of_a_sample(void **state)
{
    (void)state;
    struct gm_error err;
    struct data d;
    struct gm_similar_scale all, some;
    const struct gm_similar_rule rule = {{0.4, 0.2, 0.6}, false, 0.8};
    data_init(&d, 30, 200, 4); /* so few pairs that all count */
    must(gm_similar_extremes(&d.pool, &d.posts, &rule, NULL, &all, &err), &err);
    must(gm_similar_extremes_sampled(&d.pool, &d.posts, &rule, &some, &err), &err);
    assert_memory_equal(&all, &some, sizeof all);
    data_clear(&d);
    data_init(&d, 1100, 2200, 4);
    must(gm_similar_extremes(&d.pool, &d.posts, &rule, NULL, &all, &err), &err);
    must(gm_similar_extremes_sampled(&d.pool, &d.posts, &rule, &some, &err), &err);
    for (size_t k = 0; k < GM_SIMILAR_PARTS; k++) { /* two of three pairs are among them */
        double range = all.max[k] - all.min[k];
        assert_true(some.min[k] >= all.min[k] - 1e-4 && some.min[k] < all.min[k] + 0.2 * range);
        assert_true(some.max[k] <= all.max[k] + 1e-4 && some.max[k] > all.max[k] - 0.2 * range);
    }
    data_clear(&d);
}

/* A pair at an end of the scale is at it, though the end was found by sums in another order. */
static void ends_of_the_scale(void **state)
{
    (void)state;
    struct data d;
    struct gm_similar_hit hit;
    const struct gm_similar_scale unit = {.max = {1, 1, 1}};
    const struct gm_similar_rule rule = {.weight = {1, 0, 0}};
    data_init(&d, 1, 1, 2);
    const struct gm_similar_sides sides = {&d.pool, &d.posts, &rule};
    gm_similar_score(&sides, &unit, 0, 0, &hit);
    double value = hit.value[GM_SIMILAR_TEXT];
    for (int i = -1; i <= 1; i++) {
        const double end = value + i * 1e-8;
        const struct gm_similar_scale lowest = {.min = {end}, .max = {end + 0.3}};
        const struct gm_similar_scale highest = {.min = {end - 0.3}, .max = {end}};
        gm_similar_score(&sides, &lowest, 0, 0, &hit);
        assert_true(hit.part[GM_SIMILAR_TEXT] == 0 && hit.score == 0);
        gm_similar_score(&sides, &highest, 0, 0, &hit);
        assert_true(hit.part[GM_SIMILAR_TEXT] == 1 && hit.score == 1);
    }
    const struct gm_similar_scale wide = {.min = {value - 0.1}, .max = {value + 0.3}};
    gm_similar_score(&sides, &wide, 0, 0, &hit);
    assert_true(fabs(hit.part[GM_SIMILAR_TEXT] - 0.25) < 1e-9);
    data_clear(&d);
}

static void count_calls(void *user, size_t done, size_t total)
{
    size_t *calls = user;
    assert_true(done == ++*calls && done <= total);
}

static void progress_is_told(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_similar_scale scale;
    struct data d;
    size_t calls = 0;
    const struct gm_similar_progress progress = {count_calls, &calls};
    data_init(&d, 300, 600, 2);
    must(gm_similar_extremes(&d.pool, &d.posts, &RULES[0], &progress, &scale, &err), &err);
    assert_true(calls >= 3);
    data_clear(&d);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_similar_scale scale;
    struct gm_similar_hit hits[6];
    size_t n_hits[3];
    struct data d;
    data_init(&d, 3, 20, 3);
    enum gm_status st = GM_ENOMEM;
    for (size_t nth = 1; st != GM_OK; nth++) {
        assert_in_range(nth, 1, 400);
        gm_alloc_fail_at(nth);
        st = gm_similar_extremes(&d.pool, &d.posts, &RULES[1], NULL, &scale, &err);
        if (st == GM_OK)
            st = gm_similar_search(&d.pool, &d.posts, &RULES[1], &scale, 2, NULL, hits, n_hits,
                                   &err);
        gm_alloc_fail_at(0);
        assert_true(st == GM_OK || st == GM_ENOMEM);
    }
    data_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(equals_the_definition, no_leak),
        cmocka_unit_test_teardown(many_entities_of_one_sample, no_leak),
        cmocka_unit_test_teardown(a_post_does_not_find_itself, no_leak),
        cmocka_unit_test_teardown(nothing_to_find, no_leak),
        cmocka_unit_test_teardown(an_index_finds_nearly_all, no_leak),
        cmocka_unit_test_teardown(extremes_of_a_sample, no_leak),
        cmocka_unit_test_teardown(ends_of_the_scale, no_leak),
        cmocka_unit_test_teardown(progress_is_told, no_leak),
        cmocka_unit_test_teardown(memory_may_run_out, no_leak),
    };
    gm_threads_set(3); /* more than blocks of posts, in some of the shapes */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
