/* guard.h - who may ask: what of a request's headers tells that it is one of ours.
 *
 * A page of another site can make a browser send requests to this machine. Its Origin is not ours (CSRF); or it
 * has let its own name lead to our address, and then the Host is that name (DNS rebinding). */
#ifndef GM_SERVE_GUARD_H
#define GM_SERVE_GUARD_H

#include "base/arena.h"

#include <stdbool.h>

/* gm_address_is_loopback - whether only this machine can reach a numeric address. */
bool gm_address_is_loopback(const char *address);

/* gm_host_is_ours - whether the Host header names a numeric address or "localhost", which no other site's
 * name can be, or one of the n names; the port, if any, is not looked at. */
bool gm_host_is_ours(struct gm_str host, const char *const *names, size_t n);

/* gm_origin_is_same - whether an Origin header ("http://HOST:PORT") names the request's Host; a missing one
 * (.n == 0) comes from no page of another site. */
bool gm_origin_is_same(struct gm_str origin, struct gm_str host);

/* gm_token_is - whether an Authorization header is "Bearer TOKEN", in a time that does not tell how much
 * of it is right. */
bool gm_token_is(struct gm_str authorization, const char *token);

/* gm_split_listen - "ADDRESS:PORT", "[::1]:8765" or ":8765" (127.0.0.1). Errors: ARG, NOMEM. */
enum gm_status gm_split_listen(const char *text, struct gm_arena *a, const char **address,
                               unsigned short *port, struct gm_error *err) GM_NODISCARD;

#endif
