/* options.h - command line options from tables: the parser, the help texts and docs/cli.md all come
 * from the same rows. An option's value lives in the command's own struct, never in a static. */
#ifndef GM_CLI_OPTIONS_H
#define GM_CLI_OPTIONS_H

#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum gm_option_kind {
    GM_OPT_FLAG,   /* bool, no value */
    GM_OPT_STR,    /* const char *: any text, not empty; a file, a name */
    GM_OPT_CHOICE, /* const char *: one of `choices` */
    GM_OPT_INT,    /* long long in [min, max] */
    GM_OPT_NUM     /* double in [min, max] */
};

/* One row. A table ends with a row whose name is NULL. */
struct gm_option {
    const char *name; /* long name without "--" */
    char letter;      /* short name; 0 = none */
    enum gm_option_kind kind;
    size_t offset;      /* of the value in the command's struct */
    const char *preset; /* the default as text, read like a given value; NULL = zero bytes (NULL) */
    double min, max;    /* INT and NUM */
    const char *value;  /* what the value is called in the help: "FILE", "N"; CHOICE: "a|b|c" */
    const char *
        help; /* one sentence; a default that the preset doesn't tell ends it, " (default: X)", or " (needed)" */
};

/* clang-format off */
#define GM_OPTION_END {NULL, 0, GM_OPT_FLAG, 0, NULL, 0, 0, NULL, NULL}
/* clang-format on */

/* One table with the struct it fills. */
struct gm_option_set {
    const struct gm_option *table;
    void *values; /* zeroed by the caller */
};

/* The words of the command line that are no options, in order, borrowed from argv; and the names of the options that
 * are on it, borrowed from their tables. */
struct gm_args {
    const char **v; /* owned, gm_free */
    size_t n;
    const char **given; /* in the memory of v */
    size_t n_given;
};

/* gm_options_parse - presets first, then argv[0..argc): `--name value`, `--name=value`, `-o value`,
 * `-ovalue`; what follows `--` and words that do not start with "-" (also "-" alone) go to *args.
 * Errors: ARG with a message for the user (unknown option and the nearest known one, value missing,
 * not a number, out of range, option given twice); NOMEM. args->v is to be freed in any case. */
enum gm_status gm_options_parse(const struct gm_option_set *sets, size_t n_sets, int argc,
                                char *const *argv, struct gm_args *args,
                                struct gm_error *err) GM_NODISCARD;

/* gm_option_given - whether option `name` is on the command line, be it with its default's value. */
bool gm_option_given(const struct gm_args *args, const char *name);

/* Which actions of a command read an option; one that stands in no row all of them do. A table ends with a row
 * whose option is NULL. */
struct gm_option_readers {
    const char *option, *verbs; /* "svg", "stats"; "json", "check|stats" */
};

/* gm_options_check_verb - that `verb` of `command` reads every option that was given. Errors: ARG, with those that
 * read it. */
enum gm_status gm_options_check_verb(const struct gm_option_readers *table, const char *command,
                                     const char *verb, const struct gm_args *args,
                                     struct gm_error *err) GM_NODISCARD;

/* gm_option_sentence - what the option does and its default, cut at `cap` bytes. */
void gm_option_sentence(const struct gm_option *o, char *text, size_t cap);

/* gm_options_help - append the table as text: two columns, wrapped at 100. */
enum gm_status gm_options_help(const struct gm_option *table, struct gm_buf *out,
                               struct gm_error *err) GM_NODISCARD;
/* gm_options_markdown - append the table as a Markdown table. */
enum gm_status gm_options_markdown(const struct gm_option *table, struct gm_buf *out,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_nearest - the name nearest to `word` by edit distance (case ignored) among the n names that
 * `name(ctx, i)` gives; NULL when none is near enough to be a slip. */
const char *gm_nearest(const char *word, size_t n, const char *(*name)(const void *ctx, size_t i),
                       const void *ctx);

#endif
