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

bool gm_progress_due(const struct gm_progress *p)
{
    double since = gm_clock_s() - p->shown_s;
    return since >= 5 || (since >= 0.25 && gm_log_is_terminal());
}

/* The bar, of a width that leaves room for the rest of the line; none in a narrow terminal. */
static enum gm_status add_bar(struct gm_buf *line, size_t room, size_t done, size_t total)
{
    enum { LEAST = 6, MOST = 40 };
    enum gm_status st = GM_OK;
    size_t width = room < MOST ? room : MOST;
    if (width < LEAST)
        return GM_OK;
    size_t full = (size_t)((double)width * (double)done / (double)total);
    GM_TRY(gm_buf_add_c(line, "[", NULL));
    for (size_t i = 0; i < width; i++)
        GM_TRY(gm_buf_add_c(line, i < full ? "#" : ".", NULL));
    GM_TRY(gm_buf_add_c(line, "] ", NULL));
done:
    return st;
}

static enum gm_status add_numbers(struct gm_buf *line, const struct gm_progress *p, size_t done,
                                  double rate, double left)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(line, NULL, "%zu", done));
    if (p->total)
        GM_TRY(gm_buf_printf(line, NULL, "/%zu", p->total));
    GM_TRY(gm_buf_printf(line, NULL, " %s  %.*f/s", p->unit, rate < 10, rate));
    if (p->total)
        GM_TRY(gm_buf_printf(line, NULL, "  ETA %d:%02d", (int)(left / 60), (int)left % 60));
done:
    return st;
}

static enum gm_status draw(const struct gm_progress *p, size_t done, double rate, double left,
                           const struct gm_log_field *extra, size_t n, struct gm_buf *line)
{
    enum gm_status st = GM_OK;
    size_t columns = gm_log_columns();
    struct gm_buf numbers;
    gm_buf_init(&numbers, 1024);
    GM_TRY(add_numbers(&numbers, p, done, rate, left));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(gm_buf_add_c(&numbers, "  ", NULL));
        GM_TRY(gm_log_add_field(&numbers, &extra[i], false, NULL));
    }
    GM_TRY(gm_buf_printf(line, NULL, "%s ", p->label));
    size_t used = line->n + numbers.n + sizeof "[] ";
    if (p->total)
        GM_TRY(add_bar(line, columns > used ? columns - used : 0, done, p->total));
    GM_TRY(gm_buf_add(line, numbers.p, numbers.n, NULL));
    gm_log_status_line(line->p);
done:
    gm_buf_clear(&numbers);
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
