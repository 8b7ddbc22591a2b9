/* log.h - one line an event, to stderr: "gmner: module: text" (of errors and warnings "gmner: level: text") or, with --log-format json,
 * {"time","level","module","msg",…}. Code that returns an error does not log it. Never log keys,
 * headers or whole prompts. Safe from any thread. Level, format and sink are the process's; what else is
 * process-wide is named in docs/conventions.md. */
#ifndef GM_BASE_LOG_H
#define GM_BASE_LOG_H

#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>

enum gm_log_level { GM_LOG_ERROR, GM_LOG_WARN, GM_LOG_INFO, GM_LOG_DEBUG };
enum gm_log_format { GM_LOG_TEXT, GM_LOG_JSON };

/* GM_LOG(level, "module", fmt, ...) - key=value style where there are values. Text over 2,047 bytes is
 * cut. */
#define GM_LOG(level, module, ...) gm_log_write((level), (module), __VA_ARGS__)

void gm_log_write(enum gm_log_level level, const char *module, const char *fmt, ...)
    GM_PRINTF(3, 4);

/* gm_log_fields - msg and numbers: "msg: name=value name=value", as JSON members beside "msg".
 * gm_log_add_field - append "name=value" (text) or ,"name":value (JSON) as such a line has it. */
struct gm_log_field {
    const char *name; /* letters, digits and _; none of JSON's own four */
    double value;
};
void gm_log_fields(enum gm_log_level level, const char *module, const char *msg,
                   const struct gm_log_field *fields, size_t n);
enum gm_status gm_log_add_field(struct gm_buf *out, const struct gm_log_field *f, bool json,
                                struct gm_error *err) GM_NODISCARD;

void gm_log_setup(enum gm_log_format format, enum gm_log_level most_verbose);
enum gm_log_format gm_log_format(void);

/* gm_log_sink - lines go to `fn` in place of stderr (NULL: back); for tests and for programs that link the
 * library. One call at a time; fn must not log. */
void gm_log_sink(void (*fn)(void *user, enum gm_log_level level, const char *line), void *user);

/* gm_log_status_line - show `line` as the live last line of a terminal (NULL removes it), cut where the
 * terminal ends: a line that wraps can't be removed. Log lines are written above it. Used by progress.c
 * only. gm_log_columns - how wide the terminal is now; 80 where it doesn't say. */
void gm_log_status_line(const char *line);
size_t gm_log_columns(void);
/* gm_log_is_terminal - whether stderr is a terminal and lines are text. */
bool gm_log_is_terminal(void);

#endif
