#include "base/parallel.h"

#include <omp.h>

void gm_threads_set(size_t n)
{
    if (n > 0)
        omp_set_num_threads(n > 1024 ? 1024 : (int)n);
}

size_t gm_threads(void) { return (size_t)omp_get_max_threads(); }

void gm_parallel_for(size_t n, void (*fn)(void *ctx, size_t i), void *ctx)
{
#pragma omp parallel for schedule(static) if (n > 1)
    for (size_t i = 0; i < n; i++)
        fn(ctx, i);
}

void gm_parallel_tasks(size_t n, size_t lanes, void (*fn)(void *ctx, size_t lane, size_t i),
                       void *ctx)
{
    if (lanes > gm_threads())
        lanes = gm_threads();
    if (n < 2 || lanes < 2) {
        for (size_t i = 0; i < n; i++)
            fn(ctx, 0, i);
        return;
    }
#pragma omp parallel num_threads((int)lanes)
    {
        omp_set_num_threads(1); /* of what fn calls: the setting ends with this region */
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < n; i++)
            fn(ctx, (size_t)omp_get_thread_num(), i);
    }
}
