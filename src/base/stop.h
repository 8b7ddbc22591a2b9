/* stop.h - ending long work early: when the user asks for it (Ctrl-C, SIGTERM), and when it has taken
 * longer than it may. */
#ifndef GM_BASE_STOP_H
#define GM_BASE_STOP_H

#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>

/* gm_stop_catch - from now on the first SIGINT or SIGTERM only makes gm_stop_requested true; the
 * second ends the process as usual. Called once by the program, before threads start. */
void gm_stop_catch(void);
/* gm_stop_catch_gently - the same for a server, which finishes what it has: the first signal only shows in
 * gm_stop_signal, and gm_stop_now makes gm_stop_requested true when the time for that is over. */
void gm_stop_catch_gently(void);
void gm_stop_now(void);
/* gm_stop_requested - from any thread. gm_stop_signal - which signal asked for it; 0 = none has. */
bool gm_stop_requested(void);
int gm_stop_signal(void);

/* gm_stop_watch - what the calling thread does from here on is also to end once the flag is set; it is set
 * by any thread, and borrowed until the next call; NULL = none. gm_stop_watched - the flag, for the threads that
 * work for this one. gm_stop_asked - whether it is set. */
void gm_stop_watch(const atomic_bool *flag);
const atomic_bool *gm_stop_watched(void);
bool gm_stop_asked(void);

/* How long a piece of work may take. One is set for the calling thread and not handed down as a
 * parameter, because it says nothing about the work, which is the same with and without. */
struct gm_limit {
    bool is_set;             /* false: neither a stop nor the time ends the work */
    double seconds;          /* 0 = as long as it takes */
    long long end_ns;        /* on the monotonic clock; of seconds > 0 */
    const atomic_bool *flag; /* ends it once it is set; NULL = none */
};

/* gm_limit_begin - what this thread does from here on may take so many seconds (0 = any number), and
 * ends early when a stop is requested or the thread's flag is set, until gm_limit_end. gm_limit_get - the calling thread's, to be
 * checked by the threads that work for it. gm_limit_is_over - whether its time is. */
void gm_limit_begin(double seconds);
void gm_limit_end(void);
struct gm_limit gm_limit_get(void);
bool gm_limit_is_over(const struct gm_limit *l);

/* gm_limit_check - OK to go on. Errors: CANCEL (a stop was requested), AGAIN (the time is over).
 * Cheap enough for every few milliseconds' work. Threads: yes. */
enum gm_status gm_limit_check(const struct gm_limit *l, struct gm_error *err) GM_NODISCARD;

#endif
