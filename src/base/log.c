#include "base/log.h"

#include "base/host.h"
#include "base/json.h"
#include "base/utf8.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    enum gm_log_format format;
    enum gm_log_level level;
    void (*sink)(void *user, enum gm_log_level level, const char *line);
    void *user;
    char status[512]; /* the live last line; empty = none */
} g = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = GM_LOG_INFO};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void gm_log_setup(enum gm_log_format format, enum gm_log_level most_verbose)
{
    pthread_mutex_lock(&g.lock);
    g.format = format;
    g.level = most_verbose;
    pthread_mutex_unlock(&g.lock);
}

enum gm_log_format gm_log_format(void) { return g.format; }

void gm_log_sink(void (*fn)(void *user, enum gm_log_level level, const char *line), void *user)
{
    pthread_mutex_lock(&g.lock);
    g.sink = fn;
    g.user = user;
    pthread_mutex_unlock(&g.lock);
}

bool gm_log_is_terminal(void)
{
    const char *term = getenv("TERM");
    return g.format == GM_LOG_TEXT && !g.sink && isatty(STDERR_FILENO) && term &&
           strcmp(term, "dumb") != 0;
}

size_t gm_log_columns(void)
{
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

static void draw_status(void)
{
    size_t n = 0, columns = gm_log_columns();
    for (size_t used = 0; g.status[n]; n++)
        if ((g.status[n] & 0xc0) != 0x80 && ++used >= columns) /* the last column makes some wrap */
            break;
    if (n)
        fprintf(stderr, "\r\033[K%.*s", (int)n, g.status);
}

void gm_log_status_line(const char *line)
{
    pthread_mutex_lock(&g.lock);
    bool had = g.status[0] != 0;
    snprintf(g.status, sizeof g.status, "%s", line ? line : "");
    if (had && !line)
        fputs("\r\033[K", stderr);
    draw_status();
    fflush(stderr);
    pthread_mutex_unlock(&g.lock);
}

enum gm_status gm_log_add_field(struct gm_buf *out, const struct gm_log_field *f, bool json,
                                struct gm_error *err)
{
    enum gm_status st = gm_buf_printf(out, err, json ? ",\"%s\":" : "%s=", f->name);
    if (st != GM_OK)
        return st;
    if (!isfinite(f->value))
        return gm_buf_add_c(out, "null", err);
    return f->value == floor(f->value) && fabs(f->value) < 1e15
               ? gm_buf_printf(out, err, "%.0f", f->value)
               : gm_buf_printf(out, err, "%.6g", f->value);
}

/* An event before it is a line. */
struct event {
    enum gm_log_level level;
    const char *module, *msg;
    const struct gm_log_field *fields;
    size_t n;
};

static enum gm_status format_json(const struct event *e, struct gm_buf *b)
{
    enum gm_status st = GM_OK;
    char when[32] = "";
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    GM_TRY(gm_buf_printf(b, NULL, "{\"time\":\"%s\",\"level\":\"%s\",\"module\":\"%s\",\"msg\":",
                         when, level_names[e->level], e->module));
    GM_TRY(gm_json_write_str(gm_str(e->msg), b, NULL));
    for (size_t i = 0; i < e->n; i++)
        GM_TRY(gm_log_add_field(b, &e->fields[i], true, NULL));
    GM_TRY(gm_buf_add_c(b, "}", NULL));
done:
    return st;
}

static enum gm_status format_text(const struct event *e, struct gm_buf *b)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(b, NULL, "gmner: %s: %s%s",
                         e->level <= GM_LOG_WARN ? level_names[e->level] : e->module, e->msg,
                         e->n ? ":" : ""));
    for (size_t i = 0; i < e->n; i++) {
        GM_TRY(gm_buf_add_c(b, " ", NULL));
        GM_TRY(gm_log_add_field(b, &e->fields[i], false, NULL));
    }
done:
    return st;
}

/* What is left of a line for which there is no memory; under the lock. */
static const char *without_memory(const struct event *e)
{
    static char line[2200];
    const char *level = level_names[e->level];
    if (g.format == GM_LOG_TEXT) {
        snprintf(line, sizeof line, "gmner: %s: %s", e->level <= GM_LOG_WARN ? level : e->module,
                 e->msg);
        return line;
    }
    int n = snprintf(line, sizeof line, "{\"level\":\"%s\",\"module\":\"%s\",\"msg\":\"", level,
                     e->module);
    char *p = line + n, *end = line + sizeof line - 3;
    for (const char *m = e->msg; *m && p < end; m++)
        *p++ = *m == '"' || *m == '\\' ? '\'' : *m;
    snprintf(p, 3, "\"}");
    return line;
}

/* To the host of the thread, and not to stderr. */
static void tell_host(const struct gm_host *host, const struct event *e)
{
    struct gm_buf b;
    if (!host->log || e->level > host->log_level)
        return;
    gm_buf_init(&b, 1 << 16);
    host->log(host->log_user, e->level, format_text(e, &b) == GM_OK ? b.p : e->msg);
    gm_buf_clear(&b);
}

static void write_event(const struct event *e)
{
    struct gm_buf b;
    if (gm_host_get()) {
        tell_host(gm_host_get(), e);
        return;
    }
    pthread_mutex_lock(&g.lock);
    if (e->level <= g.level) {
        gm_buf_init(&b, 1 << 16);
        bool ok = (g.format == GM_LOG_JSON ? format_json(e, &b) : format_text(e, &b)) == GM_OK;
        const char *line = ok ? b.p : without_memory(e);
        if (g.sink)
            g.sink(g.user, e->level, line);
        else
            fprintf(stderr, "%s%s\n", g.status[0] ? "\r\033[K" : "", line);
        gm_buf_clear(&b);
        draw_status();
    }
    pthread_mutex_unlock(&g.lock);
}

void gm_log_write(enum gm_log_level level, const char *module, const char *fmt, ...)
{
    char msg[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    gm_utf8_one_line(msg);
    write_event(&(struct event){level, module, msg, NULL, 0});
}

void gm_log_fields(enum gm_log_level level, const char *module, const char *msg,
                   const struct gm_log_field *fields, size_t n)
{
    write_event(&(struct event){level, module, msg, fields, n});
}
