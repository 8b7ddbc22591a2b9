/* server.h - what the parts of the server share: serve.c starts and stops it, gate.c lets requests in,
 * routes.c lists what there is, the rest answers it. Internal to src/serve. */
#ifndef GM_SERVE_SERVER_H
#define GM_SERVE_SERVER_H

#include "pipeline/recipe.h"
#include "serve/aside.h"
#include "serve/browse.h"
#include "serve/serve.h"
#include "serve/worker.h"

#include <stdatomic.h>

struct gm_served {
    struct gm_recipe *recipe; /* as it is told of; the worker has its own */
    struct gm_pipeline_opts opts;
    struct gm_worker *worker;
};

/* Where a request is answered: on the server's threads, which must not wait; or aside (aside.h), where a slow one
 * holds up only those of its lane. */
enum gm_serve_lane { GM_LANE_SERVER, GM_LANE_DISK, GM_LANE_PICTURES, GM_LANE_EXPORTS, GM_N_LANES };

struct gm_server {
    const struct gm_serve_opts *opts;
    char *token; /* NULL = none is needed */
    struct gm_served served[GM_SERVE_RECIPES];
    struct gm_httpd *httpd;
    struct gm_metrics metrics;
    atomic_size_t held_bytes; /* of bodies that were announced */
    atomic_size_t n_calls;    /* requests that have no whole answer yet */
    atomic_bool is_stopping;
    struct gm_browse *browsed[GM_SERVE_BROWSED]; /* NULL = none */
    struct gm_aside *lanes[GM_N_LANES];          /* [GM_LANE_SERVER] NULL */
    long long started_ns;
};

/* One thing that can be asked for. */
struct gm_route {
    const char *method, *path;
    bool is_open;  /* without the token */
    bool has_body; /* else a body is not read */
    enum gm_serve_lane lane;
    void (*answer)(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
};

/* gm_routes_find - by path and method; HEAD is GET. NULL = there is none; *allow is then the method that the
 * path has, NULL = it has none. gm_routes_at - number i, NULL past the end. gm_routes_number - the reverse;
 * NULL's is that of the first past the end. */
const struct gm_route *gm_routes_find(struct gm_str method, struct gm_str path, const char **allow);
const struct gm_route *gm_routes_at(size_t i);
size_t gm_routes_number(const struct gm_route *r);

/* gm_gate_begin - the callback of httpd.h: who may not ask, or asks for too much, is answered here.
 * gm_gate_done - the request is over. */
void gm_gate_begin(void *server, struct gm_call *call);
void gm_gate_done(void *server, const struct gm_call *call);
/* gm_gate_headers - those of every answer. */
void gm_gate_headers(void *server, struct gm_call *call);

/* The answers of routes.c's table. */
void gm_answer_predict(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_recipes(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_health(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_ready(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_metrics(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_page(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_card(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_keep(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_kept(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_rows(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_post(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_picture(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_export(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_lease(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_save(struct gm_server *s, struct gm_call *call, const struct gm_route *route);
void gm_answer_asset(struct gm_server *s, struct gm_call *call, const struct gm_route *route);

#endif
