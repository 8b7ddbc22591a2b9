/* shared.h - what is costly to make and only read, such as the weights of a model: made once, used by all
 * sessions of a host (base/host.h).
 *
 * A registry has one thing for each name. It belongs to the host, which frees it behind all sessions;
 * things stay in it until then, so that a session that comes later finds them. Where the calling
 * thread has no registry, as in the program, a thing is made for its caller alone, or, of a kind that
 * is counted, for all who hold it at the same time. */
#ifndef GM_BASE_SHARED_H
#define GM_BASE_SHARED_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>

struct gm_shared;

/* gm_shared_new - an empty registry. gm_shared_free - frees the things, the last one made first; no
 * session uses them any more. NULL-safe. Errors: NOMEM. */
enum gm_status gm_shared_new(struct gm_shared **out, struct gm_error *err) GM_NODISCARD;
void gm_shared_free(struct gm_shared *s);

/* How a kind of things is made of what its caller hands over, and freed (NULL-safe). */
struct gm_shared_kind {
    const char *name;
    enum gm_status (*make)(void **thing, const void *how, struct gm_error *err);
    void (*free)(void *thing);
    bool is_counted; /* shared without a registry, too; freed by the last who drops it */
};

/* One caller's hold on a thing. */
struct gm_held {
    void *thing;
    const struct gm_shared_kind *own; /* whose caller frees it; NULL = a registry does */
};

/* gm_shared_get - the thing of this kind and name, made with `how` where there is none yet: the name
 * says all that it depends on. Who asks for one that another thread makes waits for it; one that could
 * not be made is tried anew by the next caller. Errors: those of make; NOMEM. Threads: yes. */
enum gm_status gm_shared_get(struct gm_held *out, const struct gm_shared_kind *kind,
                             struct gm_str name, const void *how,
                             struct gm_error *err) GM_NODISCARD;
/* gm_shared_drop - the caller needs it no more; one that is zeroed is fine. */
void gm_shared_drop(struct gm_held *h);

#endif
