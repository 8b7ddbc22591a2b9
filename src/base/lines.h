/* lines.h - a file line by line, in memory that does not grow with it. */
#ifndef GM_BASE_LINES_H
#define GM_BASE_LINES_H

#include "base/input.h"

struct gm_lines;
/* gm_lines_open - path "-" = standard input; what gzip packed is unpacked (input.h). A line over max_line
 * bytes is a FORMAT error. gm_lines_of - of an open input, which is borrowed. */
enum gm_status gm_lines_open(struct gm_lines **out, const char *path, size_t max_line,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_lines_of(struct gm_lines **out, struct gm_input *in, size_t max_line,
                           struct gm_error *err) GM_NODISCARD;
/* gm_lines_next - the next line without "\n" or "\r\n" (a leading byte order mark is dropped);
 * *has is false at the end. The view is valid until the next call. Errors: FORMAT (an over-long line,
 * which is skipped whole, so that the caller may report it and go on), those of gm_input_read. */
enum gm_status gm_lines_next(struct gm_lines *l, struct gm_str *line, bool *has,
                             struct gm_error *err) GM_NODISCARD;
/* gm_lines_each - `fn` for every line that is left and not blank. Errors: of gm_lines_next; of fn, with
 * "path:line" in front. */
enum gm_status gm_lines_each(struct gm_lines *l,
                             enum gm_status (*fn)(void *user, struct gm_str line,
                                                  struct gm_error *err),
                             void *user, struct gm_error *err) GM_NODISCARD;
size_t gm_lines_number(const struct gm_lines *l);    /* 1-based number of the line last returned */
const char *gm_lines_path(const struct gm_lines *l); /* for messages; "standard input" for "-" */
void gm_lines_free(struct gm_lines *l);

#endif
