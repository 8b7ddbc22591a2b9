#include "base/stop.h"

#include "base/temp.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

/* A signal handler has nothing but globals to write to; every thread reads this one. */
static atomic_int caught, requested;
static atomic_bool is_gentle;

static _Thread_local struct gm_limit limit;
static _Thread_local const atomic_bool *watched;

static void on_signal(int number)
{
    if (caught)
        gm_temp_die(number);
    caught = number;
    if (!is_gentle)
        requested = number;
}

void gm_stop_catch(void)
{
    /* Without SA_RESTART: who waits for input from a terminal or pipe wakes up. */
    struct sigaction a = {.sa_handler = on_signal};
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

void gm_stop_catch_gently(void)
{
    is_gentle = true;
    gm_stop_catch();
}

void gm_stop_now(void) { requested = caught ? caught : SIGTERM; }

bool gm_stop_requested(void) { return requested != 0; }

int gm_stop_signal(void) { return caught; }

void gm_stop_watch(const atomic_bool *flag) { watched = flag; }

const atomic_bool *gm_stop_watched(void) { return watched; }

bool gm_stop_asked(void) { return watched && atomic_load(watched); }

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

void gm_limit_begin(double seconds)
{
    limit = (struct gm_limit){.is_set = true, .seconds = seconds, .flag = watched};
    if (seconds > 0)
        limit.end_ns = now_ns() + (long long)(seconds * 1e9);
}

void gm_limit_end(void) { limit = (struct gm_limit){0}; }

struct gm_limit gm_limit_get(void) { return limit; }

bool gm_limit_is_over(const struct gm_limit *l) { return l->seconds > 0 && now_ns() >= l->end_ns; }

enum gm_status gm_limit_check(const struct gm_limit *l, struct gm_error *err)
{
    if (!l->is_set)
        return GM_OK;
    if (gm_stop_requested() || (l->flag && atomic_load(l->flag)))
        return GM_FAIL(err, GM_ECANCEL, "stopped on request");
    if (gm_limit_is_over(l))
        return GM_FAIL(err, GM_EAGAIN, "took longer than the %g seconds that a post may take",
                       l->seconds);
    return GM_OK;
}
