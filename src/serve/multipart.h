/* multipart.h - the parts of a form as browsers and curl send it: multipart/form-data (RFC 7578, RFC 2046). */
#ifndef GM_SERVE_MULTIPART_H
#define GM_SERVE_MULTIPART_H

#include "base/arena.h"

struct gm_form_part {
    struct gm_str name;     /* of the form's field, valid UTF-8 */
    struct gm_str filename; /* .p NULL = none; never opened */
    struct gm_str type;     /* of the content; empty = not told */
    struct gm_str body;     /* a view into the message's body */
};

/* gm_multipart_parse - the parts of a body, in their order, in the arena.
 *   content_type in  the header's whole value, which names the boundary
 * Errors: FORMAT (no boundary, a part without a name, no end, over max_parts), NOMEM. Cost: linear. */
enum gm_status gm_multipart_parse(struct gm_form_part **out, size_t *n, struct gm_str content_type,
                                  struct gm_str body, size_t max_parts, struct gm_arena *a,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_header_param - the value of a parameter of a header such as `form-data; name="x"`, unquoted, in the
 * arena; .p NULL = there is none among the first 64, or memory is out. Memory: the value's length. */
struct gm_str gm_header_param(struct gm_str header, const char *name, struct gm_arena *a);
/* gm_header_is - whether a header's value, without its parameters, is `value` in any case. */
bool gm_header_is(struct gm_str header, const char *value);

#endif
