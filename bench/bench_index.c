/* bench_index.c - the approximate index beside the exact search, on vectors that are like real ones:
 *
 *   bench_index TRAIN POSTS POOL sum|best|text K THREADS
 *
 * TRAIN is a file of annotated posts, which go through the sentence encoder. A post of the benchmark is put
 * together from two of them: its text's vector is a random mean of theirs with a third of noise, its entities
 * are some of theirs, their names' vectors with a tenth of noise. One JSON line: processor seconds of the exact extremes
 * and search, of the sampled extremes, of building and searching the index, the most that the process held, and
 * the share of the exact answer's samples that the index's has, for each with the exact scale and with its own. */
#include "base/alloc.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "formats/reader.h"
#include "similar/index.h"
#include "similar/similar.h"
#include "similar/vector_cache.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Seconds of the process's processors, which other processes don't lengthen. */
static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum { BATCH = 256, ENTITIES = 6, NAME = 48 };

static enum gm_status read_base(struct gm_similar_pool **out, const char *path,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *r = NULL;
    struct gm_post posts[BATCH], *each[BATCH];
    struct gm_similar_opts o = gm_similar_opts_default();
    struct gm_arena a;
    bool has = true;
    gm_arena_init(&a, 0);
    o.cache = gm_vector_cache_path(&a);
    GM_TRY(gm_similar_pool_new(out, &o, err));
    GM_TRY(gm_reader_open(&r, path, NULL, err));
    while (has) {
        size_t n = 0;
        for (; n < BATCH && st == GM_OK; n++) {
            st = gm_reader_next(r, &posts[n], &has, err);
            if (st != GM_OK || !has)
                break;
            each[n] = &posts[n];
        }
        if (st == GM_OK)
            st = gm_similar_pool_add(*out, each, n, err);
        for (size_t i = 0; i < n; i++)
            gm_post_clear(&posts[i]);
        GM_TRY(st);
    }
    st = gm_similar_pool_finish(*out, err);
done:
    gm_reader_free(r);
    gm_arena_clear(&a);
    return st;
}

/* out = (x u + y (1 - u)) / length, with `noise` of a random direction added before. */
static void mix(struct gm_rng *r, const float *x, const float *y, double u, double noise, size_t n,
                float *out)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double g =
            (gm_rng_uniform(r) + gm_rng_uniform(r) + gm_rng_uniform(r) - 1.5) * 2; /* variance 1 */
        out[i] = (float)(u * (double)x[i] + (1 - u) * (double)y[i] + noise * g / sqrt((double)n));
        sum += (double)out[i] * (double)out[i];
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (float)((double)out[i] / sqrt(sum));
}

static enum gm_status add_entities(struct gm_similar_vectors *v,
                                   const struct gm_similar_vectors *base, size_t of,
                                   struct gm_rng *r, struct gm_similar_entity *e, size_t *n,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    float *x = gm_alloc(v->dim, sizeof *x);
    char name[NAME];
    size_t n_own;
    const struct gm_similar_entity *own = gm_similar_vectors_entities(base, of, &n_own);
    for (size_t i = 0; i < n_own && *n < ENTITIES; i++) {
        size_t kind = gm_rng_below(r, 100), known = v->names.n; /* variants of a name */
        const float *row = gm_similar_vectors_row(&base->name, v->dim, own[i].name);
        if (gm_rng_uniform(r) < 0.3)
            continue;
        snprintf(name, sizeof name, "%u.%zu", own[i].name, kind);
        GM_TRY(gm_labels_add(&v->names, gm_str(name), &e[*n].name, err));
        if (v->names.n > known) {
            mix(r, row, row, 1, kind ? 0.1 : 0, v->dim, x);
            GM_TRY(gm_buf_add(&v->name, x, v->dim * sizeof *x, err));
        }
        e[(*n)++].type = own[i].type;
    }
done:
    gm_free(x);
    return st;
}

static enum gm_status augment(struct gm_similar_vectors *v, const struct gm_similar_vectors *base,
                              size_t n, uint64_t seed, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_rng r;
    float *x = gm_alloc(base->dim, sizeof *x);
    char text[64];
    gm_rng_init(&r, seed);
    gm_similar_vectors_init(v, base->dim, 0);
    for (size_t i = 0; i < n; i++) {
        struct gm_similar_entity e[ENTITIES];
        size_t a = gm_rng_below(&r, base->n), b = gm_rng_below(&r, base->n), n_e = 0;
        mix(&r, gm_similar_vectors_row(&base->text, base->dim, a),
            gm_similar_vectors_row(&base->text, base->dim, b), gm_rng_uniform(&r), 0.33, base->dim,
            x);
        GM_TRY(add_entities(v, base, a, &r, e, &n_e, err));
        GM_TRY(add_entities(v, base, b, &r, e, &n_e, err));
        snprintf(text, sizeof text, "a b c d e f g h %zu %zu", (size_t)seed, i);
        GM_TRY(gm_similar_vectors_add(v, gm_str(text), x, NULL, e, n_e, err));
    }
    st = gm_similar_vectors_count_types(v, base->n_types, err);
done:
    gm_free(x);
    return st;
}

