/* A pool of samples with the packaged sentence encoder: what a stage asks for. */
#include "unit.h"

#include "base/file.h"
#include "base/parallel.h"
#include "similar/similar.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SAMPLES = 6, K = 3 };

/* text | name/type of its entity ... */
static const char *const SAMPLES[N_SAMPLES][3] = {
    {"Angelina Jolie was only 16 years old in this photo", "Angelina Jolie", "PER"},
    {"Manchester United beat Chelsea two goals to one", "Manchester United", "ORG"},
    {"The rain in Nairobi does not stop this week", "Nairobi", "LOC"},
    {"A young actress, sixteen years old, in an early photograph", NULL, NULL},
    {"Chelsea sign a new goalkeeper from Real Madrid", "Chelsea", "ORG"},
    {"Weather : heavy rain over Mombasa and Nairobi", "Mombasa", "LOC"}};

static void post_init(struct gm_post *p, const char *text, const char *name, const char *type)
{
    gm_post_init(p);
    p->id = GM_STR("x");
    p->text = gm_str(text);
    if (!name)
        return;
    p->entities = gm_arena_alloc(&p->arena, 1, sizeof *p->entities);
    assert_non_null(p->entities);
    p->entities[0] = (struct gm_entity){.text = gm_str(name), .type = gm_str(type)};
    p->n_entities = 1;
    p->has_entities = true;
}

static struct gm_similar_pool *load_pool(void)
{
    struct gm_error err;
    struct gm_post posts[N_SAMPLES], *each[N_SAMPLES];
    struct gm_similar_pool *pool;
    struct gm_similar_opts o = gm_similar_opts_default();
    for (size_t i = 0; i < N_SAMPLES; i++) {
        post_init(&posts[i], SAMPLES[i][0], SAMPLES[i][1], SAMPLES[i][2]);
        each[i] = &posts[i];
    }
    must(gm_similar_pool_load(&pool, each, N_SAMPLES, &o, &err), &err);
    for (size_t i = 0; i < N_SAMPLES; i++)
        gm_post_clear(&posts[i]); /* the pool keeps nothing of them */
    return pool;
}

static size_t find(struct gm_similar_pool *pool, struct gm_post *p, struct gm_similar_hit hits[K])
{
    struct gm_error err;
    size_t n;
    must(gm_similar_find(pool, &p, 1, K, hits, &n, &err), &err);
    return n;
}

static void finds_what_is_alike(void **state)
{
    (void)state;
    struct gm_similar_pool *pool = load_pool();
    struct gm_similar_hit hits[K];
    struct gm_post p;
    post_init(&p, "Floods in Nairobi after days of rain", "Nairobi", "LOC");
    assert_int_equal(find(pool, &p, hits), K);
    assert_int_equal(hits[0].post, 2); /* the same name and type */
    assert_float_equal(hits[0].value[GM_SIMILAR_ENTITY], 1.8, 1e-6);
    assert_int_equal(hits[1].post, 5); /* another place, rain again */
    assert_true(isnan(hits[0].part[GM_SIMILAR_IMAGE]));
    gm_post_clear(&p);
    post_init(&p, "A photo of the actress when she was sixteen", NULL, NULL);
    assert_int_equal(find(pool, &p, hits), K);
    assert_true(hits[0].post == 3 || hits[0].post == 0);
    assert_float_equal(hits[0].value[GM_SIMILAR_ENTITY], 0, 0);
    gm_post_clear(&p);
    /* A sample itself, and one in other letters, do not find it. */
    for (int i = 0; i < 2; i++) {
        post_init(&p, i ? "MANCHESTER United beat CHELSEA two goals to one !" : SAMPLES[1][0],
                  "Chelsea", "ORG");
        assert_int_equal(find(pool, &p, hits), K);
        for (size_t k = 0; k < K; k++)
            assert_int_not_equal(hits[k].post, 1);
        assert_int_equal(hits[0].post, 4);
        gm_post_clear(&p);
    }
    gm_similar_pool_free(pool);
}

struct asking {
    struct gm_similar_pool *pool;
    struct gm_similar_hit hits[N_SAMPLES][K];
};

static void *ask_often(void *arg)
{
    struct asking *a = arg;
    for (int times = 0; times < 4; times++)
        for (size_t i = 0; i < N_SAMPLES; i++) {
            struct gm_post p;
            post_init(&p, SAMPLES[i][0], SAMPLES[i][1], SAMPLES[i][2]);
            (void)find(a->pool, &p, a->hits[i]);
            gm_post_clear(&p);
        }
    return NULL;
}

/* What a post finds depends neither on the posts asked about with it nor on other threads. */
static void threads_and_batches_do_not_matter(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    struct gm_error err;
    struct gm_similar_pool *pool = load_pool();
    struct gm_post posts[N_SAMPLES], *each[N_SAMPLES];
    struct gm_similar_hit all[N_SAMPLES * K];
    size_t n_hits[N_SAMPLES];
    pthread_t threads[THREADS];
    static struct asking asking[THREADS];
    for (size_t i = 0; i < N_SAMPLES; i++) {
        post_init(&posts[i], SAMPLES[i][0], SAMPLES[i][1], SAMPLES[i][2]);
        each[i] = &posts[i];
    }
    must(gm_similar_find(pool, each, N_SAMPLES, K, all, n_hits, &err), &err);
    for (size_t t = 0; t < THREADS; t++) {
        asking[t].pool = pool;
        must(gm_thread_start(&threads[t], 1, ask_often, &asking[t], &err), &err);
    }
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_join(threads[t], NULL), 0);
    for (size_t i = 0; i < N_SAMPLES; i++)
        for (size_t t = 0; t < THREADS; t++)
            for (size_t k = 0; k < K; k++) {
                assert_int_equal(asking[t].hits[i][k].post, all[i * K + k].post);
                assert_float_equal(asking[t].hits[i][k].score, all[i * K + k].score, 1e-5);
            }
    for (size_t i = 0; i < N_SAMPLES; i++)
        gm_post_clear(&posts[i]);
    gm_similar_pool_free(pool);
}

static void what_can_not_be_done_is_said(void **state)
{
    (void)state;
    struct gm_error err;
    struct gm_similar_pool *pool;
    struct gm_similar_opts o = gm_similar_opts_default();
    o.rule.weight[GM_SIMILAR_TEXT] = o.rule.weight[GM_SIMILAR_ENTITY] = 0;
    assert_int_equal(gm_similar_pool_new(&pool, &o, &err), GM_EARG);
    assert_non_null(strstr(err.msg, "--clip"));
    o = gm_similar_opts_default();
    o.encoder = "/nowhere/encoder";
    assert_int_not_equal(gm_similar_pool_new(&pool, &o, &err), GM_OK);
    assert_null(pool);
    assert_non_null(strstr(err.msg, "/nowhere/encoder"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(finds_what_is_alike, no_leak),
        cmocka_unit_test_teardown(threads_and_batches_do_not_matter, no_leak),
        cmocka_unit_test_teardown(what_can_not_be_done_is_said, no_leak),
    };
    setenv("GMNER_HOME", ".", 1);
    skip_all_if(!gm_is_file(".deps/models/minilm/model.safetensors"),
                "no .deps/models/minilm; `make setup` gets it");
    gm_threads_set(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
