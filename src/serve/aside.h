/* aside.h - answers that may wait for a disk or a decoder, on threads of their own: the server's threads go on with
 * other clients meanwhile. */
#ifndef GM_SERVE_ASIDE_H
#define GM_SERVE_ASIDE_H

#include "serve/httpd.h"

struct gm_aside;

/* gm_aside_start - so many threads, each of which calls `answer` with one call at a time. *out is yours. Errors:
 * NOMEM, IO (no more threads). */
enum gm_status gm_aside_start(struct gm_aside **out, size_t threads,
                              void (*answer)(void *user, struct gm_call *call), void *user,
                              struct gm_error *err) GM_NODISCARD;

/* gm_aside_put - hold the call until it has been answered there; false: too many wait, or it has been stopped, and
 * the call is still the caller's. Any thread. */
bool gm_aside_put(struct gm_aside *a, struct gm_call *call);

/* gm_aside_stop - take nothing more, and answer what waits. gm_aside_free - after that, when nobody puts any more.
 * Both NULL-safe. */
void gm_aside_stop(struct gm_aside *a);
void gm_aside_free(struct gm_aside *a);

#endif
