/* cmd.h - what a subcommand is. To add one: write cmd_NAME.c with a `const struct gm_command
 * gm_cmd_NAME`, declare it here, and list it in commands.c and CMakeLists.txt.
 *
 * main() fills a zeroed struct of `opts_size` bytes from the option table, checks the number of
 * operands, sets threads and log format, and calls run. What run returns is the exit status; for
 * FAILED and USAGE it has filled *err, which main prints as one line "gmner: error: MESSAGE".
 * Results go to standard output through gm_out (base/file.h), everything else to standard error
 * through GM_LOG and gm_progress. Only main exits. */
#ifndef GM_CLI_CMD_H
#define GM_CLI_CMD_H

#include "cli/options.h"

enum gm_exit {
    GM_EXIT_DONE = 0,
    GM_EXIT_FAILED = 1,
    GM_EXIT_USAGE = 2,
    GM_EXIT_SOME = 3 /* done, but some posts failed */
};

struct gm_command {
    const char *name;
    const char *summary; /* one line, no full stop */
    const char *words;   /* "a|b": what the first operand must be one of; NULL = any */
    const char *usage;   /* what follows "gmner NAME": "[FILE|-] [options]" */
    const char *about;   /* a paragraph or two for --help; NULL = none */
    const char
        *examples; /* one command a line, each ended by "\n"; shown after --help; never NULL */
    const struct gm_option *options;
    size_t opts_size; /* sizeof the struct that `options` fills */
    size_t min_args, max_args;
    enum gm_exit (*run)(const void *opts, const struct gm_args *args, struct gm_error *err);
};

/* GM_USAGE(err, fmt, ...) - fill err and evaluate to GM_EXIT_USAGE: the user asked for something
 * impossible; the message says what to type instead. */
#define GM_USAGE(err, ...) ((void)GM_FAIL((err), GM_EARG, __VA_ARGS__), GM_EXIT_USAGE)

/* gm_exit_of - DONE for GM_OK, else FAILED (err is filled then). */
enum gm_exit gm_exit_of(enum gm_status st);

/* gm_output_spares - DONE, or USAGE with a message where the file or folder `to` of `command` is one that is read:
 * it would be lost. NULL and "-" are no files. */
enum gm_exit gm_output_spares(const char *command, const char *to, const char *read,
                              struct gm_error *err);

/* gm_print - write `text` to standard output and flush; for commands whose result is short. */
enum gm_status gm_print(struct gm_str text, struct gm_error *err) GM_NODISCARD;

/* The options that every command takes. */
struct gm_common_opts {
    bool help;
    long long threads, max_pixels;
    const char *log_format;
};
extern const struct gm_option gm_common_options[];

/* gm_commands_at - command i in the order of the help, NULL past the end. gm_commands_find - by
 * name, NULL when there is none. */
const struct gm_command *gm_commands_at(size_t i);
const struct gm_command *gm_commands_find(const char *name);
/* gm_commands_nearest - the command name nearest to a mistyped one; NULL = none is near. */
const char *gm_commands_nearest(const char *word);

/* gm_help_overview, gm_help_command, gm_help_environment, gm_help_markdown - append the help texts. */
enum gm_status gm_help_overview(struct gm_buf *out, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_help_command(const struct gm_command *c, struct gm_buf *out,
                               struct gm_error *err) GM_NODISCARD;
enum gm_status gm_help_environment(struct gm_buf *out, struct gm_error *err) GM_NODISCARD;
enum gm_status gm_help_markdown(struct gm_buf *out, struct gm_error *err) GM_NODISCARD;
/* gm_environment_at - variable i that the program reads, and what it says; false past the end. */
bool gm_environment_at(size_t i, const char **name, const char **what);

extern const struct gm_command gm_cmd_predict;
extern const struct gm_command gm_cmd_train;
extern const struct gm_command gm_cmd_eval;
extern const struct gm_command gm_cmd_view;
extern const struct gm_command gm_cmd_serve;
extern const struct gm_command gm_cmd_similar;
extern const struct gm_command gm_cmd_tune;
extern const struct gm_command gm_cmd_guide;
extern const struct gm_command gm_cmd_synth;
extern const struct gm_command gm_cmd_runs;
extern const struct gm_command gm_cmd_models;
extern const struct gm_command gm_cmd_data;
extern const struct gm_command gm_cmd_help;

#endif
