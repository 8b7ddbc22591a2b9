/* clock.h - the monotonic clock, for deadlines and durations. */
#ifndef GM_SERVE_CLOCK_H
#define GM_SERVE_CLOCK_H

#include <time.h>

static inline long long gm_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
