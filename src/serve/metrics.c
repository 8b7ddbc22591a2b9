#include "serve/metrics.h"

#include "stages/stage.h"

static const double bounds[GM_METRIC_BUCKETS - 1] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

static void observe(struct gm_histogram *h, double seconds)
{
    size_t i = 0;
    while (i < GM_METRIC_BUCKETS - 1 && seconds > bounds[i])
        i++;
    h->n[i]++;
    h->sum_us += (unsigned long long)(seconds * 1e6);
}

void gm_metrics_request(struct gm_metrics *m, size_t route, int status, double seconds)
{
    if (route >= GM_METRIC_ROUTES || status < 0 || status >= GM_METRIC_STATUS)
        return;
    m->requests[route][status]++;
    observe(&m->latency[route], seconds);
}

void gm_metrics_stage(struct gm_metrics *m, const char *stage, size_t n_posts, double seconds)
{
    int i = gm_stage_order(stage);
    if (i < 0 || i >= GM_METRIC_STAGES)
        return;
    observe(&m->stages[i], seconds);
    m->stage_posts[i] += n_posts;
}

static enum gm_status write_head(struct gm_buf *out, const char *name, const char *kind,
                                 const char *help, struct gm_error *err)
{
    return gm_buf_printf(out, err, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

enum gm_status gm_metrics_value(struct gm_buf *out, const char *name, const char *kind,
                                const char *help, const char *labels, double value,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (help)
        GM_TRY(write_head(out, name, kind, help, err));
    GM_TRY(gm_buf_printf(out, err, "%s%s ", name, labels));
    GM_TRY(gm_buf_add_number(out, value, 6, err));
    GM_TRY(gm_buf_add_c(out, "\n", err));
done:
    return st;
}

/* The lines of one histogram; those that have seen nothing are left out. */
static enum gm_status write_histogram(struct gm_histogram *h, const char *name, const char *label,
                                      const char *value, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    unsigned long long n = 0, all = 0;
    for (size_t i = 0; i < GM_METRIC_BUCKETS; i++)
        all += h->n[i];
    if (!all)
        return GM_OK;
    for (size_t i = 0; i < GM_METRIC_BUCKETS - 1; i++) {
        n += h->n[i];
        GM_TRY(gm_buf_printf(out, err, "%s_bucket{%s=\"%s\",le=\"", name, label, value));
        GM_TRY(gm_buf_add_number(out, bounds[i], 4, err));
        GM_TRY(gm_buf_printf(out, err, "\"} %llu\n", n));
    }
    GM_TRY(gm_buf_printf(out, err,
                         "%s_bucket{%s=\"%s\",le=\"+Inf\"} %llu\n%s_count{%s=\"%s\"} %llu\n"
                         "%s_sum{%s=\"%s\"} ",
                         name, label, value, all, name, label, value, all, name, label, value));
    GM_TRY(gm_buf_add_number(out, (double)h->sum_us * 1e-6, 6, err));
    GM_TRY(gm_buf_add_c(out, "\n", err));
done:
    return st;
}

/* A stage's name by its place. */
static const char *stage_at(int order)
{
    const struct gm_backend *b;
    for (size_t i = 0; (b = gm_backend_at(i)); i++)
        if (gm_stage_order(b->stage) == order)
            return b->stage;
    return NULL;
}

static enum gm_status write_requests(struct gm_metrics *m, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(
        write_head(out, "gmner_requests_total", "counter", "Requests by route and status.", err));
    for (size_t r = 0; r < GM_METRIC_ROUTES && m->routes[r]; r++)
        for (int s = 0; s < GM_METRIC_STATUS; s++)
            if (m->requests[r][s])
                GM_TRY(gm_buf_printf(out, err,
                                     "gmner_requests_total{route=\"%s\",status=\"%d\"} %llu\n",
                                     m->routes[r], s, (unsigned long long)m->requests[r][s]));
    GM_TRY(write_head(out, "gmner_request_seconds", "histogram",
                      "From a request's headers to the end of its answer.", err));
    for (size_t r = 0; r < GM_METRIC_ROUTES && m->routes[r]; r++)
        GM_TRY(write_histogram(&m->latency[r], "gmner_request_seconds", "route", m->routes[r], out,
                               err));
done:
    return st;
}

static enum gm_status write_stages(struct gm_metrics *m, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(
        write_head(out, "gmner_stage_seconds", "histogram", "Work of a stage on one batch.", err));
    for (int i = 0; i < GM_METRIC_STAGES; i++)
        if (stage_at(i))
            GM_TRY(write_histogram(&m->stages[i], "gmner_stage_seconds", "stage", stage_at(i), out,
                                   err));
    GM_TRY(write_head(out, "gmner_stage_posts_total", "counter",
                      "Posts that went through a stage; by gmner_stage_seconds_count they are the "
                      "size of a batch.",
                      err));
    for (int i = 0; i < GM_METRIC_STAGES; i++)
        if (stage_at(i))
            GM_TRY(gm_buf_printf(out, err, "gmner_stage_posts_total{stage=\"%s\"} %llu\n",
                                 stage_at(i), (unsigned long long)m->stage_posts[i]));
done:
    return st;
}

enum gm_status gm_metrics_write(struct gm_metrics *m, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(write_requests(m, out, err));
    GM_TRY(write_stages(m, out, err));
    GM_TRY(gm_metrics_value(out, "gmner_posts_total", "counter", "Posts that were done.", "",
                            (double)m->posts, err));
    GM_TRY(gm_metrics_value(out, "gmner_posts_failed_total", "counter",
                            "Those that carry an error.", "", (double)m->posts_failed, err));
done:
    return st;
}
