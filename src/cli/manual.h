/* manual.h - what an installed program has beside it, made from the command and option tables: manual
 * pages and the completions of three shells. All append to *out; errors: NOMEM. */
#ifndef GM_CLI_MANUAL_H
#define GM_CLI_MANUAL_H

#include "base/buf.h"

struct gm_command;

/* gm_man_overview, gm_man_command - the pages gmner(1) and gmner-NAME(1), in the macros of man(7). */
enum gm_status gm_man_overview(struct gm_buf *out, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_man_command(const struct gm_command *c, struct gm_buf *out,
                              struct gm_error *err) GM_NODISCARD;

/* gm_completion_* - a script that the shell sources: commands, their first words, options, and the
 * values that an option takes; elsewhere names of files. */
enum gm_status gm_completion_bash(struct gm_buf *out, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_completion_zsh(struct gm_buf *out, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_completion_fish(struct gm_buf *out, struct gm_error *err) GM_NODISCARD;

/* gm_manual_write - all of them below `prefix`, where the shells and man look under a prefix:
 * share/man/man1, share/bash-completion/completions, share/zsh/site-functions,
 * share/fish/vendor_completions.d. Errors: IO, NOMEM. */
enum gm_status gm_manual_write(const char *prefix, struct gm_error *err) GM_NODISCARD;

#endif