static double share(const struct gm_similar_hit *exact, const size_t *n_exact,
                    const struct gm_similar_hit *found, const size_t *n_found, size_t n, size_t k)
{
    size_t all = 0, same = 0;
    for (size_t q = 0; q < n; q++)
        for (size_t i = 0; i < n_exact[q]; i++, all++)
            for (size_t j = 0; j < n_found[q]; j++)
                same += exact[q * k + i].post == found[q * k + j].post;
    return (double)same / (double)(all ? all : 1);
}

struct job {
    struct gm_similar_vectors pool, posts;
    struct gm_similar_rule rule;
    size_t n, k;
    struct gm_similar_hit *exact, *found;
    size_t *n_exact, *n_found;
};

static enum gm_status search_by(struct job *j, const struct gm_similar_scale *scale,
                                const char *name, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_similar_index *x = NULL;
    double start = cpu_s();
    GM_TRY(gm_similar_index_new(&x, &j->pool, &j->rule, scale, NULL, err));
    double middle = cpu_s();
    GM_TRY(gm_similar_index_search(x, &j->posts, j->k, NULL, j->found, j->n_found, err));
    printf(", \"%s_build_s\": %.2f, \"%s_search_s\": %.3f, \"%s_recall\": %.4f", name,
           middle - start, name, cpu_s() - middle, name,
           share(j->exact, j->n_exact, j->found, j->n_found, j->n, j->k));
    fflush(stdout);
done:
    gm_similar_index_free(x);
    return st;
}

static enum gm_status measure(struct job *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_similar_scale scale, sampled;
    struct rusage used;
    double t0 = cpu_s();
    GM_TRY(gm_similar_extremes(&j->pool, &j->posts, &j->rule, NULL, &scale, err));
    double t1 = cpu_s();
    GM_TRY(gm_similar_search(&j->pool, &j->posts, &j->rule, &scale, j->k, NULL, j->exact,
                             j->n_exact, err));
    double t2 = cpu_s();
    GM_TRY(gm_similar_extremes_sampled(&j->pool, &j->posts, &j->rule, &sampled, err));
    printf("{\"extremes_s\": %.3f, \"search_s\": %.3f, \"sampled_s\": %.3f", t1 - t0, t2 - t1,
           cpu_s() - t2);
    fflush(stdout);
    GM_TRY(search_by(j, &sampled, "index", err));
    getrusage(RUSAGE_SELF, &used);
    printf(
        ", \"peak_mb\": %.0f, \"text\": [%.3f, %.3f, %.3f, %.3f], \"entity\": [%.3f, %.3f, %.3f, %.3f]}\n",
        (double)used.ru_maxrss / 1024, scale.min[0], scale.max[0], sampled.min[0], sampled.max[0],
        scale.min[2], scale.max[2], sampled.min[2], sampled.max[2]);
done:
    return st;
}

int main(int argc, char **argv)
{
    enum gm_status st = GM_OK;
    struct gm_error err;
    struct gm_similar_pool *base = NULL;
    struct job j = {.rule = {.weight = {0.4, 0, 0.6}, .duplicate = 0.95}};
    if (argc != 7) {
        fprintf(stderr, "usage: bench_index TRAIN POSTS POOL sum|best|text K THREADS\n");
        return 2;
    }
    j.rule.best = strcmp(argv[4], "best") == 0;
    if (strcmp(argv[4], "text") == 0)
        j.rule.weight[GM_SIMILAR_ENTITY] = 0;
    gm_threads_set(strtoul(argv[6], NULL, 10));
    j.n = strtoul(argv[2], NULL, 10);
    j.k = strtoul(argv[5], NULL, 10);
    j.exact = gm_alloc(j.n * j.k, sizeof *j.exact);
    j.found = gm_alloc(j.n * j.k, sizeof *j.found);
    j.n_exact = gm_alloc(j.n, sizeof *j.n_exact);
    j.n_found = gm_alloc(j.n, sizeof *j.n_found);
    GM_TRY(j.exact && j.found && j.n_exact && j.n_found
               ? GM_OK
               : GM_FAIL(&err, GM_ENOMEM, "out of memory"));
    GM_TRY(read_base(&base, argv[1], &err));
    GM_TRY(augment(&j.pool, gm_similar_pool_vectors(base), strtoul(argv[3], NULL, 10), 1, &err));
    GM_TRY(augment(&j.posts, gm_similar_pool_vectors(base), j.n, 2, &err));
    st = measure(&j, &err);
done:
    if (st != GM_OK)
        fprintf(stderr, "bench_index: %s\n", err.msg);
    gm_similar_pool_free(base);
    return st != GM_OK;
}
