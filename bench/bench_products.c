/* bench_products.c - the rate that oneDNN reaches by itself on the products of one transformer layer:
 * each product alone, again and again, with its operands at hand. The limit that the whole engine is
 * compared with.
 *
 *   bench_products ROWS HIDDEN INNER bf16|f32 THREADS
 *
 * One JSON line: GFLOP/s of every product (the better of plain and packed weights; median of nine
 * rounds), and of the three sums: "forward", "backward" and "step" (both). */
#include "base/alloc.h"
#include "base/parallel.h"
#include "nn/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 9 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of one product: rounds of about 20 ms each. */
static double time_product(struct gm_engine *e, struct gm_matmul d, bool packed,
                           struct gm_error *err)
{
    struct gm_packed *p = NULL;
    size_t wide = sizeof(float);
    void *a = gm_alloc_aligned(d.m * d.k, wide), *b = gm_alloc_aligned(d.k * d.n, wide);
    void *c = gm_alloc_aligned(d.m * d.n, wide);
    memset(a, 0, d.m * d.k * wide);
    memset(b, 0, d.k * d.n * wide);
    enum gm_status st = GM_OK;
    double all[ROUNDS];
    d.b_layout = packed ? GM_B_PACKED : GM_B_ROWS;
    if (packed)
        st = gm_pack(e, &p, b, d.dtype, d.k, d.n, false, err);
    for (size_t r = 0; r < ROUNDS && st == GM_OK; r++) {
        size_t n = 0;
        double start = seconds(), now = start;
        for (; now - start < 0.02 && st == GM_OK; n++, now = seconds())
            st = gm_matmul_run(e, &d, a, packed ? (void *)p : b, NULL, c, err);
        all[r] = (now - start) / (double)n;
    }
    qsort(all, ROUNDS, sizeof *all, by_value);
    gm_packed_free(p);
    gm_free(a);
    gm_free(b);
    gm_free(c);
    if (st != GM_OK) {
        fprintf(stderr, "bench_products: %s\n", err->msg);
        exit(1);
    }
    return all[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    struct gm_error err = {0};
    struct gm_engine *e;
    if (argc != 6) {
        fprintf(stderr, "usage: bench_products ROWS HIDDEN INNER bf16|f32 THREADS\n");
        return 2;
    }
    size_t rows = strtoul(argv[1], NULL, 10), h = strtoul(argv[2], NULL, 10),
           f = strtoul(argv[3], NULL, 10);
    enum gm_dtype t = strcmp(argv[4], "bf16") == 0 ? GM_BF16 : GM_F32;
    gm_threads_set(strtoul(argv[5], NULL, 10));
    if (gm_engine_new(&e, &err) != GM_OK)
        return 1;
    const struct {
        const char *name;
        size_t k, n;
    } layers[] = {{"qkv", h, 3 * h}, {"out", h, h}, {"up", h, f}, {"down", f, h}};
    double sums[3] = {0}, work = 0;
    printf("{");
    for (size_t i = 0; i < 4; i++) {
        size_t k = layers[i].k, n = layers[i].n;
        struct gm_matmul y = {.m = rows, .k = k, .n = n, .dtype = t, .dst_dtype = t};
        struct gm_matmul dx = {.m = rows, .k = n, .n = k, .dtype = t, .dst_dtype = t};
        struct gm_matmul dw = {
            .m = n, .k = rows, .n = k, .dtype = t, .dst_dtype = GM_F32, .a_trans = true};
        const struct gm_matmul all[] = {y, dx, dw};
        double flops = 2e-9 * (double)rows * (double)k * (double)n;
        const char *part[] = {"y", "dx", "dw"};
        for (size_t j = 0; j < 3; j++) {
            double plain = time_product(e, all[j], false, &err),
                   packed = time_product(e, all[j], true, &err);
            double best = plain < packed ? plain : packed;
            printf("\"%s_%s\": [%.0f, %.0f], ", layers[i].name, part[j], flops / plain,
                   flops / packed);
            sums[j] += best;
        }
        work += flops;
    }
    printf("\"forward\": %.0f, \"backward\": %.0f, \"step\": %.0f}\n", work / sums[0],
           2 * work / (sums[1] + sums[2]), 3 * work / (sums[0] + sums[1] + sums[2]));
    gm_engine_free(e);
    return 0;
}
