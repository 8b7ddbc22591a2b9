/* aside.h - answers that may wait for a disk or a decoder, on threads of their own: the server's threads go on with
 * other clients meanwhile.
 *
 * An answer has its time from when the call is put. Who waits longer is told so, and who has gone meanwhile has no
 * work done, unless it is something to be kept (POST). While a call is answered the thread has the rest of its time as
 * its limit (base/stop.h), which also ends at a stop: what takes long looks at it. */
#ifndef GM_SERVE_ASIDE_H
#define GM_SERVE_ASIDE_H

#include "serve/httpd.h"

struct gm_aside;

/* gm_aside_start - so many threads, each of which calls `answer` with one call at a time, which has so many seconds.
 * *out is yours. Errors: NOMEM, IO (no more threads). */
enum gm_status gm_aside_start(struct gm_aside **out, size_t threads, double seconds,
                              void (*answer)(void *user, struct gm_call *call), void *user,
                              struct gm_error *err) GM_NODISCARD;

/* gm_aside_put - hold the call until it has been answered there; false: too many wait, or it has been stopped, and
 * the call is still the caller's. Any thread. */
bool gm_aside_put(struct gm_aside *a, struct gm_call *call);

/* gm_aside_tick - answer those who wait and whose time is over, or who have gone; some times a second.
 * gm_aside_count - how many wait or are answered now. Both NULL-safe, and from any thread. */
void gm_aside_tick(struct gm_aside *a);
size_t gm_aside_count(struct gm_aside *a);

/* gm_aside_close - take nothing more; what is there is answered. gm_aside_stop - close it and wait for that; where
 * gm_stop_requested, who waits is told that the server stops. gm_aside_free - after that, when nobody puts any more.
 * All NULL-safe. */
void gm_aside_close(struct gm_aside *a);
void gm_aside_stop(struct gm_aside *a);
void gm_aside_free(struct gm_aside *a);

#endif
