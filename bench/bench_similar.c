/* bench_similar.c - the search for similar posts without the encoders: random vectors of the shapes of
 * all-MiniLM-L6-v2's, zero to three entities a post, four types.
 *
 *   bench_similar POSTS POOL IMAGE_DIM sum|best K THREADS
 *
 * One JSON line: seconds of the extremes and of the search, and the most that the process held. */
#include "base/alloc.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/rng.h"
#include "similar/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { DIM = 384, MAX_DIM = 4096, TYPES = 4 };

static void unit_row(struct gm_rng *r, float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(gm_rng_uniform(r) - 0.4);
        sum += (double)x[i] * (double)x[i];
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] / sqrt(sum));
}

static enum gm_status fill(struct gm_similar_vectors *v, size_t n, size_t image_dim, uint64_t seed,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_rng r;
    float x[DIM], image[MAX_DIM];
    gm_rng_init(&r, seed);
    gm_similar_vectors_init(v, DIM, image_dim);
    for (size_t i = 0; i < n && st == GM_OK; i++) {
        struct gm_similar_entity e[3];
        char text[64];
        for (size_t k = 0; k < i % 4; k++) {
            unit_row(&r, x, DIM);
            snprintf(text, sizeof text, "%zu %zu", i, k);
            GM_TRY(gm_labels_add(&v->names, gm_str(text), &e[k].name, err));
            GM_TRY(gm_buf_add(&v->name, x, sizeof x, err));
            e[k].type = (uint32_t)gm_rng_below(&r, TYPES);
        }
        unit_row(&r, x, DIM);
        unit_row(&r, image, image_dim);
        snprintf(text, sizeof text, "a b c d e f g h %zu %zu", (size_t)seed, i);
        st = gm_similar_vectors_add(v, gm_str(text), x, image_dim ? image : NULL, e, i % 4, err);
    }
done:
    return st;
}

int main(int argc, char **argv)
{
    enum gm_status st = GM_OK;
    struct gm_error err;
    struct gm_similar_vectors pool, posts;
    struct gm_similar_scale scale;
    struct rusage used;
    if (argc != 7) {
        fprintf(stderr, "usage: bench_similar POSTS POOL IMAGE_DIM sum|best K THREADS\n");
        return 2;
    }
    size_t n = strtoul(argv[1], NULL, 10), image_dim = strtoul(argv[3], NULL, 10) % MAX_DIM;
    size_t k = strtoul(argv[5], NULL, 10);
    struct gm_similar_rule rule = {.weight = {0.4, image_dim ? 0.2 : 0, 0.6},
                                   .duplicate = 0.95,
                                   .best = strcmp(argv[4], "best") == 0};
    struct gm_similar_hit *hits = gm_alloc(n * k, sizeof *hits);
    size_t *n_hits = gm_alloc(n, sizeof *n_hits);
    gm_threads_set(strtoul(argv[6], NULL, 10));
    GM_TRY(hits && n_hits ? GM_OK : GM_FAIL(&err, GM_ENOMEM, "out of memory"));
    GM_TRY(fill(&pool, strtoul(argv[2], NULL, 10), image_dim, 1, &err));
    GM_TRY(fill(&posts, n, image_dim, 2, &err));
    GM_TRY(gm_similar_vectors_count_types(&pool, TYPES, &err));
    double start = gm_clock_s();
    GM_TRY(gm_similar_extremes(&pool, &posts, &rule, NULL, &scale, &err));
    double middle = gm_clock_s();
    GM_TRY(gm_similar_search(&pool, &posts, &rule, &scale, k, NULL, hits, n_hits, &err));
    double end = gm_clock_s();
    getrusage(RUSAGE_SELF, &used);
    printf("{\"extremes_s\": %.4f, \"search_s\": %.4f, \"peak_mb\": %.1f}\n", middle - start,
           end - middle, (double)used.ru_maxrss / 1024);
done:
    if (st != GM_OK)
        fprintf(stderr, "bench_similar: %s\n", err.msg);
    gm_free(hits);
    gm_free(n_hits);
    return st != GM_OK;
}
