/* metrics.h - what a server counts, as Prometheus reads it (text format 0.0.4). Counting is safe from any
 * thread and takes no lock. */
#ifndef GM_SERVE_METRICS_H
#define GM_SERVE_METRICS_H

#include "base/buf.h"

#include <stdatomic.h>

/* Upper bounds in seconds are in metrics.c; the last bucket is what is over all of them. */
enum {
    GM_METRIC_BUCKETS = 16,
    GM_METRIC_ROUTES = 32,
    GM_METRIC_STAGES = 16,
    GM_METRIC_STATUS = 600
};

struct gm_histogram {
    atomic_ullong n[GM_METRIC_BUCKETS];
    atomic_ullong sum_us;
};

struct gm_metrics {
    const char *routes[GM_METRIC_ROUTES]; /* set before the first request; NULL = none */
    atomic_ullong requests[GM_METRIC_ROUTES][GM_METRIC_STATUS];
    struct gm_histogram latency[GM_METRIC_ROUTES];
    struct gm_histogram stages[GM_METRIC_STAGES]; /* by gm_stage_order: one call = one batch */
    atomic_ullong stage_posts[GM_METRIC_STAGES];
    atomic_ullong posts, posts_failed;
};

/* gm_metrics_request - a request to route number i was answered. gm_metrics_stage - a stage has worked on
 * a batch. */
void gm_metrics_request(struct gm_metrics *m, size_t route, int status, double seconds);
void gm_metrics_stage(struct gm_metrics *m, const char *stage, size_t n_posts, double seconds);

/* gm_metrics_write - append all of it. gm_metrics_value - append one more: `kind` is "gauge" or "counter",
 * labels "{recipe=\"tag\"}" or "". A name's help and kind are written where `help` is not NULL. Errors: NOMEM. */
enum gm_status gm_metrics_write(struct gm_metrics *m, struct gm_buf *out,
                                struct gm_error *err) GM_NODISCARD;
enum gm_status gm_metrics_value(struct gm_buf *out, const char *name, const char *kind,
                                const char *help, const char *labels, double value,
                                struct gm_error *err) GM_NODISCARD;

#endif
