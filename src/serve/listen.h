/* listen.h - the socket that a server listens on, made by us so that what is wrong with it can be told. */
#ifndef GM_SERVE_LISTEN_H
#define GM_SERVE_LISTEN_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* gm_listen - *fd listens on a numeric address of IPv4 or IPv6 and on `port` (0 = any that is free), which
 * is then in *bound; *fd is yours also after an error, where it is not -1. Errors: ARG (no such address), IO. */
enum gm_status gm_listen(const char *address, uint16_t port, int *fd, uint16_t *bound,
                         struct gm_error *err) GM_NODISCARD;

/* gm_listen_raise_files - as many open files as the connections need, where the system lets us; a warning
 * where not. */
void gm_listen_raise_files(size_t connections);

#endif
