#include "llm/endpoint.h"

#include <math.h>
#include <stdio.h>

static const double rest_max_s = 30;

static bool is_resting(const struct gm_endpoint *e, const struct gm_breaker *b)
{
    return e->fails_in_row >= b->fails;
}

bool gm_endpoint_ready(const struct gm_endpoint *e, const struct gm_breaker *b, double now)
{
    if (now < e->cool_until)
        return false;
    return !is_resting(e, b) || (now >= e->rest_until && e->in_flight == 0);
}

struct gm_endpoint *gm_endpoint_choose(struct gm_endpoint *e, size_t n, size_t first,
                                       const struct gm_breaker *b, double now)
{
    struct gm_endpoint *best = NULL;
    for (size_t i = 0; i < n; i++) {
        struct gm_endpoint *c = &e[(first + i) % n];
        if (gm_endpoint_ready(c, b, now) && (!best || c->in_flight < best->in_flight))
            best = c;
    }
    return best;
}

double gm_endpoint_next(const struct gm_endpoint *e, size_t n, double now)
{
    double next = INFINITY;
    for (size_t i = 0; i < n; i++) {
        double t = e[i].cool_until > e[i].rest_until ? e[i].cool_until : e[i].rest_until;
        if (t < next)
            next = t;
    }
    return next > now ? next : now;
}

void gm_endpoint_ok(struct gm_endpoint *e, const struct gm_breaker *b)
{
    e->n_ok++;
    gm_endpoint_mend(e, b);
}

void gm_endpoint_mend(struct gm_endpoint *e, const struct gm_breaker *b)
{
    e->fails_in_row = 0;
    e->rest_s = b->rest_s;
    e->failing_since = 0;
}

bool gm_endpoint_failed(struct gm_endpoint *e, const struct gm_breaker *b, double now,
                        const char *why)
{
    bool was_healthy = !is_resting(e, b);
    snprintf(e->why, sizeof e->why, "%s", why);
    e->fails_in_row++;
    if (e->failing_since <= 0)
        e->failing_since = now;
    if (!is_resting(e, b))
        return was_healthy;
    if (was_healthy || now >= e->rest_until) { /* not for the stragglers of the same breakdown */
        e->rest_until = now + e->rest_s;
        e->rest_s = e->rest_s * 2 < rest_max_s ? e->rest_s * 2 : rest_max_s;
    }
    return was_healthy;
}

bool gm_endpoint_cool(struct gm_endpoint *e, double sent_at, double now, double wait_s)
{
    bool same_window = now < e->cool_until && sent_at <= e->cool_since;
    if (now >= e->cool_until)
        e->cool_since = now;
    if (now + wait_s > e->cool_until)
        e->cool_until = now + wait_s;
    return !same_window;
}

static bool is_dead(const struct gm_endpoint *e, const struct gm_breaker *b, double now)
{
    if (b->wait_max_s > 0 && e->cool_until - now > b->wait_max_s)
        return true;
    return is_resting(e, b) && now - e->failing_since >= b->dead_s;
}

const struct gm_endpoint *gm_endpoints_dead(const struct gm_endpoint *e, size_t n,
                                            const struct gm_breaker *b, double now)
{
    const struct gm_endpoint *blame = n ? &e[0] : NULL;
    for (size_t i = 0; i < n; i++) {
        if (!is_dead(&e[i], b, now))
            return NULL;
        if (e[i].cool_until > now)
            blame = &e[i];
    }
    return blame;
}
