/* httpd.h - an HTTP server's sockets, headers and bodies; httpd.c is the only user of libmicrohttpd.
 *
 * A call is one request with its answer. When its headers are there, `begin` sees it and may answer at
 * once: the body is then not kept. When the body is there, `handle` answers at once, or keeps the call
 * (gm_call_hold) and answers later from any thread. Both run on the server's threads and must not wait.
 * An answer is one piece (gm_call_answer), or begins with gm_call_stream and comes in pieces. Behind that of a call
 * which is_unclear nothing more is read, and its connection ends.
 *
 * Time: a connection whose header, body or answer takes longer than it may is closed by gm_httpd_tick. */
#ifndef GM_SERVE_HTTPD_H
#define GM_SERVE_HTTPD_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct gm_httpd;
struct gm_call_state; /* httpd.c's */

struct gm_call {
    struct gm_arena arena;             /* of the server's threads, until the call is held */
    struct gm_str method, path, query; /* path and query as they were sent, escapes and all */
    struct gm_str version;             /* "HTTP/1.1" */
    size_t header_bytes;
    struct gm_buf body;
    bool is_too_long;      /* the body was longer than body.max, and is not there */
    bool is_json;          /* the user's: its Content-Type says so */
    bool is_unclear;       /* the user's: answered by `begin`, as nobody knows where it ends */
    int status;            /* of the answer; 0 = there is none yet */
    long long started_ns;  /* of the monotonic clock: when its headers were there */
    size_t reserved_bytes; /* the user's, as route */
    const void *route;     /* the user's, between begin and handle */
    struct gm_call_state *state;
};

struct gm_httpd_opts {
    const char *address;            /* a number of IPv4 or IPv6: "127.0.0.1", "::1" */
    uint16_t port;                  /* 0 = any that is free */
    const char *tls_cert, *tls_key; /* PEM; NULL = no TLS */
    size_t threads, max_connections, max_header_bytes;
    double header_s; /* for a connection's headers, and until the next request */
    double body_s;   /* for a body; for the client to take an answer */
    void *user;
    void (*begin)(void *user, struct gm_call *call);
    void (*handle)(void *user, struct gm_call *call);
    void (*done)(void *user,
                 const struct gm_call *call); /* the answer is sent, or nobody wants it */
    void (*headers)(void *user,
                    struct gm_call *call); /* before an answer: add headers of every one */
};

/* gm_httpd_start - *out is yours. Errors: IO (the address is taken, no more threads), ARG (certificate and key,
 * address), NOMEM. gm_httpd_port - the port that it listens on. */
enum gm_status gm_httpd_start(struct gm_httpd **out, const struct gm_httpd_opts *opts,
                              struct gm_error *err) GM_NODISCARD;
uint16_t gm_httpd_port(const struct gm_httpd *h);
/* gm_httpd_tick - close what is late; to be called some times a second. gm_httpd_connections - open ones. */
void gm_httpd_tick(struct gm_httpd *h);
size_t gm_httpd_connections(struct gm_httpd *h);
/* gm_httpd_stop - close all connections and free. Every held call must have its whole answer. NULL-safe. */
void gm_httpd_stop(struct gm_httpd *h);

/* gm_call_header - a request's header, by its name in any case; empty = there is none. It lives as long
 * as the call is not held. */
struct gm_str gm_call_header(const struct gm_call *call, const char *name);
/* gm_call_each_header - call fn with each, as it was sent; for the same time. */
void gm_call_each_header(const struct gm_call *call,
                         void (*fn)(void *user, struct gm_str name, struct gm_str value),
                         void *user);

/* gm_call_is_alone - whether the call's client is not there any more for its answer: it has closed the connection,
 * or its own side of it, which looks the same. Any thread that holds the call. */
bool gm_call_is_alone(struct gm_call *call);

/* gm_call_hold - the call stays until gm_call_release, and waits for its answer. Once, from `handle`. */
void gm_call_hold(struct gm_call *call);
void gm_call_release(struct gm_call *call);

/* gm_call_set_header - a header of the answer, before it begins. Where memory is out it is left away. */
void gm_call_set_header(struct gm_call *call, const char *name, const char *value);
/* gm_call_answer - the whole answer; takes over the body's memory. gm_call_stream - begin an answer that
 * comes in pieces: gm_call_push adds one, gm_call_end ends it. Once, from any thread; a call whose
 * client has gone takes them all the same. A stream that memory is out for breaks off. */
void gm_call_answer(struct gm_call *call, int status, const char *type, struct gm_buf *body);
void gm_call_stream(struct gm_call *call, int status, const char *type);
void gm_call_push(struct gm_call *call, struct gm_str piece);
void gm_call_end(struct gm_call *call);

#endif
