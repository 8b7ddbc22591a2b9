#include "base/progress.h"

#include "base/log.h"

#include <stdbool.h>
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

void gm_progress_update(struct gm_progress *p, size_t done, const char *extra)
{
    double now = gm_clock_s();
    bool tty = gm_log_is_terminal();
    if (now - p->shown_s < (tty ? 0.1 : 5.0))
        return;
    p->shown_s = now;
    double rate = (double)done / (now - p->start_s + 1e-9);
    char bar[64] = "", eta[48] = "", of[32] = "", line[256];
    if (p->total) {
        double left = rate > 0 && done < p->total ? (double)(p->total - done) / rate : 0;
        snprintf(eta, sizeof eta, "  ETA %d:%02d", (int)(left / 60), (int)left % 60);
        snprintf(of, sizeof of, "/%zu", p->total);
        bar_text(bar, sizeof bar, done, p->total);
    }
    snprintf(line, sizeof line, "%s %s%zu%s %s  %.*f/s%s%s%s", p->label, tty ? bar : "", done, of,
             p->unit, rate < 10, rate, eta, extra ? "  " : "", extra ? extra : "");
    if (tty)
        gm_log_status_line(line);
    else
        GM_LOG(GM_LOG_INFO, "progress", "%s", line);
}

void gm_progress_end(struct gm_progress *p)
{
    (void)p;
    if (gm_log_is_terminal())
        gm_log_status_line(NULL);
}
