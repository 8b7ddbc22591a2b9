#include "base/log.h"

#include "base/json.h"
#include "base/utf8.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    enum gm_log_format format;
    enum gm_log_level level;
    void (*sink)(void *user, enum gm_log_level level, const char *line);
    void *user;
    char status[256]; /* the live last line; empty = none */
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

static void draw_status(void)
{
    if (g.status[0])
        fprintf(stderr, "\r\033[K%s", g.status);
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

static void format_json(enum gm_log_level level, const char *module, const char *msg,
                        struct gm_buf *b)
{
    char when[32] = "";
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    /* A log line that can't be built is lost: there is nowhere left to report it. */
    if (gm_buf_printf(b, NULL, "{\"time\":\"%s\",\"level\":\"%s\",\"module\":\"%s\",\"msg\":", when,
                      level_names[level], module) != GM_OK ||
        gm_json_write_str(gm_str(msg), b, NULL) != GM_OK || gm_buf_add_c(b, "}", NULL) != GM_OK)
        gm_buf_reset(b);
}

void gm_log_write(enum gm_log_level level, const char *module, const char *fmt, ...)
{
    char msg[2048];
    struct gm_buf b;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    gm_utf8_one_line(msg);
    pthread_mutex_lock(&g.lock);
    if (level <= g.level) {
        gm_buf_init(&b, 1 << 16);
        if (g.format == GM_LOG_JSON)
            format_json(level, module, msg, &b);
        else if (gm_buf_printf(&b, NULL, "gmner: %s%s%s", level <= GM_LOG_WARN ? level_names[level] : module,
                               ": ", msg) != GM_OK)
            gm_buf_reset(&b);
        const char *line = b.p ? b.p : msg;
        if (g.sink)
            g.sink(g.user, level, line);
        else
            fprintf(stderr, "%s%s\n", g.status[0] ? "\r\033[K" : "", line);
        gm_buf_clear(&b);
        draw_status();
    }
    pthread_mutex_unlock(&g.lock);
}
