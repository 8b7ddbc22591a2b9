#include "base/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double gm_clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void gm_progress_init(struct gm_progress *p, const char *label, size_t total, const char *unit)
{
    double now = gm_clock_s();
    *p = (struct gm_progress){
        .label = label, .unit = unit, .total = total, .start_s = now, .shown_s = now};
}

static void bar_text(char *out, size_t cap, size_t done, size_t total)
{
    enum { WIDTH = 24 };
    char bar[WIDTH + 1];
    size_t full = total ? (size_t)((double)WIDTH * (double)done / (double)total) : 0;
    for (size_t i = 0; i < WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[WIDTH] = 0;
    snprintf(out, cap, "[%s] ", bar);
}

bool gm_progress_due(const struct gm_progress *p)
{
    double since = gm_clock_s() - p->shown_s;
    return since >= 5 || (since >= 0.1 && gm_log_is_terminal());
}

static enum gm_status draw(const struct gm_progress *p, size_t done, double rate, double left,
                           const struct gm_log_field *extra, size_t n, struct gm_buf *line)
{
    enum gm_status st = GM_OK;
    char bar[64] = "";
    if (p->total)
        bar_text(bar, sizeof bar, done, p->total);
    GM_TRY(gm_buf_printf(line, NULL, "%s %s%zu", p->label, bar, done));
    if (p->total)
        GM_TRY(gm_buf_printf(line, NULL, "/%zu", p->total));
    GM_TRY(gm_buf_printf(line, NULL, " %s  %.*f/s", p->unit, rate < 10, rate));
    if (p->total)
        GM_TRY(gm_buf_printf(line, NULL, "  ETA %d:%02d", (int)(left / 60), (int)left % 60));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(gm_buf_add_c(line, "  ", NULL));
        GM_TRY(gm_log_add_field(line, &extra[i], false, NULL));
    }
    gm_log_status_line(line->p);
done:
    return st;
}

static void write_log(const struct gm_progress *p, size_t done, double rate, double left,
                      const struct gm_log_field *extra, size_t n)
{
    enum { OWN = 4, EXTRA_MAX = 12 };
    struct gm_log_field f[OWN + EXTRA_MAX];
    size_t k = 0;
    f[k++] = (struct gm_log_field){p->unit, (double)done};
    if (p->total)
        f[k++] = (struct gm_log_field){"total", (double)p->total};
    f[k++] = (struct gm_log_field){"per_s", rate};
    if (p->total)
        f[k++] = (struct gm_log_field){"eta_s", floor(left)};
    for (size_t i = 0; i < n && i < EXTRA_MAX; i++)
        f[k++] = extra[i];
    gm_log_fields(GM_LOG_INFO, "progress", p->label, f, k);
}

void gm_progress_update(struct gm_progress *p, size_t done, const struct gm_log_field *extra,
                        size_t n)
{
    struct gm_buf line;
    if (!gm_progress_due(p))
        return;
    p->shown_s = gm_clock_s();
    double rate = (double)done / (p->shown_s - p->start_s + 1e-9);
    double left = rate > 0 && done < p->total ? (double)(p->total - done) / rate : 0;
    gm_buf_init(&line, 1024);
    if (!gm_log_is_terminal())
        write_log(p, done, rate, left, extra, n);
    else if (draw(p, done, rate, left, extra, n, &line) != GM_OK)
        gm_log_status_line(p->label); /* memory is out: this is no reason to stop */
    gm_buf_clear(&line);
}

void gm_progress_end(struct gm_progress *p)
{
    (void)p;
    if (gm_log_is_terminal())
        gm_log_status_line(NULL);
}
