/* http.h - many HTTP requests at once from one thread; http.c and
 * http_target.c are the only users of libcurl.
 *
 * Connections are kept and used again. Redirects are never followed, only http and https are
 * spoken, compressed replies are decoded (the limit is on what comes out), certificates are always checked (against the system's, or those of the file that
 * $SSL_CERT_FILE names), and a loopback address never goes through a proxy.
 * One thread an object, but for gm_http_wake. */
#ifndef GM_LLM_HTTP_H
#define GM_LLM_HTTP_H

#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>

struct gm_http;
struct gm_http_target; /* where requests go: the URL and its headers, the key among them */

enum gm_http_fault {
    GM_HTTP_OK,        /* a whole reply came, whatever its status */
    GM_HTTP_CONNECT,   /* no connection: nothing was sent */
    GM_HTTP_TIMEOUT,   /* none or no whole reply in time */
    GM_HTTP_BROKEN,    /* the connection ended in the middle of something */
    GM_HTTP_TOO_LARGE, /* the reply is over max_reply bytes */
    GM_HTTP_TLS,       /* the certificate or the encryption is not acceptable */
    GM_HTTP_DROPPED,   /* gm_http_drop */
    GM_HTTP_OTHER
};

struct gm_http_request {
    const struct gm_http_target *target; /* borrowed until it is done */
    struct gm_str body;                  /* JSON to post; borrowed until it is done */
    long timeout_ms, connect_timeout_ms;
    size_t max_reply; /* bytes */
    void *user;       /* comes back in gm_http_done */
};

/* A request that ended. */
struct gm_http_done {
    void *user;
    enum gm_http_fault fault;
    int status;           /* 200, 429, …; 0 when no status line came */
    double retry_after_s; /* from Retry-After (seconds or a date); < 0 = none */
    bool sent;            /* something of the request went out */
    struct gm_buf body;   /* yours: gm_buf_clear */
    char what[256];       /* why it failed, for messages */
};

/* gm_http_new - *out is yours; keeps about max_connections (4,096 at most) open when they are idle. Errors:
 * NOMEM, NET (libcurl does not start), IO (no more files can be opened). */
enum gm_status gm_http_new(struct gm_http **out, size_t max_connections,
                           struct gm_error *err) GM_NODISCARD;
/* gm_http_free - NULL-safe; requests under way are dropped. */
void gm_http_free(struct gm_http *h);

/* gm_http_target_new - url is http:// or https:// without user:password; `path` is appended to its
 * path unless that ends with it already, and its query stays; key (NULL = none) is sent as a bearer
 * token. Errors: ARG, NOMEM, NET (libcurl does not start). The key is wiped when the target is freed. */
enum gm_status gm_http_target_new(struct gm_http_target **out, const char *url, const char *path,
                                  const char *key, struct gm_error *err) GM_NODISCARD;
/* gm_http_target_address - what is asked, without the query, in which keys may stand. */
const char *gm_http_target_address(const struct gm_http_target *t);
void gm_http_target_free(struct gm_http_target *t); /* NULL-safe */

/* gm_http_start - begin a POST. Errors: NOMEM, NET; gm_http_next then never sees it. */
enum gm_status gm_http_start(struct gm_http *h, const struct gm_http_request *req,
                             struct gm_error *err) GM_NODISCARD;
/* gm_http_wait - move all requests on; when nothing can move, wait until something happens,
 * gm_http_wake is called, or timeout_ms have passed. */
void gm_http_wait(struct gm_http *h, int timeout_ms);
/* gm_http_next - give one request that ended; false when there is none. */
bool gm_http_next(struct gm_http *h, struct gm_http_done *out);
/* gm_http_drop - end all requests under way as DROPPED, without waiting for anything; gm_http_next
 * gives them. */
void gm_http_drop(struct gm_http *h);
/* gm_http_wake - end gm_http_wait; from any thread. */
void gm_http_wake(struct gm_http *h);

/* gm_http_status - the status of a GET of url, waiting for it; 0 when there is no reply in time.
 * For the health of a server on this machine. */
int gm_http_status(const char *url, long timeout_ms);

#endif
