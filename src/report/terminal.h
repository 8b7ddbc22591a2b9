/* terminal.h - a post as text for a terminal: its text with the entities marked, then a table. */
#ifndef GM_REPORT_TERMINAL_H
#define GM_REPORT_TERMINAL_H

#include "base/buf.h"
#include "record/record.h"

struct gm_terminal_opts {
    bool color;     /* mark entities by colour; without it by [brackets] */
    size_t columns; /* width of the terminal; texts of the table are cut to fit */
};

/* gm_terminal_opts_detect - what suits a file descriptor: colour on a terminal, unless $NO_COLOR is
 * set and not empty or $TERM is "dumb"; the width of the terminal, else 100. */
struct gm_terminal_opts gm_terminal_opts_detect(int fd);

/* gm_terminal_post - append the view of a post, ended by an empty line. Control characters of the
 * post, which could steer the terminal, are made harmless. Errors: NOMEM. */
enum gm_status gm_terminal_post(const struct gm_post *post, const struct gm_terminal_opts *opts,
                                struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

#endif
