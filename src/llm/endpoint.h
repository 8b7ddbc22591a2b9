/* endpoint.h - one server: its load, its health, and when it may be asked again. Times are seconds
 * of gm_clock_s. Plain data without locks: the client's thread is the only user. */
#ifndef GM_LLM_ENDPOINT_H
#define GM_LLM_ENDPOINT_H

#include "llm/http.h"

struct gm_endpoint {
    struct gm_http_target *target; /* owned */
    const char *key;               /* borrowed; NULL = none */
    char *name;                    /* the URL without its query, for messages; owned */
    size_t in_flight;
    size_t n_ok;
    unsigned refused; /* parameters that it doesn't take: GM_LLM_P_… (message.h) */
    bool answers;     /* its last failure was a reply, not silence */
    /* cool-down: the server said 429 or Retry-After */
    double cool_until; /* no request before */
    double cool_since; /* when that cool-down began */
    double told_s;     /* the longest wait that the user was told of */
    /* circuit breaker */
    size_t fails_in_row;
    double rest_s, rest_until;
    double failing_since; /* 0 = healthy */
    char why[400];        /* its last failure */
};

/* The breaker's settings. */
struct gm_breaker {
    size_t fails;          /* in a row, after which an endpoint rests */
    double rest_s, dead_s; /* its first rest; failing this long, it is dead */
    double wait_max_s;     /* and while it asks for a wait longer than this; 0 = never for that */
};

/* gm_endpoint_ready - whether a request may start now. An endpoint after its rest gets one request,
 * as a probe. */
bool gm_endpoint_ready(const struct gm_endpoint *e, const struct gm_breaker *b, double now);

/* gm_endpoint_choose - the ready one with the fewest requests in flight, starting to look at
 * `first`, so that equals take turns; NULL = none is ready. */
struct gm_endpoint *gm_endpoint_choose(struct gm_endpoint *e, size_t n, size_t first,
                                       const struct gm_breaker *b, double now);

/* gm_endpoint_next - when the first of them may be ready again (now or later). */
double gm_endpoint_next(const struct gm_endpoint *e, size_t n, double now);

/* gm_endpoint_ok - it has answered. gm_endpoint_mend - its failures are forgotten. */
void gm_endpoint_ok(struct gm_endpoint *e, const struct gm_breaker *b);
void gm_endpoint_mend(struct gm_endpoint *e, const struct gm_breaker *b);

/* gm_endpoint_failed - count a failure that is the server's, not the request's. Returns whether the
 * endpoint was healthy until now: if not, the request should not pay for it with a try. */
bool gm_endpoint_failed(struct gm_endpoint *e, const struct gm_breaker *b, double now,
                        const char *why);

/* gm_endpoint_cool - nothing more for wait_s seconds. Returns false when the request was sent
 * before the cool-down that is already on began: then it is not the request's fault. */
bool gm_endpoint_cool(struct gm_endpoint *e, double sent_at, double now, double wait_s);

/* gm_endpoints_dead - the endpoint to blame when each rests and has been failing for dead_s, or is not to be asked
 * for wait_max_s (one of these, if there is one: it says when it may be); NULL = not yet. */
const struct gm_endpoint *gm_endpoints_dead(const struct gm_endpoint *e, size_t n,
                                            const struct gm_breaker *b, double now);

#endif
