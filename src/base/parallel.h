/* parallel.h - the one thread budget of the process, and threads that take their part of it. Our loops
 * and oneDNN share OpenMP's threads, so that they never stack up; OpenVINO is told the same number. */
#ifndef GM_BASE_PARALLEL_H
#define GM_BASE_PARALLEL_H

#include "base/status.h"

#include <pthread.h>
#include <stddef.h>

/* gm_threads_set - the calling thread's budget, at most 1,024; 0 = leave it as it is: OMP_NUM_THREADS, else
 * all cores the process may use. Called once by the program, before work starts. gm_threads - the calling
 * thread's budget. */
void gm_threads_set(size_t n);
size_t gm_threads(void);

/* gm_cores - that the process may use. */
size_t gm_cores(void);

/* gm_threads_begin - start the threads of the calling thread's budget before there is work for them. Where
 * the system gives fewer (memory, or a limit on their number), the budget becomes what it gives, and a
 * warning says so: OpenMP's runtime would end the process in the middle of its work. */
void gm_threads_begin(void);

/* gm_thread_start - a thread that runs fn(arg) with a budget of its own, so that what it computes
 * adds no more than that to the process: OpenMP's setting holds for the thread that made it, and a
 * thread that says nothing would have all cores. Signals stay with the threads there were before;
 * only faults of its own (SIGSEGV and its kind) reach the new one. Every thread of ours is started
 * here. End it with pthread_join. budget >= 1. Errors: IO (the system allows no more), NOMEM. */
enum gm_status gm_thread_start(pthread_t *out, size_t budget, void *(*fn)(void *), void *arg,
                               struct gm_error *err) GM_NODISCARD;

/* gm_parallel_for - fn(ctx, i) for every i in [0, n) over the budget's threads, in no set order;
 * returns when all are done. Static split: item i runs on the same thread every time. fn must not
 * call it again. */
void gm_parallel_for(size_t n, void (*fn)(void *ctx, size_t i), void *ctx);

/* gm_parallel_tasks - fn(ctx, lane, i) for every i in [0, n) on at most `lanes` threads of the
 * budget, for items of uneven cost: a thread that is free takes the next one. `lane`, in [0, lanes),
 * is the thread's own while the call lasts, so that what belongs to a lane needs no lock. Where
 * there are several lanes and items, what fn calls has a budget of one thread; else all of it, but one thread
 * in the process of a host (base/host.h), whose OpenMP is not ours to set. fn must not call it again. */
void gm_parallel_tasks(size_t n, size_t lanes, void (*fn)(void *ctx, size_t lane, size_t i),
                       void *ctx);

#endif
