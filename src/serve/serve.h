/* serve.h - the HTTP server of `gmner serve`: recipes behind an API, and a page.
 *
 * Threads: a few of libmicrohttpd read requests and write answers (httpd.h); one for each recipe that was
 * asked for owns its pipeline (worker.h); the caller's watches the time. */
#ifndef GM_SERVE_SERVE_H
#define GM_SERVE_SERVE_H

#include "pipeline/pipeline.h"

enum { GM_SERVE_RECIPES = 16, GM_SERVE_HOSTS = 16, GM_SERVE_BROWSED = 2 };

struct gm_serve_opts {
    const char *listen;             /* "127.0.0.1:8765" */
    const char *token_file;         /* NULL = no token, which only loopback may do without */
    const char *tls_cert, *tls_key; /* files of PEM; both or none */
    const char
        *hosts[GM_SERVE_HOSTS]; /* names that the server goes by, beside addresses and localhost */
    size_t n_hosts;
    const char *recipes[GM_SERVE_RECIPES]; /* the first one is what is asked when none is named */
    size_t n_recipes;
    struct gm_pipeline_opts pipeline; /* of each; its recipe is not looked at */
    size_t max_body_bytes, max_posts, max_queue, max_connections, max_header_bytes;
    size_t max_held_bytes; /* of the bodies of all requests together */
    double request_s;      /* for the answer to a request */
    double header_s, body_s;
    const char *data; /* a folder for records that the page keeps; NULL = it keeps none */
    const char
        *browse[GM_SERVE_BROWSED]; /* files of posts to look through and correct; NULL = none */
    const char *gold;              /* what they are compared with; NULL = nothing */
    double drain_s;                /* for what is queued when the server is told to stop */
    /* Told once the server listens: its address as a URL; NULL = nobody. */
    void (*listening)(void *user, const char *url);
    void *user;
};

/* gm_serve - until SIGTERM or SIGINT; what is queued is then finished, for drain_s at most. Errors: ARG (what
 * can't go together), those of gm_recipe_load and gm_httpd_start. */
enum gm_status gm_serve(const struct gm_serve_opts *opts, struct gm_error *err) GM_NODISCARD;

#endif
