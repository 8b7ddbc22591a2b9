/* framing.h - whether a request's headers say in one way where it ends and whom it is for (RFC 9112, 3.2, 5.1, 6).
 *
 * A proxy before us and we must not see two different requests in the same bytes (request smuggling): what could be
 * read in two ways is refused, also where one of them is the usual one. */
#ifndef GM_SERVE_FRAMING_H
#define GM_SERVE_FRAMING_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* What has been seen of a request's headers; all zero at first. */
struct gm_framing {
    size_t n_lengths, n_codings, n_hosts;
    bool has_bad_name, has_bad_length, has_bad_coding;
};

/* gm_framing_add - one header, its name and value as they were sent; `framing` is a struct gm_framing. */
void gm_framing_add(void *framing, struct gm_str name, struct gm_str value);

/* gm_framing_fault - what is wrong, for whoever sent it; NULL = nothing. `version`: "HTTP/1.1". */
const char *gm_framing_fault(const struct gm_framing *f, struct gm_str version);

#endif
