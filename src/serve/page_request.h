/* page_request.h - what the answers to the page's own requests have in common. */
#ifndef GM_SERVE_PAGE_REQUEST_H
#define GM_SERVE_PAGE_REQUEST_H

#include "base/json.h"
#include "serve/query.h"
#include "serve/server.h"

/* gm_page_body - the request's body, a JSON object, yours to free, whose members are among `names`, ended by
 * NULL (NULL: any); NULL: it is none, and that has been answered. Only JSON is taken, which no form of another
 * site can send. */
struct gm_json *gm_page_body(const struct gm_server *s, struct gm_call *call,
                             const char *const *names);

/* gm_page_query - the address's parameters, of which there may be those of `names`, ended by NULL; false: they
 * are others or can't be read, and that has been answered. */
bool gm_page_query(struct gm_query *out, struct gm_call *call, const char *const *names);

/* gm_query_number - a parameter that is a whole number of 0 to `max`, or `none` where there is no such
 * parameter; false: it is anything else. */
bool gm_query_number(const struct gm_query *q, const char *name, long long none, long long max,
                     long long *out);

/* gm_page_answer - the body with status 200, or, by `st`, the problem that `err` tells of (ARG: the request is
 * wrong; FORMAT: a post in it is; AGAIN: its time is over; CANCEL: the server stops); the body's memory is taken over.
 * What is no fault of the request's goes to the log. */
void gm_page_answer(struct gm_call *call, enum gm_status st, const char *type, struct gm_buf *body,
                    const struct gm_error *err);

#endif
